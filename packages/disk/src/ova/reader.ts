import { type ByteSource, FormatError, type OperationOptions, type RuntimeOptions } from '@bootable/bytes'
import { listTarFiles } from '../tar/members.ts'
import { readVmdk, type VmdkSource } from '../vmdk/index.ts'

/** Options of {@link readOva}. */
export interface ReadOvaOptions extends OperationOptions, RuntimeOptions {}

/**
 * The disk in an appliance, read where it lies. Digests are not looked at: the vmdk has checksums of its own.
 *
 * @throws FormatError, also for an appliance of several disks, or of none in a vmdk
 */
export async function readOva(archive: ByteSource, options: ReadOvaOptions = {}): Promise<VmdkSource> {
  options.signal?.throwIfAborted()
  const files = await listTarFiles(archive)
  const disks = files.filter(({ name }) => /\.vmdk$/i.test(name))
  const [disk] = disks
  if (disk && disks.length === 1) return readVmdk(disk.content, options)
  const actual = files.map(({ name }) => name).slice(0, 10)
  throw new FormatError(
    disks.length === 0 ? 'FORMAT_INVALID' : 'FORMAT_UNSUPPORTED',
    { format: 'ova', structure: 'archive', expected: 'one vmdk', actual },
    `${disks.length} disks (.vmdk); those with one are read`,
  )
}

/** Whether an archive's first file is the descriptor of an appliance (DMTF DSP0243 1.1, 5.3). */
export async function isOva(archive: ByteSource): Promise<boolean> {
  const head = new Uint8Array(100)
  if (archive.size < head.length) return false
  await archive.read(0, head)
  const end = head.indexOf(0)
  const name = String.fromCharCode(...head.subarray(0, end < 0 ? head.length : end))
  return /\.ovf$/i.test(name)
}
