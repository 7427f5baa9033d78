import type { ByteRange } from '@bootable/bytes'
import { freeSpaceItems } from './device-trees.ts'
import { type Allocations, extentTreeItems } from './extent-tree.ts'
import * as btrfs from './format.ts'
import type { Allocator } from './layout.ts'
import { createLeafCounter, levelCounts, type TreeItem } from './node.ts'
import type { BlockRecord, NodeStore } from './node-store.ts'
import { NODE_SIZE } from './options.ts'
import { type BuiltTree, buildTree } from './tree-builder.ts'

/** What is known when all other trees are written. */
export interface ClosingContext extends Pick<Allocations, 'chunks' | 'extents'> {
  readonly store: NodeStore
  readonly metadata: Allocator
  /** In use besides tree blocks of `metadata`: contents and the chunk tree. */
  readonly otherwiseUsed: readonly ByteRange[]
  /** The items of the root tree, given the trees that are closing. Their sizes depend on nothing. */
  rootItems(extent: BuiltTree, freeSpace: BuiltTree): Iterable<TreeItem>
}

/** The last trees of a filesystem. */
export interface ClosingTrees {
  readonly extent: BuiltTree
  readonly freeSpace: BuiltTree
  readonly root: BuiltTree
  /** Bytes in use, in one copy. */
  readonly bytesUsed: number
}

const NOWHERE: BuiltTree = { address: 0, level: 0, blocks: 0 }

/**
 * Writes the free space tree, the extent tree and the root tree. The first two describe where all three of
 * them lie, so their sizes are found out beforehand: they start at one leaf each and grow until what has to
 * be described stays the same.
 */
export async function closeTrees(context: ClosingContext): Promise<ClosingTrees> {
  const { store, metadata, chunks, extents, rootItems } = context
  const rootLeaves = countLeaves(rootItems(NOWHERE, NOWHERE))
  let leaves = { extent: 1, freeSpace: 1 }
  for (;;) {
    const planned = metadata.fork()
    const blocks = [
      ...store.records,
      ...planBlocks(btrfs.BTRFS_FREE_SPACE_TREE_OBJECTID, leaves.freeSpace, planned),
      ...planBlocks(btrfs.BTRFS_EXTENT_TREE_OBJECTID, leaves.extent, planned),
      ...planBlocks(btrfs.BTRFS_ROOT_TREE_OBJECTID, rootLeaves, planned),
    ].sort((a, b) => a.address - b.address)
    const used = [...context.otherwiseUsed, ...planned.used()].sort((a, b) => a.offset - b.offset)
    const extentItems = (): Iterable<TreeItem> => extentTreeItems({ chunks, extents, blocks, used })
    const needed = {
      extent: countLeaves(extentItems()),
      freeSpace: countLeaves(freeSpaceItems(chunks, used)),
    }
    if (needed.extent > leaves.extent || needed.freeSpace > leaves.freeSpace) {
      leaves = {
        extent: Math.max(needed.extent, leaves.extent),
        freeSpace: Math.max(needed.freeSpace, leaves.freeSpace),
      }
      continue
    }
    const build = (owner: number, items: Iterable<TreeItem>): Promise<BuiltTree> =>
      buildTree(owner, items, store, metadata)
    const freeSpace = await build(btrfs.BTRFS_FREE_SPACE_TREE_OBJECTID, freeSpaceItems(chunks, used))
    const extent = await build(btrfs.BTRFS_EXTENT_TREE_OBJECTID, extentItems())
    const root = await build(btrfs.BTRFS_ROOT_TREE_OBJECTID, rootItems(extent, freeSpace))
    return { extent, freeSpace, root, bytesUsed: used.reduce((sum, { length }) => sum + length, 0) }
  }
}

function countLeaves(items: Iterable<TreeItem>): number {
  const counter = createLeafCounter()
  for (const { size } of items) counter.add(size)
  return counter.leaves
}

/** The blocks that {@link buildTree} will open for a tree with so many leaves. */
function planBlocks(owner: number, leaves: number, allocator: Allocator): BlockRecord[] {
  return levelCounts(leaves).flatMap((count, level) =>
    Array.from({ length: count }, () => ({ address: allocator.take(NODE_SIZE), level, owner })),
  )
}
