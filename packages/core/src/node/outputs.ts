import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { BootableError } from '@bootable/bytes'
import { createOutputFile, nodeRuntime } from '@bootable/bytes/node'
import { copyImage } from '@bootable/oci'
import { createLayout, writeOciArchive } from '@bootable/oci/node'
import type { CoreErrorCode } from '../errors.ts'
import {
  findOutputType,
  type ImageOutputType,
  isImageOutputType,
  type OutputType,
  type OutputTypeInfo,
  outputFileName,
} from '../output-types.ts'
import type { DiskOutput, ImageOutput, PendingOutput } from '../pipeline/output.ts'
import { type ImageSource, parseImageSource } from '../source.ts'

/** An artifact in a file. The name appears when it is whole; folders are made. */
export function fileOutput(type: OutputType, path: string): DiskOutput {
  const fileName = path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1)
  return { type, fileName, create: () => createOutputFile(path) }
}

/** A file output with the place that it got. */
export interface NamedOutput {
  readonly types: readonly OutputType[]
  readonly path: string
  readonly output: DiskOutput
}

/**
 * The files of several types below a folder, as bootc-image-builder lays them out: `image/disk.raw`,
 * `qcow2/disk.qcow2`. Types that are the same bytes share one file, and the first type says what all of them
 * are called.
 *
 * @param types names as `--type` takes them
 * @throws BootableError `OUTPUT_TYPE_UNKNOWN`
 */
export function folderOutputs(folder: string, types: readonly string[]): NamedOutput[] {
  const named = new Map<string, { types: OutputType[]; output: DiskOutput }>()
  const infos = types.map(findOutputType)
  for (const info of infos) {
    const path = join(folder, info.folder, outputFileName(info, infos[0] as OutputTypeInfo))
    const known = named.get(path)
    if (known?.types.includes(info.type)) continue
    if (known) known.types.push(info.type)
    else named.set(path, { types: [info.type], output: fileOutput(info.type, path) })
  }
  return [...named].map(([path, rest]) => ({ path, ...rest }))
}

/** An image output with its address. */
export interface NamedImageOutput {
  readonly types: readonly ImageOutputType[]
  /** `oci:folder:name` or `oci-archive:file:name`. */
  readonly path: string
  readonly output: ImageOutput
}

/**
 * The images among some types: each goes to an archive below the folder, `containerdisk/disk.oci.tar`, unless
 * there is a destination for the only one.
 *
 * @param types names as `--type` takes them; disks are passed over
 * @param destination see {@link imageOutput}
 * @throws BootableError `DESTINATION_INVALID`, and those of {@link imageOutput}
 */
export function folderImageOutputs(
  folder: string,
  types: readonly string[],
  destination?: string,
): NamedImageOutput[] {
  const wanted = [...new Set(types.filter(isImageOutputType))]
  if (destination !== undefined && wanted.length !== 1) {
    throw new BootableError<CoreErrorCode>(
      'DESTINATION_INVALID',
      `a destination is for one image, and ${wanted.length} are made`,
      { details: { destination, types }, hint: 'give --type containerdisk or --type artifact once with it' },
    )
  }
  return wanted.map((type) => {
    const path = destination ?? `oci-archive:${join(folder, type, 'disk.oci.tar')}`
    return { types: [type], path, output: imageOutput(type, path) }
  })
}

/**
 * A place for an image by its address: `oci:folder[:name]`, which may hold others, or
 * `oci-archive:file[:name]`.
 *
 * @throws BootableError `SOURCE_INVALID`, `SOURCE_UNSUPPORTED`
 */
export function imageOutput(type: ImageOutputType, destination: string): ImageOutput {
  const target = parseImageSource(destination)
  if (target.transport === 'oci') return { type, put: (image) => putIntoLayout(image, target) }
  if (target.transport === 'oci-archive') return { type, put: (image) => putIntoArchive(image, target) }
  throw new BootableError<CoreErrorCode>(
    'SOURCE_UNSUPPORTED',
    `${destination}: images are written to oci: and oci-archive:, not to ${target.transport}`,
    {
      details: { source: destination, transport: target.transport },
      hint: 'write an oci-archive and copy it, for instance with "skopeo copy oci-archive:disk.oci.tar docker://…"',
    },
  )
}

type FileTarget = Extract<ImageSource, { readonly path: string }>
type Put = ImageOutput['put']

async function putIntoLayout(
  image: Parameters<Put>[0],
  { path, reference }: FileTarget,
): Promise<() => Promise<void>> {
  const isNew = (await stat(path).catch(() => undefined)) === undefined
  const undo = async (): Promise<void> => {
    if (isNew) await rm(path, { recursive: true, force: true })
  }
  try {
    const layout = await createLayout(path, { runtime: nodeRuntime })
    await copyImage(image, layout, reference)
  } catch (error) {
    await undo()
    throw error
  }
  return undo
}

async function putIntoArchive(
  image: Parameters<Put>[0],
  { path, reference }: FileTarget,
): Promise<() => Promise<void>> {
  await writeOciArchive(path, [{ source: image, name: reference }])
  return () => rm(path, { force: true })
}

/** A file beside the outputs that nobody keeps. */
export async function scratchOutput(folder: string): Promise<PendingOutput> {
  const { device, discard } = await createOutputFile(join(folder, 'disk.raw'))
  return { device, commit: discard, discard }
}
