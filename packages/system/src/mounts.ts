/** The filesystem types that a mount point may have, in the words of fstab(5). */
export type MountType = 'ext4' | 'xfs' | 'btrfs' | 'vfat' | 'swap'

/** A device between a partition and a filesystem, which has to be opened before the latter can be mounted. */
export type StorageLayer =
  | {
      readonly type: 'luks'
      /** Of the header: what `rd.luks.uuid=` and the second field of crypttab(5) name. */
      readonly uuid: string
    }
  | {
      readonly type: 'lvm'
      /** Name of the volume group. */
      readonly group: string
      /** Name of the logical volume. */
      readonly volume: string
    }

/** One filesystem of the finished disk and the place where the installed system mounts it. */
export interface MountPoint {
  /** Absolute and canonical; `none` for swap. */
  readonly path: string
  readonly type: MountType
  /** As it stands after `UUID=`: lower case with dashes, but `ABCD-1234` for FAT. */
  readonly uuid: string
  /** Label of the filesystem; empty where it has none. */
  readonly label: string
  /** Fourth field of fstab(5), such as `defaults` or `umask=0077,shortname=winnt`. */
  readonly options: string
  /** Fifth field of fstab(5): dump(8) looks at it. Nearly always 0. */
  readonly freq: number
  /** Sixth field of fstab(5): the order in which fsck(8) checks, 0 for never. */
  readonly passno: number
  /** What it lies in, from the partition inwards. Absent for a filesystem right in a partition. */
  readonly layers?: readonly StorageLayer[]
}
