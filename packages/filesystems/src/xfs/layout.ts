import { alignUp, GiB, MiB, TiB } from '@bootable/bytes'
import { btreeLevels, countLevels, largestBtree } from './btree.ts'
import { ShortBtreeBlock, XFS_INODES_PER_CHUNK } from './format.ts'

/** Bytes of a block, as mkfs.xfs makes them on every device. */
export const BLOCK_SIZE = 4096
/** Bytes of an inode. */
export const INODE_SIZE = 512
export const INODES_PER_BLOCK = BLOCK_SIZE / INODE_SIZE
/** Blocks of 64 inodes, and the blocks on which they are aligned (`sb_inoalignmt`). */
export const CHUNK_BLOCKS = XFS_INODES_PER_CHUNK / INODES_PER_BLOCK

/** The smallest device: mkfs.xfs makes no smaller filesystem since 5.19, nor will the kernel once. */
export const MINIMUM_SIZE = 300 * MiB
/** `XFS_AG_MIN_BYTES`: a last group smaller than this is left out. */
const AG_MIN_BLOCKS = (16 * MiB) / BLOCK_SIZE
/** `XFS_AG_MAX_BLOCKS`. */
const AG_MAX_BLOCKS = Math.floor((TiB - 1) / BLOCK_SIZE)
/** `XFS_MIN_REALISTIC_LOG_BLOCKS`. */
const LOG_MIN_BLOCKS = (64 * MiB) / BLOCK_SIZE
/** `XFS_MAX_LOG_BYTES`. */
const LOG_MAX_BLOCKS = (2 * GiB - 10 * MiB) / BLOCK_SIZE
/** `xfs_alloc_min_freelist` of trees of one level: blocks set aside for the trees of free space. */
export const AGFL_BLOCKS = 4

/** The shape of a filesystem. Blocks are counted from the start of their group unless said otherwise. */
export interface Geometry {
  readonly sectorSize: number
  /** Blocks of the filesystem. */
  readonly blockCount: number
  /** Blocks of every group but the last. */
  readonly agBlocks: number
  readonly agCount: number
  /** `sb_agblklog`: bits of a block's number within its group. */
  readonly agBlockLog: number
  readonly logBlocks: number
  /** The group that holds the log, behind its roots. */
  readonly logGroup: number
  /** Roots of the trees of a group, one block each. */
  readonly roots: Readonly<Record<'bno' | 'cnt' | 'inobt' | 'finobt' | 'refcount', number>>
  /** Blocks of headers and roots at the start of every group (`libxfs_prealloc_blocks`). */
  readonly headBlocks: number
}

/**
 * The geometry that mkfs.xfs chooses for a device without stripes.
 * @param size bytes of the device
 * @returns `undefined` for a device below {@link MINIMUM_SIZE}, or groups without room for the log
 */
export function layoutGeometry(
  size: number,
  sectorSize: number,
  requestedGroups: number | undefined,
): Geometry | undefined {
  if (size < MINIMUM_SIZE) return undefined
  let blockCount = Math.floor(size / BLOCK_SIZE)
  const agBlocks = groupBlocks(blockCount, requestedGroups)
  let agCount = Math.ceil(blockCount / agBlocks)
  const last = blockCount % agBlocks
  if (last > 0 && last < AG_MIN_BLOCKS) {
    agCount--
    blockCount -= last
  }
  const headers = Math.ceil((4 * sectorSize) / BLOCK_SIZE)
  const roots = {
    bno: headers,
    cnt: headers + 1,
    inobt: headers + 2,
    finobt: headers + 3,
    refcount: headers + 4,
  }
  const headBlocks = headers + 5
  const logMax = Math.min(LOG_MAX_BLOCKS, agBlocks - headBlocks - AGFL_BLOCKS - 1)
  // 2048:1, but no less than 64 MiB.
  const usual = Math.floor(Math.floor((blockCount * BLOCK_SIZE) / 2048) / BLOCK_SIZE)
  const logBlocks = Math.min(Math.max(usual, LOG_MIN_BLOCKS), logMax)
  if (logBlocks < LOG_MIN_BLOCKS || agCount < 2 || agBlocks > AG_MAX_BLOCKS) return undefined
  return {
    sectorSize,
    blockCount,
    agBlocks,
    agCount,
    agBlockLog: Math.ceil(Math.log2(agBlocks)),
    logBlocks,
    logGroup: Math.floor(agCount / 2),
    roots,
    headBlocks,
  }
}

