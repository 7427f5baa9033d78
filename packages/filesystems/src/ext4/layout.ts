import { alignUp } from '@bootable/bytes'
import type { BlockRun } from './extents.ts'
import { GroupDescriptor, INODE_SIZE } from './format.ts'

/** Groups whose bitmaps and inode tables lie together (`s_log_groups_per_flex` 4, as mke2fs chooses). */
export const LOG_GROUPS_PER_FLEX = 4
/** Factor by which the filesystem can grow online, as mke2fs chooses. */
const GROWTH = 1024
/** mke2fs leaves out a last group that would have fewer free blocks. */
const MIN_LAST_GROUP = 50

/** Where everything of a filesystem lies that does not depend on its files. Positions count blocks. */
export interface Geometry {
  readonly blockSize: number
  /** Blocks of the filesystem; a last group that is too small is left out. */
  readonly blockCount: number
  /** 1 with blocks of 1 KiB, where block 0 is the boot sector; otherwise 0. */
  readonly firstDataBlock: number
  readonly blocksPerGroup: number
  readonly groupCount: number
  readonly inodesPerGroup: number
  /** Blocks of one group's inode table. */
  readonly inodeTableBlocks: number
  /** Blocks of the group descriptor table. */
  readonly descriptorBlocks: number
  /** Blocks kept free behind it, so that the table can grow (feature `resize_inode`). */
  readonly reservedDescriptorBlocks: number
  /** By group. */
  readonly blockBitmaps: Float64Array
  readonly inodeBitmaps: Float64Array
  readonly inodeTables: Float64Array
  /** All of the above, ascending, not touching each other. */
  readonly metadata: readonly BlockRun[]
}

/** Whether a group holds copies of superblock and descriptors: 0, 1 and powers of 3, 5, 7 (`sparse_super`). */
export function hasSuperblock(group: number): boolean {
  return group <= 1 || isPower(group, 3) || isPower(group, 5) || isPower(group, 7)
}

function isPower(value: number, base: number): boolean {
  let rest = value
  while (rest % base === 0) rest /= base
  return rest === 1
}

/** First block of a group. */
export function groupStart(
  geometry: Pick<Geometry, 'firstDataBlock' | 'blocksPerGroup'>,
  group: number,
): number {
  return geometry.firstDataBlock + group * geometry.blocksPerGroup
}

/** Blocks of a group; the last one may be shorter. */
export function groupLength(geometry: Geometry, group: number): number {
  return Math.min(geometry.blocksPerGroup, geometry.blockCount - groupStart(geometry, group))
}

/** Blocks at the start of a group that hold superblock, descriptors and the room for more of them. */
export function groupHeader(
  geometry: Pick<Geometry, 'descriptorBlocks' | 'reservedDescriptorBlocks'>,
  group: number,
): number {
  return hasSuperblock(group) ? 1 + geometry.descriptorBlocks + geometry.reservedDescriptorBlocks : 0
}

/**
 * Lays out a filesystem with the arithmetic of `ext2fs_initialize` of e2fsprogs.
 *
 * @param size bytes of the device
 * @param inodes so many, rounded up to fill their tables; fewer where a group cannot hold its share
 * @returns `undefined` where not even the metadata fits
 */
export function layoutGeometry(size: number, blockSize: number, inodes: number): Geometry | undefined {
  const firstDataBlock = blockSize === 1024 ? 1 : 0
  const blocksPerGroup = blockSize * 8
  const descriptorsPerBlock = blockSize / GroupDescriptor.size
  const addressesPerBlock = blockSize / 4

  for (let blockCount = Math.floor(size / blockSize); blockCount > firstDataBlock; ) {
    const groupCount = Math.ceil((blockCount - firstDataBlock) / blocksPerGroup)
    const descriptorBlocks = Math.ceil(groupCount / descriptorsPerBlock)
    // A table fills its blocks, and a multiple of 8 inodes keeps the bitmaps on byte boundaries.
    const inodesPerBlock = blockSize / INODE_SIZE
    const wanted = alignUp(Math.ceil(inodes / groupCount), Math.max(inodesPerBlock, 8))
    const inodesPerGroup = Math.min(wanted, blockSize * 8, 65_536 - Math.max(inodesPerBlock, 8))
    if (inodesPerGroup * groupCount > 0xffff_ffff) return undefined
    const inodeTableBlocks = inodesPerGroup / inodesPerBlock

    const maxBlocks = Math.min(blockCount * GROWTH, 0xffff_ffff)
    const maxGroups = Math.ceil((maxBlocks - firstDataBlock) / blocksPerGroup)
    const growth = Math.ceil(maxGroups / descriptorsPerBlock) - descriptorBlocks
    // The resize inode holds 32-bit block numbers: there is none above 2^32 blocks.
    const reservedDescriptorBlocks = Math.max(0, Math.min(growth, addressesPerBlock))

    const shape = { firstDataBlock, blocksPerGroup, descriptorBlocks, reservedDescriptorBlocks }
    const rest = (blockCount - firstDataBlock) % blocksPerGroup
    const overhead = 2 + inodeTableBlocks + groupHeader(shape, groupCount - 1)
    if (groupCount > 1 && rest > 0 && rest < overhead + MIN_LAST_GROUP) {
      blockCount -= rest
      continue
    }
    const counts = { blockSize, blockCount, groupCount, inodesPerGroup, inodeTableBlocks }
    return placeMetadata({ ...shape, ...counts })
  }
  return undefined
}

