import { Header, Item, KeyPointer } from './format.ts'
import { NODE_SIZE } from './options.ts'

/** Bytes of a leaf for items and their data (`BTRFS_LEAF_DATA_SIZE`). */
export const LEAF_DATA_SIZE = NODE_SIZE - Header.size
/** The largest item that a leaf can hold (`BTRFS_MAX_ITEM_SIZE`). */
export const MAX_ITEM_SIZE = LEAF_DATA_SIZE - Item.size
/** Pointers of an inner node (`BTRFS_NODEPTRS_PER_BLOCK`). */
export const POINTERS_PER_NODE = Math.floor(LEAF_DATA_SIZE / KeyPointer.size)

/** Generation of everything that the writer makes: the first transaction of the filesystem. */
export const GENERATION = 1
/** The same for fields that may hold anything. */
export const TRANSACTION = 1n

/** An item of a tree before it has a place. */
export interface TreeItem {
  /** Numbers for what is small, bigints for the few ids at the upper end of 64 bits. */
  readonly objectid: number | bigint
  readonly type: number
  readonly offset: number | bigint
  /** Bytes of its data. */
  readonly size: number
  /** Writes the data at `at` of a leaf, where all bytes are zero. */
  write(leaf: Uint8Array, at: number): void
}

/** An item whose data is at hand. */
export function itemOf(
  objectid: number | bigint,
  type: number,
  offset: number | bigint,
  data: Uint8Array,
): TreeItem {
  return { objectid, type, offset, size: data.length, write: (leaf, at) => leaf.set(data, at) }
}

/** Tells how many leaves items take when they are packed one behind the other. */
export interface LeafCounter {
  readonly leaves: number
  /** Items come in the order of their keys. */
  add(size: number): void
}

/** Even a tree without items has a leaf. */
export function createLeafCounter(): LeafCounter {
  let leaves = 1
  let free = LEAF_DATA_SIZE
  return {
    get leaves() {
      return leaves
    },
    add(size) {
      const taken = Item.size + size
      if (taken > free) {
        leaves++
        free = LEAF_DATA_SIZE
      }
      free -= taken
    },
  }
}

/** Blocks of a tree on each level, leaves first, given the number of leaves. */
export function levelCounts(leaves: number): number[] {
  const counts = [leaves]
  for (let count = leaves; count > 1; ) {
    count = Math.ceil(count / POINTERS_PER_NODE)
    counts.push(count)
  }
  return counts
}

/** Blocks of a tree with so many leaves. */
export function treeBlocks(leaves: number): number {
  return levelCounts(leaves).reduce((sum, count) => sum + count, 0)
}
