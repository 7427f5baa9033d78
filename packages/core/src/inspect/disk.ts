import {
  type ByteSource,
  type CompressionFormat,
  FormatError,
  type OperationOptions,
  type RuntimeOptions,
} from '@bootable/bytes'
import { type Disk, openDisk, partitionTypeName, readDiskTree } from '@bootable/disk'
import {
  type OpenDiskSourceOptions,
  type OpenedDiskSource,
  openDiskSource,
} from '../formats/open-disk-source.ts'
import type { DiskFormat, ImageOutputType } from '../output-types.ts'
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
  readonly format: DiskFormat
  /** How the file as a whole is compressed; absent where it is not. */
  readonly compression?: Exclude<CompressionFormat, 'none'>
  /** What carries the file, where that is an image. */
  readonly carrier?: ImageOutputType
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
export interface OpenedDiskFile extends OpenedDiskSource {
  /** Bytes that a machine sees. */
  readonly size: number
  readonly disk: Disk
}

/**
 * Opens a disk in a file of any format; `openDisk` does so for the bytes of the disk itself.
 * @throws FormatError for a file that is no disk, or has no partition table
 */
export async function openDiskFile(
  file: ByteSource,
  options: OpenDiskSourceOptions = {},
): Promise<OpenedDiskFile> {
  const opened = await openDiskSource(file, options)
  try {
    return await openedDiskFile(opened, options)
  } catch (error) {
    await opened.close()
    throw error
  }
}

/** Looks at the partition table of a disk that was opened. @throws FormatError */
export async function openedDiskFile(
  opened: OpenedDiskSource,
  options: OperationOptions = {},
): Promise<OpenedDiskFile> {
  return { ...opened, size: opened.source.size, disk: await openDisk(opened.source, options) }
}

/**
 * Describes a disk in a file of any format.
 * @throws FormatError for a file that is no disk, or has no partition table
 */
export async function inspectDisk(
  file: ByteSource,
  options: OpenDiskSourceOptions = {},
): Promise<DiskReport> {
  const opened = await openDiskFile(file, options)
  try {
    return await describeDisk(opened, options)
  } finally {
    await opened.close()
  }
}

/** Describes a disk that was opened. */
export async function describeDisk(
  { format, compression, size, disk, source }: OpenedDiskFile,
  options: OperationOptions & RuntimeOptions = {},
): Promise<DiskReport> {
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
  let report: DiskReport = {
    kind: 'disk',
    format,
    ...(compression !== 'none' && { compression }),
    ...{ size, sectorSize, uuid, partitions },
  }
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
