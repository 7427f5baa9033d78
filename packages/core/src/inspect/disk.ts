import { type ByteSource, FormatError, type OperationOptions, type RuntimeOptions } from '@bootable/bytes'
import { type Disk, openDisk, partitionTypeName, readDiskTree } from '@bootable/disk'
import { isQcow2, readQcow2 } from '@bootable/disk/qcow2'
import { type DiskBootReport, inspectBoot } from './boot.ts'
import { type DiskSystemReport, inspectDiskSystem } from './disk-system.ts'

/** One partition of a disk. Sizes in bytes. */
export interface PartitionReport {
  readonly number: number
  readonly start: number
  readonly size: number
  /** What fdisk(8) calls the type. */
  readonly type: string
  readonly uuid: string
  readonly label: string
  readonly filesystem?: { readonly type: string; readonly label: string; readonly uuid: string }
}

/** What a disk holds, as plain data. */
export interface DiskReport {
  readonly kind: 'disk'
  readonly format: 'raw' | 'qcow2'
  /** Bytes that a machine sees. */
  readonly size: number
  /** Bytes of the sectors by which the partition table counts: 512 or 4096. */
  readonly sectorSize: number
  readonly uuid: string
  readonly partitions: readonly PartitionReport[]
  /** What firmware starts; absent where the EFI system partition cannot be read, and `note` says why. */
  readonly boot?: DiskBootReport
  /** Absent where no partition holds a root filesystem that can be read; `note` says why. */
  readonly system?: DiskSystemReport
  readonly note?: string
}

/** A disk in a file, whatever the file's format. */
export interface OpenedDiskFile {
  readonly format: DiskReport['format']
  /** Bytes that a machine sees. */
  readonly size: number
  readonly disk: Disk
  /** The bytes that a machine sees. */
  readonly source: ByteSource
}

/**
 * Opens a disk in a raw or qcow2 file; `openDisk` does so for the bytes of the disk itself.
 * @throws FormatError for a file that is no disk, or has no GUID partition table
 */
export async function openDiskFile(
  file: ByteSource,
  options: OperationOptions & RuntimeOptions = {},
): Promise<OpenedDiskFile> {
  const format = (await isQcow2(file)) ? 'qcow2' : 'raw'
  const source = format === 'qcow2' ? await readQcow2(file, options) : file
  return { format, size: source.size, disk: await openDisk(source, options), source }
}

/**
 * Describes a disk in a raw or qcow2 file.
 * @throws FormatError for a file that is no disk, or has no GUID partition table
 */
export async function inspectDisk(
  file: ByteSource,
  options: OperationOptions & RuntimeOptions = {},
): Promise<DiskReport> {
  const { format, size, disk, source } = await openDiskFile(file, options)
  const partitions = disk.partitions.map(({ number, start, size, type, uuid, label, filesystem }) => ({
    number,
    start,
    size,
    type: partitionTypeName(type),
    uuid,
    label,
    ...(filesystem && { filesystem }),
  }))
  const { sectorSize, uuid } = disk
  let report: DiskReport = { kind: 'disk', format, size, sectorSize, uuid, partitions }
  try {
    report = { ...report, boot: await inspectBoot(source, disk) }
    return { ...report, system: await inspectDiskSystem(await readDiskTree(disk), options) }
  } catch (error) {
    options.signal?.throwIfAborted()
    if (!(error instanceof Error)) throw error
    // What is on the partitions may be anything: the table is worth showing all the same.
    if (error instanceof FormatError || 'code' in error) return { ...report, note: error.message }
    throw error
  }
}
