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

/** What a partition or volume holds, for people to read. */
export interface DiskPlanContent {
  /** In the words of fstab(5), or `luks`, `lvm`, `raw`. Empty without a content, as may be the following. */
  readonly filesystem: string
  readonly mountpoint: string
  /** Of a volume group its name, of raw bytes the file that they come from. */
  readonly label: string
  readonly uuid: string
  /** Logical volumes, subvolumes, or what is encrypted; each may hold others. */
  readonly inside: readonly DiskPlanVolume[]
}

/** A volume inside a partition. */
export interface DiskPlanVolume extends DiskPlanContent {
  readonly name: string
  /** Bytes. A subvolume has none of its own. */
  readonly size?: number
}

/** One partition for a table that people read. Sizes in bytes. */
export interface DiskPlanRow extends DiskPlanContent {
  readonly number: number
  readonly name: string
  readonly start: number
  readonly size: number
  /** What fdisk(8) calls the type. */
  readonly type: string
}
