import type { Uuid } from '@bootable/bytes'
import type { PlanLuksOptions } from '../luks/index.ts'
import type { SectorSize } from './options.ts'

/**
 * A partition table as somebody wants it, before sizes, places and identities. All requests are turned into
 * one: the base table of an architecture, `customizations.filesystem`, `customizations.disk` and the
 * `disk.yaml` of an image.
 */
export interface DiskTable {
  readonly type: 'gpt' | 'dos'
  /** @defaultValue from the seed */
  readonly uuid?: Uuid
  readonly sectorSize: SectorSize
  /** Bytes of the disk where nobody says how large it is to be; more where the partitions need it. */
  readonly size: number
  /** Bytes to which starts and sizes are rounded up. */
  readonly grain: number
  /** Bytes in front of the first partition: behind the table's own, or `absolute` from the disk's first. */
  readonly startOffset: { readonly bytes: number; readonly absolute: boolean }
  /** Bytes that stay free behind the last partition, in front of the second GPT. */
  readonly padding: number
  /** The partition that holds `/` takes what is left of the disk. */
  readonly growRoot: boolean
  /** The root last. */
  readonly entries: readonly TableEntry[]
}

/** What `policy` of an image's `disk.yaml` says, to tables that others ask for as well. */
export interface TablePolicy {
  /** @defaultValue true */
  readonly ensure_xbootldr?: boolean
  /** @defaultValue true */
  readonly grow_root_to_fill_disk?: boolean
}

/** How large something is to be, in bytes. */
export interface TableSize {
  /** What is customary: given up for a disk of the size `minimum`, and by the root for one of an exact size. */
  readonly size: number
  /** What somebody asked for: never less. */
  readonly minimum: number
}

/** A partition, before it has a place. */
export interface TableEntry extends TableSize {
  /** What people call it; no two of a table have the same. */
  readonly name: string
  /** Where it was asked for, in the words of who asked. */
  readonly key: string
  /** A GUID, or two hexadecimal digits on a DOS table. */
  readonly type: string
  readonly uuid?: Uuid
  readonly label: string
  /** See `Partition.attributes`. */
  readonly attributes: readonly number[]
  /** First byte on the disk; else it follows the one before. */
  readonly start?: number
  readonly content?: TableContent
}

/** What is to be in a partition or volume. */
export type TableContent = TableFilesystem | TableBtrfs | TableSwap | TableLvm | TableLuks | TableRaw

/** Where and how something is mounted. */
export interface TableMount {
  /** Absolute; empty where nothing mounts it. */
  readonly path: string
  readonly options: string
  readonly freq: number
  readonly passno: number
}

export interface TableFilesystem extends TableMount {
  readonly type: 'filesystem'
  readonly format: 'ext4' | 'xfs' | 'btrfs' | 'vfat'
  readonly uuid?: Uuid
  readonly label: string
  readonly verity?: boolean
  readonly geometry?: { readonly heads: number; readonly sectorsPerTrack: number }
  readonly agCount?: number
}

export interface TableBtrfs {
  readonly type: 'btrfs'
  readonly uuid?: Uuid
  readonly label: string
  readonly subvolumes: readonly TableSubvolume[]
}

export interface TableSubvolume {
  /** Empty for the top level itself. */
  readonly name: string
  readonly mount?: TableMount
  readonly compress?: string
  readonly uuid?: Uuid
  /** Bytes for which the volume has room. */
  readonly size: number
}

export interface TableSwap extends Omit<TableMount, 'path'> {
  readonly type: 'swap'
  readonly uuid?: Uuid
  readonly label: string
}

export interface TableLvm {
  readonly type: 'lvm'
  readonly name: string
  readonly volumes: readonly TableVolume[]
}

export interface TableVolume extends TableSize {
  readonly name: string
  readonly key: string
  /** Takes the extents that are left: nobody gave it a size. */
  readonly fills?: boolean
  readonly content?: TableContent
}

export interface TableLuks {
  readonly type: 'luks'
  readonly key: string
  readonly uuid?: Uuid
  readonly label?: string
  readonly subsystem?: string
  /** Bytes that are encrypted at a time. */
  readonly sectorSize: SectorSize
  readonly pbkdf: NonNullable<PlanLuksOptions['pbkdf']>
  readonly passphrase?: string
  readonly content: TableContent
}

export interface TableRaw {
  readonly type: 'raw'
  readonly path: string
}

/** The content that lies right in some other, for whoever looks for something in the whole of it. */
export function contentsIn(content: TableContent | undefined): TableContent[] {
  if (!content) return []
  switch (content.type) {
    case 'lvm':
      return [content, ...content.volumes.flatMap((volume) => contentsIn(volume.content))]
    case 'luks':
      return [content, ...contentsIn(content.content)]
    default:
      return [content]
  }
}

/** Every place at which something in a content is mounted. */
export function mountedPaths(content: TableContent | undefined): string[] {
  return contentsIn(content).flatMap((part) => {
    if (part.type === 'filesystem') return part.path === '' ? [] : [part.path]
    if (part.type === 'btrfs') return part.subvolumes.flatMap(({ mount }) => mount?.path ?? [])
    return []
  })
}

/** Whether the root filesystem is in there. */
export function holdsRoot(content: TableContent | undefined): boolean {
  return mountedPaths(content).includes('/')
}
