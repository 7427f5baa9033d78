import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { BootableError } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import type { LayerCache } from '@bootable/oci'
import { folderLayerCache, temporaryLayerCache } from '@bootable/oci/node'
import type { CoreErrorCode } from '../errors.ts'
import { type ImageOutputType, isImageOutputType, type OutputType } from '../output-types.ts'
import { type BuildDiskOptions, buildDisk } from '../pipeline/build.ts'
import type { MachineOptions } from '../pipeline/options.ts'
import { type Machine, prepareMachine } from '../pipeline/prepare.ts'
import { type OpenImageSourceOptions, openImageSource } from './open-image.ts'
import { folderImageOutputs, folderOutputs, scratchOutput } from './outputs.ts'
import { updateAddress } from './update-address.ts'

/** Options that every function here shares. */
export interface FileMachineOptions
  extends Omit<MachineOptions, 'cache' | 'runtime' | 'policy'>,
    OpenImageSourceOptions {
  /**
   * Address of the image: `docker://…`, `oci-archive:…`, …; see `parseImageSource`. A machine that updates
   * itself does so from there, unless `targetReference` says otherwise.
   */
  readonly image: string
  /**
   * Where decompressed layers are kept: a cache, a folder, or `false` for a temporary one.
   * @defaultValue `bootable` below the user's cache folder
   */
  readonly cache?: LayerCache | string | false
}

/** Options of {@link buildDiskFiles}. */
export interface BuildDiskFilesOptions extends FileMachineOptions {
  /** Disks and images that carry one. @defaultValue `['qcow2']` */
  readonly types?: readonly string[]
  /** The folder below which `qcow2/disk.qcow2`, `image/disk.raw` … appear. @defaultValue `.` */
  readonly output?: string
  /**
   * Where the only image of `types` goes: `docker://host/name:tag`, `oci:folder:name`, `oci-archive:file`.
   * @defaultValue `containerdisk/disk.oci.tar` or `artifact/disk.oci.tar` below `output`
   */
  readonly destination?: string
  /** Compression inside of a qcow2. @defaultValue 'zlib' */
  readonly qcow2Compression?: 'zlib' | 'zstd' | 'none'
}

/** What was built, and where it lies. */
export interface BuiltDisk extends Machine {
  readonly outputs: readonly BuiltOutput[]
}

/** A file, or the address of an image, and the types that it is. */
export interface BuiltOutput {
  readonly types: readonly (OutputType | ImageOutputType)[]
  readonly path: string
}

/**
 * From an image's address to files of disks: `buildDisk` with Node's speed, a kept cache of layers, and
 * the paths of bootc-image-builder.
 *
 * @throws BootableError of every step; no file is left under a final name then
 */
export async function buildDiskFiles(options: BuildDiskFilesOptions): Promise<BuiltDisk> {
  const { output = '.', types = ['qcow2'], destination, qcow2Compression, ...rest } = options
  const outputs = folderOutputs(
    output,
    types.filter((type) => !isImageOutputType(type)),
  )
  const images = folderImageOutputs(output, types, destination, rest)
  const machine = await withMachineOptions(rest, (machineOptions) =>
    buildDisk({
      ...machineOptions,
      outputs: outputs.map((named) => named.output),
      images: images.map((named) => named.output),
      ...(qcow2Compression && { qcow2Compression }),
      scratch: () => scratchOutput(dirname(outputs[0]?.path ?? join(output, 'disk'))),
    }),
  )
  const built = [...outputs, ...images].map(({ types: names, path }): BuiltOutput => ({ types: names, path }))
  return { ...machine, outputs: built }
}

/** Everything about a disk but its bytes: `prepareMachine` for an image's address. */
export async function planDiskFiles(options: FileMachineOptions): Promise<Machine> {
  return withMachineOptions(options, (machineOptions) => prepareMachine(machineOptions.image, machineOptions))
}

async function withMachineOptions<T>(
  options: FileMachineOptions,
  use: (options: Omit<BuildDiskOptions, 'outputs'>) => Promise<T>,
): Promise<T> {
  const { cache: given, image: address, registry: _, platform: __, policy: ___, ...rest } = options
  const clock = rest.clock ?? sourceDateEpoch()
  const cache = await openCache(given)
  try {
    const opened = await openImageSource(address, options)
    try {
      return await use({
        targetReference: updateAddress(opened.source),
        ...rest,
        ...(clock !== undefined && { clock }),
        image: opened.image,
        cache,
        runtime: nodeRuntime,
      })
    } finally {
      await opened.close()
    }
  } finally {
    if (cache !== given) await cache.close?.()
  }
}

async function openCache(cache: LayerCache | string | false | undefined): Promise<LayerCache> {
  if (cache === false) return temporaryLayerCache()
  if (typeof cache === 'object') return cache
  return folderLayerCache(cache ?? defaultCacheFolder())
}

/** `$XDG_CACHE_HOME/bootable`, or `.cache/bootable` in the home folder (XDG Base Directory Specification). */
export function defaultCacheFolder(): string {
  const base = process.env.XDG_CACHE_HOME
  return join(base ? base : join(homedir(), '.cache'), 'bootable')
}

/**
 * The variable of reproducible-builds.org, whose specification asks for an error where it is malformed.
 * @throws BootableError `CLOCK_INVALID`
 */
function sourceDateEpoch(): number | undefined {
  const text = process.env.SOURCE_DATE_EPOCH
  if (text === undefined || text === '') return undefined
  if (/^\d{1,12}$/.test(text)) return Number(text)
  throw new BootableError<CoreErrorCode>(
    'CLOCK_INVALID',
    `SOURCE_DATE_EPOCH is ${JSON.stringify(text)}, not a number of seconds since 1970`,
    { details: { value: text } },
  )
}
