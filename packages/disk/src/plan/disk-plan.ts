import type { Partition, PartitionTable } from '../gpt/table.ts'
import type { PlannedContent } from './content.ts'

/** A partition and what is to be in it. */
export interface PlannedPartition extends Partition {
  /** What people call it: `bios`, `esp`, `boot`, `root`, or the mount point's path with dashes. */
  readonly name: string
  /** Absent where a boot loader writes its own bytes. */
  readonly content?: PlannedContent
}

/**
 * A disk before its first byte: plain JSON, which can be printed, stored, compared and edited.
 * Ascending by number, which is also the order on the disk.
 */
export interface DiskPlan extends PartitionTable {
  readonly partitions: readonly PlannedPartition[]
}

/** One partition for a table that people read. Sizes in bytes. */
export interface DiskPlanRow {
  readonly number: number
  readonly name: string
  readonly start: number
  readonly size: number
  /** What fdisk(8) calls the type. */
  readonly type: string
  /** Empty without a filesystem, as are the following. */
  readonly filesystem: string
  readonly mountpoint: string
  readonly label: string
  readonly uuid: string
}
