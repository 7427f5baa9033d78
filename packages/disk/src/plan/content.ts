import type { Uuid } from '@bootable/bytes'
import type { MountPoint } from '@bootable/system'
import type { LuksPlan } from '../luks/index.ts'
import type { VolumeGroupLayout } from '../lvm/index.ts'

/** What is to be in a partition, or in a volume inside one. Plain JSON, without any secret. */
export type PlannedContent =
  | FilesystemContent
  | BtrfsContent
  | SwapContent
  | LvmContent
  | LuksContent
  | RawContent

/** A filesystem that is mounted as a whole. */
export interface FilesystemContent {
  readonly type: 'filesystem'
  /** The path is empty where nothing mounts it. */
  readonly mount: MountPoint
  /** ext4: files may have fs-verity. GRUB cannot read a filesystem that allows it. @defaultValue false */
  readonly verity?: boolean
  /** vfat: the geometry in its boot sector, where the table and not the size is to say. */
  readonly geometry?: { readonly heads: number; readonly sectorsPerTrack: number }
  /** xfs: number of allocation groups, where the table and not the size is to say. */
  readonly agCount?: number
}

/** A btrfs, of which single subvolumes are mounted. */
export interface BtrfsContent {
  readonly type: 'btrfs'
  readonly uuid: Uuid
  readonly label: string
  readonly subvolumes: readonly PlannedSubvolume[]
}

/** A subvolume of a {@link BtrfsContent}. */
export interface PlannedSubvolume {
  /** Its path from the top level, without a leading slash. */
  readonly name: string
  readonly mount?: MountPoint
  /** What `compress=` of its mount options says, such as `zstd:1`; what is written is compressed so. */
  readonly compress?: string
  readonly uuid?: Uuid
}

export interface SwapContent {
  readonly type: 'swap'
  /** Bytes of the kernel's pages. @defaultValue 4096 */
  readonly pageSize?: number
  /** The path is `none`. */
  readonly mount: MountPoint
}

/** A physical volume of LVM2, the only one of its group. */
export interface LvmContent {
  readonly type: 'lvm'
  readonly group: VolumeGroupLayout
  readonly volumes: readonly PlannedVolume[]
}

/** A logical volume of a {@link LvmContent}. */
export interface PlannedVolume {
  readonly name: string
  readonly content?: PlannedContent
}

/** An encrypted volume. Its passphrase is given when the disk is written. */
export interface LuksContent {
  readonly type: 'luks'
  readonly luks: LuksPlan
  readonly content: PlannedContent
}

/** A file of the image, copied into the partition as it is: firmware of boards. */
export interface RawContent {
  readonly type: 'raw'
  /** Absolute, as the running machine would see it. */
  readonly path: string
}

/** All mounts inside of some content, in its own order; swap is one of them. */
export function mountsOf(content: PlannedContent | undefined): MountPoint[] {
  switch (content?.type) {
    case 'filesystem':
    case 'swap':
      return content.mount.path === '' ? [] : [content.mount]
    case 'btrfs':
      return content.subvolumes.flatMap(({ mount }) => mount ?? [])
    case 'lvm':
      return content.volumes.flatMap((volume) => mountsOf(volume.content))
    case 'luks':
      return mountsOf(content.content)
    default:
      return []
  }
}
