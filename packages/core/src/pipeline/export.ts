import type { BlockDevice, ByteSource } from '@bootable/bytes'
import { compressFile, type FormatOptions, writeFormat } from '../formats/write-format.ts'
import { type ArtifactFile, diskArtifact } from '../images/artifact.ts'
import { containerDisk } from '../images/container-disk.ts'
import type { ComposedImage } from '../images/stream-store.ts'
import { baseName, type DiskFormat, findOutputType } from '../output-types.ts'
import { type DiskOutput, type ImageOutput, memoryOutput, type PendingOutput } from './output.ts'
import type { Transaction } from './transaction.ts'

/** Options of {@link exportDisk}. */
export interface ExportOptions extends Omit<FormatOptions, 'baseName'> {
  /** Where files are written that nobody keeps. @defaultValue memory */
  readonly scratch?: () => Promise<PendingOutput>
  /** Of the machine, as Go names it; a containerDisk says so. @defaultValue 'amd64' */
  readonly architecture?: string
}

/** What one disk becomes. */
export interface Exports {
  readonly outputs: readonly DiskOutput[]
  readonly images?: readonly ImageOutput[]
}

/**
 * Writes a disk in all formats that are asked for. A file that several of them need is made once.
 * @param isWritten an output that holds the disk already
 */
export async function exportDisk(
  disk: ByteSource,
  { outputs, images = [] }: Exports,
  transaction: Transaction,
  options: ExportOptions,
  isWritten?: { readonly output: DiskOutput; readonly device: BlockDevice },
): Promise<void> {
  const { signal } = options
  const formats = new Map<DiskFormat, ByteSource>([['raw', disk]])
  const files: ArtifactFile[] = []
  const scratch = options.scratch ?? (() => memoryOutput('raw').create())

  async function fileOf(format: DiskFormat): Promise<ByteSource> {
    const known = formats.get(format)
    if (known) return known
    const { device } = await transaction.scratch(scratch)
    await writeFormat(format, disk, device, options)
    formats.set(format, device)
    return device
  }

  // Files as they are come first: others are made of them.
  const sorted = [...outputs].sort((a, b) => Number(isCompressed(a)) - Number(isCompressed(b)))
  for (const output of sorted) {
    signal?.throwIfAborted()
    const info = findOutputType(output.type)
    const { format, compression } = info
    const name = output.fileName ?? info.file
    let content: BlockDevice
    if (output === isWritten?.output) content = isWritten.device
    else {
      const { device } = await transaction.create(() => output.create())
      if (compression) await compressFile(compression, await fileOf(format), device, options)
      else {
        await writeFormat(format, disk, device, { ...options, baseName: baseName({ file: name }) })
        formats.set(format, device)
      }
      content = device
    }
    files.push({ name, format, ...(compression && { compression }), content })
  }

  for (const image of images) {
    signal?.throwIfAborted()
    const content = await composed(image, files, fileOf, options)
    transaction.afterwards(() => image.put(content))
  }
}

const isCompressed = ({ type }: DiskOutput): boolean => findOutputType(type).compression !== undefined

async function composed(
  { type }: ImageOutput,
  files: readonly ArtifactFile[],
  fileOf: (format: DiskFormat) => Promise<ByteSource>,
  options: ExportOptions,
): Promise<ComposedImage> {
  if (type === 'containerdisk') return containerDisk(await fileOf('qcow2'), options)
  const qcow2 = async (): Promise<ArtifactFile> => ({
    name: 'disk.qcow2',
    format: 'qcow2',
    content: await fileOf('qcow2'),
  })
  return diskArtifact(files.length > 0 ? files : [await qcow2()], options)
}
