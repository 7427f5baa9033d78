import { join } from 'node:path'
import { createOutputFile } from '@bootable/bytes/node'
import { findOutputType, type OutputType } from '../output-types.ts'
import type { DiskOutput, PendingOutput } from '../pipeline/output.ts'

/** An artifact in a file. The name appears when it is whole; folders are made. */
export function fileOutput(type: OutputType, path: string): DiskOutput {
  return { type, create: () => createOutputFile(path) }
}

/** A file output with the place that it got. */
export interface NamedOutput {
  readonly types: readonly OutputType[]
  readonly path: string
  readonly output: DiskOutput
}

/**
 * The files of several types below a folder, as bootc-image-builder lays them out: `image/disk.raw`,
 * `qcow2/disk.qcow2`. Types that are the same bytes share one file.
 *
 * @param types names as `--type` takes them
 * @throws BootableError `OUTPUT_TYPE_UNKNOWN`
 */
export function folderOutputs(folder: string, types: readonly string[]): NamedOutput[] {
  const named = new Map<string, { types: OutputType[]; output: DiskOutput }>()
  for (const name of types) {
    const info = findOutputType(name)
    const path = join(folder, info.folder, info.file)
    const known = named.get(path)
    if (known?.types.includes(info.type)) continue
    if (known) known.types.push(info.type)
    else named.set(path, { types: [info.type], output: fileOutput(info.type, path) })
  }
  return [...named].map(([path, rest]) => ({ path, ...rest }))
}

/** A raw disk beside the outputs that nobody keeps. */
export async function scratchOutput(folder: string): Promise<PendingOutput> {
  const { device, discard } = await createOutputFile(join(folder, 'disk.raw'))
  return { device, commit: discard, discard }
}
