import { sealTail } from './checksum.ts'
import {
  EXT_INIT_MAX_LEN,
  EXT4_EXT_MAGIC,
  EXTENTS_IN_INODE,
  ExtentHeader,
  ExtentIndex,
  ExtentLeaf,
} from './format.ts'

/** Blocks that lie together: in the filesystem (`block` counts from its start) or in a file. */
export interface BlockRun {
  readonly block: number
  readonly length: number
}

/** `length` blocks of a file from its block `logical` on, at block `physical` of the filesystem. */
export interface Extent {
  readonly logical: number
  readonly physical: number
  readonly length: number
}

const ENTRY = ExtentHeader.size
/** `ext4_extent_tail`: the checksum behind the last possible entry of a block. */
const TAIL = 4

/** Entries that fit one block of an extent tree. */
function entriesPerBlock(blockSize: number): number {
  return Math.floor((blockSize - ENTRY - TAIL) / ENTRY)
}

/** Blocks of all runs together. */
export function countBlocks(runs: readonly { readonly length: number }[]): number {
  let total = 0
  for (const { length } of runs) total += length
  return total
}

/** Maps a run of a file onto runs of the filesystem, none longer than an extent may be. */
export function mapRun(extents: Extent[], logical: number, runs: readonly BlockRun[]): void {
  let next = logical
  for (const run of runs) {
    for (let done = 0; done < run.length; ) {
      const length = Math.min(run.length - done, EXT_INIT_MAX_LEN)
      extents.push({ logical: next, physical: run.block + done, length })
      next += length
      done += length
    }
  }
}

/** Blocks that an extent tree needs besides the inode. */
export function extentTreeBlocks(extents: number, blockSize: number): number {
  const capacity = entriesPerBlock(blockSize)
  let total = 0
  for (let entries = extents; entries > EXTENTS_IN_INODE; ) {
    entries = Math.ceil(entries / capacity)
    total += entries
  }
  return total
}

/** One node of an extent tree: a block that is to be written, or `i_block`. */
interface ExtentNode {
  readonly depth: number
  readonly entries: readonly Extent[]
}

/** An extent tree, its lowest level first. */
export interface ExtentTree {
  readonly root: ExtentNode
  readonly blocks: readonly (ExtentNode & { readonly block: number })[]
}

/**
 * Builds the tree over a file's extents, from the leaves up.
 * @param blocks as many blocks of the filesystem as {@link extentTreeBlocks} asked for
 */
export function buildExtentTree(
  extents: readonly Extent[],
  blocks: readonly BlockRun[],
  blockSize: number,
): ExtentTree {
  if (extents.length <= EXTENTS_IN_INODE) return { root: { depth: 0, entries: extents }, blocks: [] }
  const capacity = entriesPerBlock(blockSize)
  const free = blocks.flatMap((run) => Array.from({ length: run.length }, (_, index) => run.block + index))
  const nodes: (ExtentNode & { block: number })[] = []
  let level = extents
  let depth = 0
  for (; level.length > EXTENTS_IN_INODE; depth++) {
    const above: Extent[] = []
    for (let first = 0; first < level.length; first += capacity) {
      const entries = level.slice(first, first + capacity)
      const block = free[nodes.length] as number
      nodes.push({ depth, entries, block })
      above.push({ logical: (entries[0] as Extent).logical, physical: block, length: 0 })
    }
    level = above
  }
  return { root: { depth, entries: level }, blocks: nodes }
}

/** The root of an extent tree as `i_block` holds it. */
export function encodeExtentRoot(node: ExtentNode): Uint8Array {
  const bytes = new Uint8Array(60)
  encodeNode(bytes, node, EXTENTS_IN_INODE)
  return bytes
}

/** One block of an extent tree, sealed with `seed`, the checksum seed of its inode. */
export function encodeExtentBlock(node: ExtentNode, blockSize: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(blockSize)
  const capacity = entriesPerBlock(blockSize)
  encodeNode(bytes, node, capacity)
  sealTail(bytes, ENTRY * (capacity + 1), seed)
  return bytes
}

function encodeNode(bytes: Uint8Array, { depth, entries }: ExtentNode, max: number): void {
  ExtentHeader.write(bytes, 0, { magic: EXT4_EXT_MAGIC, entries: entries.length, max, depth })
  const leaf = ExtentLeaf.at(bytes)
  const index = ExtentIndex.at(bytes)
  let base = ENTRY
  for (const { logical, physical, length } of entries) {
    const [low, high] = [physical % 2 ** 32, Math.floor(physical / 2 ** 32)]
    if (depth === 0) {
      leaf.base = base
      leaf.block = logical
      leaf.len = length
      leaf.startHi = high
      leaf.startLo = low
    } else {
      index.base = base
      index.block = logical
      index.leafLo = low
      index.leafHi = high
    }
    base += ENTRY
  }
}
