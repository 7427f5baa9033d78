/**
 * The partition table that an image brings along: `disk.yaml` of image-builder, in its own words and
 * spelling. Sizes are bytes; what was loaded has been checked.
 */
export interface EmbeddedDisk {
  /** Who mounts: units of systemd, `/etc/fstab`, or nobody. @defaultValue that of the layout */
  readonly mount_configuration?: 'units' | 'fstab' | 'none'
  /** In place of the standard table. */
  readonly partition_table?: EmbeddedPartitionTable
}

/** `partition_table` of `disk.yaml`. */
export interface EmbeddedPartitionTable {
  readonly type: 'gpt' | 'dos'
  readonly partitions: readonly EmbeddedPartition[]
  /** Bytes of the disk; more where the partitions need it. */
  readonly size?: number
  /** Of a GPT; eight hexadecimal digits of a DOS table, with or without `0x`. */
  readonly uuid?: string
  /** Bytes to which starts and sizes are rounded up. @defaultValue 1 MiB */
  readonly grain_size?: number
  /** Bytes of a logical sector. @defaultValue 512 */
  readonly sector_size?: number
  /** Sectors that stay free behind the last partition. */
  readonly extra_padding?: number
  /** Bytes in front of the first partition, behind the table's own. */
  readonly start_offset?: number
  /** `start_offset` counts from the beginning of the disk. @defaultValue false */
  readonly absolute_start_offset?: boolean
  /** The room for the second GPT is whole grains. Always so here. */
  readonly align_footer?: boolean
  readonly policy?: {
    /** Makes `/boot` a partition where no boot loader could read it. @defaultValue true */
    readonly ensure_xbootldr?: boolean
    /** @defaultValue true */
    readonly grow_root_to_fill_disk?: boolean
  }
}

/** A partition, and what is in it by its `payload_type`. */
export type EmbeddedPartition = EmbeddedPartitionAttributes & EmbeddedPayload

/** What every partition may say. */
export interface EmbeddedPartitionAttributes {
  /** Bytes. */
  readonly size: number
  /** Bytes from the beginning of the disk. @defaultValue behind the partition before */
  readonly start?: number
  /** A GUID on a GPT, two hexadecimal digits on a DOS table. */
  readonly type?: string
  /** Active on a DOS table. On a GPT sfdisk, and so osbuild, makes nothing of it: `attrs` does. */
  readonly bootable?: boolean
  /** GPT only. */
  readonly uuid?: string
  /** GPT only: at most 36 UTF-16 units. */
  readonly label?: string
  /** GPT only: numbers of attribute bits. */
  readonly attrs?: readonly number[]
}

/** The content of a partition. */
export type EmbeddedPayload =
  | NoPayload
  | FilesystemPayload
  | SwapPayload
  | BtrfsPayload
  | { readonly payload_type: 'lvm'; readonly payload: EmbeddedVolumeGroup }
  | { readonly payload_type: 'luks'; readonly payload: EmbeddedLuks }
  | { readonly payload_type: 'raw'; readonly payload: EmbeddedRaw }

interface NoPayload {
  readonly payload_type?: 'no-payload'
  readonly payload?: never
}

interface FilesystemPayload {
  readonly payload_type: 'filesystem'
  readonly payload: EmbeddedFilesystem
}

interface SwapPayload {
  readonly payload_type: 'swap'
  readonly payload: EmbeddedSwap
}

interface BtrfsPayload {
  readonly payload_type: 'btrfs'
  readonly payload: EmbeddedBtrfs
}

/** What stands in three fields of fstab(5). */
export interface EmbeddedMountOptions {
  /** @defaultValue `defaults` */
  readonly fstab_options?: string
  /** @defaultValue 0 */
  readonly fstab_freq?: number
  /** @defaultValue 0 */
  readonly fstab_passno?: number
}

export interface EmbeddedFilesystem extends EmbeddedMountOptions {
  /** A filesystem of type btrfs here has no subvolumes. @defaultValue the root filesystem's type */
  readonly type?: 'ext4' | 'xfs' | 'vfat' | 'btrfs'
  /** `XXXX-XXXX` for vfat. */
  readonly uuid?: string
  readonly label?: string
  readonly mountpoint?: string
  readonly mkfs_options?: {
    /** ext4 */
    readonly verity?: boolean
    /** vfat: what its boot sector says of the disk. */
    readonly geometry?: { readonly heads: number; readonly sectors_per_track: number }
    /** xfs: allocation groups. */
    readonly agcount?: number
  }
}

export interface EmbeddedSwap extends EmbeddedMountOptions {
  readonly uuid?: string
  readonly label?: string
}

export interface EmbeddedBtrfs {
  readonly uuid?: string
  readonly label?: string
  /** Where the top level is mounted, beside its subvolumes. */
  readonly mountpoint?: string
  readonly subvolumes?: readonly EmbeddedSubvolume[]
}

export interface EmbeddedSubvolume {
  /** Path from the top level. */
  readonly name: string
  /** Bytes for which the volume has room at least. */
  readonly size?: number
  readonly mountpoint?: string
  /** Of a quota group; not heeded. */
  readonly group_id?: number
  /** Value of the mount option `compress`, such as `zstd:1`. */
  readonly compress?: string
  /** Mounts it read-only. */
  readonly read_only?: boolean
  readonly uuid?: string
}

export interface EmbeddedVolumeGroup {
  /** @defaultValue `vg00` */
  readonly name?: string
  readonly description?: string
  readonly logical_volumes?: readonly EmbeddedLogicalVolume[]
}

export type EmbeddedLogicalVolume = {
  readonly name?: string
  /** Bytes. */
  readonly size: number
} & (
  | NoPayload
  | FilesystemPayload
  | SwapPayload
  | BtrfsPayload
  | { readonly payload_type: 'luks'; readonly payload: EmbeddedLuks }
)

/** An encrypted volume. What is in it is not encrypted once more. */
export type EmbeddedLuks = {
  /** In the image for everybody to read. Without it one has to be given with the machine's options. */
  readonly passphrase?: string
  readonly uuid?: string
  /** @defaultValue `aes-xts-plain64` */
  readonly cipher?: string
  readonly label?: string
  readonly subsystem?: string
  /** Bytes. */
  readonly sector_size?: 512 | 4096
  /** Of Argon2id: `memory` in KiB. */
  readonly pbkdf?: { readonly iterations?: number; readonly memory?: number; readonly parallelism?: number }
} & (
  | FilesystemPayload
  | SwapPayload
  | BtrfsPayload
  | { readonly payload_type: 'lvm'; readonly payload: EmbeddedVolumeGroup }
)

/** Bytes of a file of the image, for the firmware of a board. */
export interface EmbeddedRaw {
  /** Absolute path in the image. */
  readonly source_path: string
}
