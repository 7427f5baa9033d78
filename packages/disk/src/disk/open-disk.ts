import { type ByteSource, sliceSource } from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import type { Partition } from '../gpt/table.ts'
import { readFilesystem } from './detect.ts'
import { type FoundTable, readAnyTable } from './partition-table.ts'
import { type DiskContent, type DiskVolume, type FindContentOptions, findContent } from './volumes.ts'

/** A partition and what was found in it. */
export interface DiskPartition extends Partition, DiskContent {}

/** A disk opened for reading. */
export interface Disk extends FoundTable {
  readonly partitions: readonly DiskPartition[]
  /** The bytes of a partition or of a volume inside one. */
  open(place: Partition | DiskVolume): ByteSource
  /**
   * The files of a partition or of a volume inside one; contents are read when they are asked for.
   * @throws FormatError
   */
  readTree(place: Partition | DiskVolume): Promise<FileTree>
}

/** Options of {@link openDisk}. */
export type OpenDiskOptions = FindContentOptions

/**
 * Opens a disk: its partition table, and the filesystems and volumes in every partition.
 *
 * @param source the raw disk; `readQcow2` gives one for a qcow2 file. It must stay open as long as files
 * are read
 * @throws FormatError for a disk without a partition table; BootableError `LUKS_PASSPHRASE_WRONG`
 */
export async function openDisk(source: ByteSource, options: OpenDiskOptions = {}): Promise<Disk> {
  const table = await readAnyTable(source, options)
  const open = (place: Partition | DiskVolume): ByteSource =>
    'open' in place ? place.open() : sliceSource(source, place.start, place.size)
  const partitions: DiskPartition[] = []
  for (const partition of table.partitions) {
    partitions.push({ ...partition, ...(await findContent(open(partition), options)) })
  }
  return { ...table, partitions, open, readTree: (place) => readFilesystem(open(place), options) }
}
