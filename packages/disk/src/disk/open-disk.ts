import { BootableError, type ByteSource, type OperationOptions, sliceSource } from '@bootable/bytes'
import { type FileTree, putInode } from '@bootable/tree'
import type { DiskErrorCode } from '../errors.ts'
import { type GptReadResult, readGpt } from '../gpt/reader.ts'
import type { Partition } from '../gpt/table.ts'
import { PARTITION_TYPES, ROOT_TYPES } from '../gpt/types.ts'
import { type DetectedFilesystem, detectFilesystem, readFilesystem } from './detect.ts'

/** A partition and what was found in it. */
export interface DiskPartition extends Partition {
  readonly filesystem?: DetectedFilesystem
}

/** A disk opened for reading. */
export interface Disk extends GptReadResult {
  readonly partitions: readonly DiskPartition[]
  /** The bytes of a partition. */
  open(partition: Partition): ByteSource
  /**
   * The files of a partition; contents are read when they are asked for.
   * @throws FormatError
   */
  readTree(partition: Partition): Promise<FileTree>
}

/**
 * Opens a disk: its partition table, and the filesystem in every partition.
 *
 * @param source the raw disk; `readQcow2` gives one for a qcow2 file. It must stay open as long as files
 * are read
 * @throws FormatError for a disk without a GUID partition table
 */
export async function openDisk(source: ByteSource, options: OperationOptions = {}): Promise<Disk> {
  const table = await readGpt(source, options)
  const open = ({ start, size }: Partition): ByteSource => sliceSource(source, start, size)
  const partitions: DiskPartition[] = []
  for (const partition of table.partitions) {
    options.signal?.throwIfAborted()
    const filesystem = await detectFilesystem(open(partition))
    partitions.push(filesystem ? { ...partition, filesystem } : partition)
  }
  return { ...table, partitions, open, readTree: (partition) => readFilesystem(open(partition)) }
}

/**
 * The files of a disk as its system sees them: the root, with the boot partition at `/boot` and the ESP
 * at `/boot/efi`. The root is found by its type, else by the label `root`, else as the first Linux
 * filesystem; ESP and boot partition by their types, the latter else by the label `boot`. Other partitions are
 * left out.
 *
 * @throws BootableError `DISK_WITHOUT_ROOT`; FormatError
 */
export async function readDiskTree(disk: Disk): Promise<FileTree> {
  const filled = disk.partitions.filter(({ filesystem }) => filesystem && filesystem.type !== 'swap')
  const linux = filled.filter(({ type }) => type === PARTITION_TYPES.linux)
  const root =
    filled.find(({ type }) => ROOT_TYPES.includes(type)) ??
    linux.find(({ filesystem }) => filesystem?.label === 'root') ??
    linux[0]
  if (!root) {
    throw new BootableError<DiskErrorCode>(
      'DISK_WITHOUT_ROOT',
      'none of the partitions holds a root filesystem',
      {
        details: { types: disk.partitions.map(({ type }) => type) },
      },
    )
  }
  const tree = await disk.readTree(root)
  const boot =
    filled.find(({ type }) => type === PARTITION_TYPES.xbootldr) ??
    linux.find((partition) => partition !== root && partition.filesystem?.label === 'boot')
  const esp = filled.find(({ type }) => type === PARTITION_TYPES.esp)
  if (boot) putInode(tree, 'boot', (await disk.readTree(boot)).root)
  if (esp) putInode(tree, 'boot/efi', (await disk.readTree(esp)).root)
  return tree
}