/** `calc_default_ag_geometry` without stripes. */
function groupBlocks(blockCount: number, requested: number | undefined): number {
  if (requested !== undefined) return Math.ceil(blockCount / requested)
  if (blockCount >= (4 * TiB) / BLOCK_SIZE) return AG_MAX_BLOCKS
  return Math.min(Math.ceil(blockCount / 4), AG_MAX_BLOCKS)
}

/** Blocks of a group. */
export function groupLength({ agBlocks, agCount, blockCount }: Geometry, group: number): number {
  return group === agCount - 1 ? blockCount - (agCount - 1) * agBlocks : agBlocks
}

/** First block of a group that is neither header, root, log nor set aside. */
export function groupStart(geometry: Geometry, group: number): number {
  const log = group === geometry.logGroup ? geometry.logBlocks : 0
  return geometry.headBlocks + log + AGFL_BLOCKS
}

/** Blocks of a group that the kernel keeps for its trees to grow (`xfs_ag_resv_init`). */
export function groupReserve(geometry: Geometry, group: number): number {
  const log = group === geometry.logGroup ? geometry.logBlocks : 0
  const blocks = groupLength(geometry, group) - log
  const chunks = Math.floor((blocks * INODES_PER_BLOCK) / XFS_INODES_PER_CHUNK)
  return largestBtree(blocks, 168, 252) + largestBtree(chunks, 126, 252)
}

/** First block of a group where inodes may lie: the root directory lies there in group 0. */
export function firstChunk(geometry: Geometry, group: number): number {
  return alignUp(groupStart(geometry, group), CHUNK_BLOCKS)
}

/** Records of a leaf and keys of a node of the trees of inodes. */
const INOBT_LEAF = (BLOCK_SIZE - ShortBtreeBlock.size) / 16
const INOBT_NODE = Math.floor((BLOCK_SIZE - ShortBtreeBlock.size) / 8)

/** The tree of a group's inodes, so many chunks of them; see `btreeLevels`. */
export function inobtLevels(chunks: number): number[][] {
  return btreeLevels(chunks, Math.floor(INOBT_LEAF), INOBT_NODE)
}

/** Blocks of the tree of a group's inodes besides its root. */
export function inobtBlocks(chunks: number): number {
  return countLevels(inobtLevels(chunks)) - 1
}

/** Counts a block from the start of the filesystem. */
export function linearBlock({ agBlocks }: Geometry, group: number, block: number): number {
  return group * agBlocks + block
}

/** `xfs_fsblock_t`: the group stands in the bits above the block. @param block from the start */
export function fsBlock({ agBlocks, agBlockLog }: Geometry, block: number): number {
  return Math.floor(block / agBlocks) * 2 ** agBlockLog + (block % agBlocks)
}

/** `xfs_daddr_t`: sectors of 512 bytes. @param block from the start of the filesystem */
export function diskAddress(block: number): number {
  return block * (BLOCK_SIZE / 512)
}

/** `sb_imax_pct`: `calc_default_imaxpct`, or more where the inodes are more. */
export function inodePercent({ blockCount }: Geometry, chunks: number): number {
  const size = blockCount * BLOCK_SIZE
  const usual = size < TiB ? 25 : size < 50 * TiB ? 5 : 1
  const needed = Math.ceil((chunks * CHUNK_BLOCKS * 100) / blockCount)
  return needed * 2 <= usual ? usual : Math.min(100, Math.max(usual, needed * 2))
}
