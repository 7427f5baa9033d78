import { join } from 'node:path'
import { BootableError } from '@bootable/bytes'
import { createOutputFile } from '@bootable/bytes/node'
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
import { type ImageTargetOptions, imageTarget } from './image-target.ts'

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
  /** Such as `oci-archive:file:name`. */
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
  options: ImageTargetOptions = {},
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
    return { types: [type], path, output: imageOutput(type, path, options) }
  })
}

/**
 * A place for an image that carries the disk; a registry among them.
 *
 * @param destination as `imageTarget` reads it
 * @throws BootableError `SOURCE_INVALID`, `SOURCE_UNSUPPORTED`
 */
export function imageOutput(
  type: ImageOutputType,
  destination: string,
  options: ImageTargetOptions = {},
): ImageOutput {
  const target = imageTarget(destination, options)
  if (target.transport === 'docker-archive') {
    throw new BootableError<CoreErrorCode>(
      'SOURCE_UNSUPPORTED',
      `${destination}: an image that carries a disk is not put into a docker-archive`,
      {
        details: { source: destination, transport: target.transport },
        hint: 'write an oci-archive, an OCI layout or to a registry',
      },
    )
  }
  return { type, put: async (image) => (await target.put(image)).undo }
}

/** A file beside the outputs that nobody keeps. */
export async function scratchOutput(folder: string): Promise<PendingOutput> {
  const { device, discard } = await createOutputFile(join(folder, 'disk.raw'))
  return { device, commit: discard, discard }
}
