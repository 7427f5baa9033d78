import { alignUp, BootableError, MiB } from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import { measureBtrfsVolume } from '../disk/btrfs-volume.ts'
import { composeVolume } from '../disk/compose.ts'
import { driverOf } from '../disk/drivers.ts'
import type { Problems } from '../errors.ts'
import { LUKS_OVERHEAD } from '../luks/index.ts'
import { LVM_EXTENT_SIZE, logicalVolumesSize } from '../lvm/index.ts'
import type { TableBtrfs, TableContent, TableFilesystem, TableLuks, TableLvm, TableSize } from './table.ts'

/** What sizes depend on beside the table. */
export interface SizeContext {
  /** The tree of each mount point. */
  readonly trees: ReadonlyMap<string, FileTree>
  /** How the size of the disk was asked for. */
  readonly mode: 'minimum' | 'default' | 'exact'
  readonly sectorSize: number
  /** Bytes of the image's files, where they are known. */
  readonly imageSize: number
  /** Bytes of a file of the image. @throws BootableError */
  fileSize(path: string): number
  readonly problems: Problems
}

/** A partition or a logical volume. */
interface Holder extends TableSize {
  readonly key: string
  readonly content?: TableContent
}

/** swapon(2) takes no area without ten pages, which have 64 KiB at most. */
const LEAST_SWAP = 10 * 65_536

/** What btrfs needs for its own in a volume with a subvolume of an asked size. */
const SUBVOLUME_SHARE = 16

/**
 * Bytes that a partition or volume has at least. All but the root's partition have exactly these.
 *
 * * no size of the disk given: sizes of the table, raised to what was asked for; the root has twice the
 *   image's size at least, as bootc-image-builder has it
 * * an exact size: the same, but a root that grows needs no more than its content and what was asked for
 * * the minimum: content and a little room, and what was asked for
 *
 * @param grows it takes what is left of the disk
 */
export function leastSize(holder: Holder, grows: boolean, context: SizeContext): number {
  const { content, size, minimum, key } = holder
  const isRoot = holdsRootDirectly(content)
  const isFree = isRoot && grows && context.mode === 'exact'
  const floors = [minimum]
  if (context.mode !== 'minimum' && !isFree) floors.push(size)
  if (context.mode === 'default' && isRoot) floors.push(2 * context.imageSize)
  const floor = Math.max(...floors)
  const bare = contentSize(content, key, false, context)
  if (isFree || (context.mode !== 'minimum' && bare <= floor)) return Math.max(bare, floor)
  return Math.max(contentSize(content, key, true, context), floor)
}

/** In a partition or volume itself, that is: not on a logical volume inside of it. */
function holdsRootDirectly(content: TableContent | undefined): boolean {
  if (content?.type === 'luks') return holdsRootDirectly(content.content)
  if (content?.type === 'btrfs') return content.subvolumes.some(({ mount }) => mount?.path === '/')
  return content?.type === 'filesystem' && content.path === '/'
}

/** Sizes of the volumes of a group, in whole extents. */
export function volumeSizes(group: TableLvm, context: SizeContext): number[] {
  return group.volumes.map((volume) =>
    alignUp(Math.max(leastSize(volume, false, context), 1), LVM_EXTENT_SIZE),
  )
}

/** @param room with some space left beyond the content */
function contentSize(
  content: TableContent | undefined,
  key: string,
  room: boolean,
  context: SizeContext,
): number {
  switch (content?.type) {
    case 'filesystem': {
      const tree = context.trees.get(content.path) ?? composeVolume([], context.trees)
      return measured(content, tree, key, room, context)
    }
    case 'btrfs':
      return volumeSize(content, key, room, context)
    case 'swap':
      return LEAST_SWAP
    case 'lvm':
      return Math.max(logicalVolumesSize(volumeSizes(content, context)), logicalVolumesSize([1]))
    case 'luks':
      return LUKS_OVERHEAD + contentSize(content.content, key, room, encrypted(content, context))
    case 'raw':
      return guarded(key, context, () => context.fileSize(content.path))
    default:
      return 0
  }
}

function volumeSize(content: TableBtrfs, key: string, room: boolean, context: SizeContext): number {
  const { subvolumes } = content
  const tree = composeVolume(subvolumes, context.trees)
  const asked = subvolumes.reduce((sum, { size }) => sum + size, 0)
  const bare = guarded(key, context, () => measureBtrfsVolume(tree, subvolumes))
  const size = room ? withRoom(bare) : bare
  return Math.max(size, asked + Math.ceil(asked / SUBVOLUME_SHARE))
}

function measured(
  filesystem: Pick<TableFilesystem, 'format' | 'label' | 'agCount'>,
  tree: FileTree,
  key: string,
  room: boolean,
  context: SizeContext,
): number {
  const { label, agCount, format } = filesystem
  const { sectorSize } = context
  const options = { label, sectorSize, ...(agCount !== undefined && { agCount }) }
  const size = guarded(key, context, () => driverOf(format).measure(tree, options))
  return room ? withRoom(size) : size
}

/** Inside of an encrypted volume sectors are those that are encrypted at a time. */
function encrypted({ sectorSize }: TableLuks, context: SizeContext): SizeContext {
  return { ...context, sectorSize: Math.max(sectorSize, context.sectorSize) }
}

/** Takes note of what a filesystem says about a tree that it cannot hold. */
function guarded(key: string, { problems }: SizeContext, measure: () => number): number {
  try {
    return measure()
  } catch (error) {
    if (!BootableError.is(error)) throw error
    problems.report(key, error.message)
    return 0
  }
}

/**
 * Room that a filesystem of a minimal disk has beyond its content: a machine writes host keys, a machine
 * id, logs and a random seed at its first start, and its boot loader rewrites its entries.
 */
function withRoom(content: number): number {
  return content + Math.max(16 * MiB, Math.ceil(content / 16))
}
