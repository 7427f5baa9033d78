import { btrfsFormatError } from './errors.ts'
import {
  type BlockPointer,
  compareKeys,
  leafItems,
  nodePointers,
  type ReadItem,
  type ReadKey,
  type TreeBlock,
} from './leaf.ts'
import type { TreeRoot } from './superblock.ts'
import { readBlocks, type Volume } from './volume.ts'

/** How many blocks may still be read: what a hostile filesystem can make a reader do is bounded. */
export interface BlockBudget {
  left: number
}

/** Blocks of all trees together: 16 GiB of them, which no filesystem of one machine's files comes near. */
const MAX_BLOCKS = 2 ** 20
/** Blocks read at a time. */
const BATCH = 256

export function createBudget(): BlockBudget {
  return { left: MAX_BLOCKS }
}

/** All leaves of a tree in the order of their keys, a batch at a time. @throws FormatError */
export async function* scanTree(
  volume: Volume,
  root: TreeRoot,
  budget: BlockBudget,
): AsyncGenerator<TreeBlock[]> {
  for (const batch of batches(await leafPointers(volume, root, budget))) {
    yield await readBlocks(volume, batch)
  }
}

/** Where the leaves of a tree lie, in order: all levels above them are read. @throws FormatError */
export async function leafPointers(
  volume: Volume,
  root: TreeRoot,
  budget: BlockBudget,
): Promise<BlockPointer[]> {
  const claims = new Set<number>()
  let level: BlockPointer[] = [{ ...root, key: undefined }]
  claim(level, claims, budget)
  for (let height = root.level; height > 0; height--) {
    const below: BlockPointer[] = []
    for (const batch of batches(level)) {
      for (const block of await readBlocks(volume, batch)) {
        const pointers = nodePointers(block)
        claim(pointers, claims, budget)
        below.push(...pointers)
      }
    }
    level = below
  }
  return level
}

function claim(pointers: readonly BlockPointer[], claims: Set<number>, budget: BlockBudget): void {
  for (const { address } of pointers) {
    if (claims.has(address)) {
      throw btrfsFormatError('FORMAT_INVALID', 'tree', 'a block is led to twice', address)
    }
    claims.add(address)
    if (--budget.left < 0) {
      throw btrfsFormatError('FORMAT_UNSUPPORTED', 'tree', `the trees have more than ${MAX_BLOCKS} blocks`)
    }
  }
}

function* batches<T>(list: readonly T[]): Generator<T[]> {
  for (let first = 0; first < list.length; first += BATCH) yield list.slice(first, first + BATCH)
}

/**
 * The first item whose key is not below the given one, as far as it stands in the leaf where that key
 * belongs or at the start of the next one. @throws FormatError
 */
export async function findItem(volume: Volume, root: TreeRoot, key: ReadKey): Promise<ReadItem | undefined> {
  let pointer: BlockPointer = { ...root, key: undefined }
  let next: BlockPointer | undefined
  for (;;) {
    const [block] = (await readBlocks(volume, [pointer])) as [TreeBlock]
    if (pointer.level === 0) {
      for (const item of leafItems(block)) if (compareKeys(item, key) >= 0) return item
      if (!next) return undefined
      // Leftmost from here on: every key of that branch is above the one that was asked for.
      pointer = next
      next = undefined
      continue
    }
    const pointers = nodePointers(block)
    let index = pointers.length - 1
    while (index > 0 && compareKeys(pointers[index]?.key as ReadKey, key) > 0) index--
    pointer = pointers[index] as BlockPointer
    next = pointers[index + 1] ?? next
  }
}
