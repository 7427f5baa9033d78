import { btreeLevels, countLevels } from './btree.ts'
import { seal } from './checksum.ts'
import { DaHeader, DaNodeEntry, XFS_DA3_NODE_MAGIC } from './da-format.ts'
import { BLOCK_SIZE, diskAddress } from './layout.ts'

/*
 * The tree of hashes that directories and attributes share (`xfs_da_btree.c`). Its root stands in the first
 * of its blocks; here the other nodes follow, and then the leaves.
 */

/** An inode's blocks while they are encoded. */
export interface BlockOwner {
  /** Inode number. */
  readonly number: number
  /** Of the filesystem. */
  readonly uuid: Uint8Array
  /** Where a block of the fork lies, from the start of the device. */
  address(logical: number): number
}

/** The shape of a tree. */
export interface DaTree {
  /** Children of every node of every level, the level above the leaves first; none over a single leaf. */
  readonly levels: readonly (readonly number[])[]
  readonly leaves: number
  /** Blocks of nodes and leaves. */
  readonly blocks: number
}

/** Hashes that a node leads to. */
const NODE_ROOM = (BLOCK_SIZE - DaHeader.size) / DaNodeEntry.size

export function planDaTree(leaves: number): DaTree {
  const levels = leaves === 1 ? [] : btreeLevels(leaves, NODE_ROOM, NODE_ROOM)
  return { levels, leaves, blocks: leaves + countLevels(levels) }
}

/** Where a leaf stands among the blocks of the tree. */
export function leafPlace({ blocks, leaves }: DaTree, index: number): number {
  return blocks - leaves + index
}

/** `forw` and `back` of a block among those of its level; 0 is none. */
export function siblings(first: number, count: number, index: number): { forw: number; back: number } {
  return {
    forw: index + 1 < count ? first + index + 1 : 0,
    back: index > 0 ? first + index - 1 : 0,
  }
}

/**
 * Writes the nodes of a tree, sealed.
 * @param bytes the blocks of the tree; @param base logical block of the first
 * @param hashes the greatest hash of every leaf
 */
export function writeDaNodes(
  bytes: Uint8Array,
  base: number,
  tree: DaTree,
  hashes: readonly number[],
  owner: BlockOwner,
): void {
  let below = hashes.map((hash, index) => ({ hash, place: leafPlace(tree, index) }))
  let end = tree.blocks - tree.leaves
  for (const [index, counts] of tree.levels.entries()) {
    const start = end - counts.length
    let first = 0
    const made: typeof below = []
    for (const [node, count] of counts.entries()) {
      const place = start + node
      const block = bytes.subarray(place * BLOCK_SIZE, (place + 1) * BLOCK_SIZE)
      const children = below.slice(first, first + count)
      DaHeader.write(block, 0, {
        ...siblings(base + start, counts.length, node),
        magic: XFS_DA3_NODE_MAGIC,
        blkno: diskAddress(owner.address(base + place)),
        uuid: owner.uuid,
        owner: owner.number,
        count,
        level: index + 1,
      })
      for (const [child, { hash, place: before }] of children.entries()) {
        const at = DaHeader.size + child * DaNodeEntry.size
        DaNodeEntry.write(block, at, { hashval: hash, before: base + before })
      }
      seal(block, DaHeader.fields.crc.offset)
      made.push({ hash: children[children.length - 1]?.hash ?? 0, place })
      first += count
    }
    below = made
    end = start
  }
}
