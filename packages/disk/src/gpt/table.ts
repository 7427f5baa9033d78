import type { Uuid } from '@bootable/bytes'

/** One entry of a partition table, in bytes rather than sectors. */
export interface Partition {
  /** Place in the table, from 1: the number of `/dev/vda1`. */
  readonly number: number
  /** What the partition is for; see {@link PARTITION_TYPES}. Lower case. Two hexadecimal digits on a DOS table. */
  readonly type: Uuid
  /** Of a DOS table `0123abcd-01`: the disk's and the number, as the kernel has it (`PARTUUID=`). */
  readonly uuid: Uuid
  /** The name in a GPT, at most 36 UTF-16 units: `PARTLABEL=` of fstab(5). Often empty. */
  readonly label: string
  /** First byte on the disk. */
  readonly start: number
  /** Length in bytes. */
  readonly size: number
  /**
   * Numbers of the attribute bits that are set (UEFI 2.10, table 5.8), ascending. Of a DOS table the bits of
   * the boot indicator: 7 for the active partition.
   */
  readonly attributes: readonly number[]
}

/** A partition table and the disk that it divides. */
export interface PartitionTable {
  /** @defaultValue `gpt` */
  readonly type?: 'gpt' | 'dos'
  /** The disk's own GUID; of a DOS table its serial number, eight hexadecimal digits. */
  readonly uuid: Uuid
  /** Bytes of the disk. */
  readonly size: number
  /** Bytes of a logical sector: 512 or 4096. */
  readonly sectorSize: number
  /** Ascending by number. */
  readonly partitions: readonly Partition[]
}
