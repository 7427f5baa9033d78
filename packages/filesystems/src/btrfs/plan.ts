import { formatSize, GiB } from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import type { DataRun } from '../content/sparse.ts'
import { btrfsError } from './errors.ts'
import type { PlacedExtent } from './extents.ts'
import {
  BTRFS_COMPRESS_NONE,
  BTRFS_MAX_EXTENT_SIZE,
  BTRFS_MAX_UNCOMPRESSED,
  CSUM_SIZE,
  DataExtentItem,
  Item,
  RootItem,
  RootRef,
  TreeBlockItem,
} from './format.ts'
import { isInline, nodeItems } from './fs-tree.ts'
import { type BtrfsNode, type BtrfsRoot, takeInventory } from './inventory.ts'
import { type BtrfsNeeds, type Layout, layoutChunks, smallestDevice } from './layout.ts'
import { createLeafCounter, LEAF_DATA_SIZE, treeBlocks } from './node.ts'
import { type BtrfsSizeOptions, checkRequests, NODE_SIZE, SECTOR_SIZE } from './options.ts'

/** The runs of data of files with holes; all others are full. */
export type SparseRuns = ReadonlyMap<BtrfsNode, readonly DataRun[]>

/** The sectors of a file that lie outside of the tree. */
export function dataRuns({ inode }: BtrfsNode, runs: readonly DataRun[] | undefined): readonly DataRun[] {
  if (inode.type !== 'file' || inode.content.size === 0 || isInline(inode)) return []
  return runs ?? [{ block: 0, length: Math.ceil(inode.content.size / SECTOR_SIZE) }]
}

/** The extents of a file as far as they are known before anything is placed or compressed. */
function* expectedExtents(runs: readonly DataRun[], isCompressed: boolean): Generator<PlacedExtent> {
  const longest = isCompressed ? BTRFS_MAX_UNCOMPRESSED : BTRFS_MAX_EXTENT_SIZE
  for (const run of runs) {
    const bytes = run.length * SECTOR_SIZE
    for (let done = 0; done < bytes; done += longest) {
      const length = Math.min(longest, bytes - done)
      yield {
        fileOffset: run.block * SECTOR_SIZE + done,
        length,
        address: 0,
        diskLength: length,
        compression: BTRFS_COMPRESS_NONE,
      }
    }
  }
}

/** How much room trees of files need, compression not counted: what it saves is known only afterwards. */
function measureNeeds(roots: readonly BtrfsRoot[], sparse: SparseRuns): BtrfsNeeds {
  let data = 0
  let extents = 0
  let blocks = 0
  for (const root of roots) {
    const counter = createLeafCounter()
    for (const node of root.nodes) {
      const runs = dataRuns(node, sparse.get(node))
      const expected = [...expectedExtents(runs, root.codec !== undefined)]
      for (const { size } of nodeItems(root, node, () => expected)) counter.add(size)
      for (const { length } of expected) data += length
      extents += expected.length
    }
    blocks += treeBlocks(counter.leaves)
  }
  // A chunk has up to a tenth of the device, and up to 1 GiB; where one ends, an extent ends as well.
  const chunks = 32 + Math.ceil(data / GiB)
  const small = roots.length * (RootItem.size + 2 * (RootRef.size + 255) + 4 * Item.size) + chunks * 500
  blocks += treeBlocks(leavesOf(small) + 10)
  const checksumBlocks = treeBlocks(leavesOf((data / SECTOR_SIZE) * CSUM_SIZE) + chunks)
  blocks += checksumBlocks
  const references = (extents + chunks) * (Item.size + DataExtentItem.size) + chunks * 49
  const ownBlocks = Item.size + TreeBlockItem.size
  const without = references + blocks * ownBlocks
  const extentBlocks = treeBlocks(leavesOf(without * (1 + (2 * ownBlocks) / LEAF_DATA_SIZE)) + 1)
  return {
    data,
    metadata: (blocks + extentBlocks) * NODE_SIZE,
    reserve: (checksumBlocks + extentBlocks) * NODE_SIZE,
  }
}

/** Leaves that small items of so many bytes take at most. */
function leavesOf(bytes: number): number {
  return Math.ceil(bytes / (LEAF_DATA_SIZE - 100))
}

/**
 * Lays trees of files out on a device.
 * @param size bytes of the device
 * @throws BootableError `BTRFS_NO_SPACE`
 */
export function planLayout(roots: readonly BtrfsRoot[], size: number, sparse: SparseRuns): Layout {
  const needs = measureNeeds(roots, sparse)
  const layout = layoutChunks(size, needs)
  if (layout) return layout
  const minimum = smallestDevice(needs)
  throw btrfsError(
    'BTRFS_NO_SPACE',
    `the tree needs a btrfs of at least ${minimum} bytes (${formatSize(minimum)}) for ${formatSize(needs.data)} of data, the device has ${size} bytes (${formatSize(size)})`,
    {
      details: { minimum, size, data: needs.data },
      hint: `give the filesystem ${minimum - size} bytes more`,
    },
  )
}

/** What {@link measureBtrfs} answers. */
export interface BtrfsMeasure {
  /** Bytes of the smallest device that takes the tree. */
  readonly minimumSize: number
}

/**
 * How large a device has to be for a tree. Pure arithmetic: nothing is read, so holes in sparse files count
 * as data, and files that will be compressed count as if they were not. `writeBtrfs` with the same options
 * succeeds on a device of exactly that size, and the kernel can change things in it.
 *
 * @throws BootableError for a tree that no btrfs can hold, or a wrong option
 */
export function measureBtrfs(tree: FileTree, options: BtrfsSizeOptions = {}): BtrfsMeasure {
  const roots = takeInventory(tree, checkRequests(options))
  return { minimumSize: smallestDevice(measureNeeds(roots, new Map())) }
}