type Shape = Omit<Geometry, 'blockBitmaps' | 'inodeBitmaps' | 'inodeTables' | 'metadata'>

/** Puts bitmaps and inode tables of every flex group behind the header of its first group. */
function placeMetadata(shape: Shape): Geometry | undefined {
  const { groupCount, inodeTableBlocks } = shape
  const tables = {
    blockBitmaps: new Float64Array(groupCount),
    inodeBitmaps: new Float64Array(groupCount),
    inodeTables: new Float64Array(groupCount),
  }
  const runs: BlockRun[] = []
  const groupsPerFlex = 2 ** LOG_GROUPS_PER_FLEX
  for (let first = 0; first < groupCount; first += groupsPerFlex) {
    const after = Math.min(first + groupsPerFlex, groupCount)
    const limit = Math.min(groupStart(shape, after), shape.blockCount)
    let next = groupStart(shape, first)
    for (let group = first; group < after; group++) {
      const length = groupHeader(shape, group)
      if (length > 0) runs.push({ block: groupStart(shape, group), length })
    }
    for (const [positions, length] of [
      [tables.blockBitmaps, 1],
      [tables.inodeBitmaps, 1],
      [tables.inodeTables, inodeTableBlocks],
    ] as const) {
      for (let group = first; group < after; group++) {
        const block = skipHeaders(shape, next, length)
        if (block + length > limit) return undefined
        positions[group] = block
        runs.push({ block, length })
        next = block + length
      }
    }
  }
  return { ...shape, ...tables, metadata: mergeRuns(runs) }
}

/** The first block from `block` on where `length` blocks meet no group's header. */
function skipHeaders(shape: Shape, block: number, length: number): number {
  let start = block
  let group = Math.floor((start - shape.firstDataBlock) / shape.blocksPerGroup)
  for (; group < shape.groupCount && groupStart(shape, group) < start + length; group++) {
    const end = groupStart(shape, group) + groupHeader(shape, group)
    if (end > start) start = end
  }
  return start
}

function mergeRuns(runs: readonly BlockRun[]): BlockRun[] {
  const merged: { block: number; length: number }[] = []
  for (const { block, length } of [...runs].sort((a, b) => a.block - b.block)) {
    const last = merged[merged.length - 1]
    if (last && last.block + last.length === block) last.length += length
    else merged.push({ block, length })
  }
  return merged
}

/** Journal blocks that mke2fs gives a filesystem of so many blocks (`ext2fs_default_journal_size`). */
export function defaultJournalBlocks(blockCount: number): number {
  const steps = [
    [2048, 0],
    [32_768, 1024],
    [262_144, 4096],
    [524_288, 8192],
    [4_194_304, 16_384],
    [8_388_608, 32_768],
    [16_777_216, 65_536],
    [33_554_432, 131_072],
  ] as const
  return steps.find(([below]) => blockCount < below)?.[1] ?? 262_144
}

/** Bytes of the device for which mke2fs makes one inode: its types `small`, `big` and `huge`. */
export function defaultInodeRatio(size: number): number {
  if (size < 512 * 2 ** 20) return 4096
  if (size < 4 * 2 ** 40) return 16_384
  return size < 16 * 2 ** 40 ? 32_768 : 65_536
}
