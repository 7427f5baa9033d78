import { formatSize } from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import { availableBlocks } from './allocation.ts'
import { ext4Error } from './errors.ts'
import { countBlocks, extentTreeBlocks } from './extents.ts'
import { type Inventory, takeInventory } from './inventory.ts'
import { defaultInodeRatio, defaultJournalBlocks, type Geometry, layoutGeometry } from './layout.ts'
import { checkSizes, type Ext4SizeOptions, type Ext4Sizes } from './options.ts'
import { type Placement, placeContents, type SparseRuns } from './placement.ts'

/** A filesystem with every position decided; writing it needs no further choice. */
export interface Ext4Plan {
  readonly geometry: Geometry
  readonly inventory: Inventory
  readonly placement: Placement
  readonly journalBlocks: number
}

/** The least journal that the kernel accepts (`JBD2_MIN_JOURNAL_BLOCKS`). */
const MIN_JOURNAL = 1024
/** mke2fs makes no journal below so many blocks. */
const MIN_JOURNALED = 2048

/** Inodes that a tree needs, with one spare for sixteen so that the system can go on creating files. */
function neededInodes({ lastInode }: Inventory): number {
  return lastInode + Math.ceil(lastInode / 16)
}

/**
 * Lays a tree out on a device: as mke2fs would where it fits, with a smaller journal and then fewer
 * inodes where it does not.
 *
 * @param size bytes of the device
 * @throws BootableError `EXT4_NO_SPACE`
 */
export function planExt4(inventory: Inventory, size: number, sizes: Ext4Sizes, sparse: SparseRuns): Ext4Plan {
  const { blockSize } = sizes
  for (const [journalBlocks, inodes] of candidates(inventory, size, sizes)) {
    const geometry = layoutGeometry(size, blockSize, inodes)
    if (!geometry || inodesOf(geometry) < Math.max(inventory.lastInode, sizes.inodeCount ?? 0)) continue
    const placement = placeContents(inventory, geometry, journalBlocks, sparse)
    if (placement) return { geometry, inventory, placement, journalBlocks }
  }
  const minimum = minimumSize(inventory, sizes, sparse)
  throw ext4Error(
    'EXT4_NO_SPACE',
    `the tree needs an ext4 of at least ${minimum} bytes (${formatSize(minimum)}) for its ${inventory.nodes.length} inodes, the device has ${size} bytes (${formatSize(size)})`,
    {
      details: { minimum, size, inodes: inventory.nodes.length },
      hint: `give the filesystem ${minimum - size} bytes more`,
    },
  )
}

function inodesOf({ inodesPerGroup, groupCount }: Geometry): number {
  return inodesPerGroup * groupCount
}

/** Journal and inodes to try, the most generous first. */
function* candidates(
  inventory: Inventory,
  size: number,
  { blockSize, inodeCount, inodeRatio, journalBlocks }: Ext4Sizes,
): Generator<[journalBlocks: number, inodes: number]> {
  const least = neededInodes(inventory)
  const usual = inodeCount ?? Math.max(Math.ceil(size / (inodeRatio ?? defaultInodeRatio(size))), least)
  const journal = journalBlocks ?? defaultJournalBlocks(Math.floor(size / blockSize))
  yield [journal, usual]
  if (journalBlocks === undefined) {
    for (let smaller = journal / 4; smaller >= MIN_JOURNAL; smaller /= 4) yield [Math.floor(smaller), usual]
  }
  if (inodeCount !== undefined) return
  const smallest = Math.min(journal, journalBlocks ?? MIN_JOURNAL)
  for (let fewer = usual / 2; fewer > least; fewer /= 2) yield [smallest, Math.floor(fewer)]
  yield [smallest, least]
}

/** Bytes of the smallest device that takes the inventory. */
function minimumSize(inventory: Inventory, sizes: Ext4Sizes, sparse: SparseRuns): number {
  const { blockSize } = sizes
  const journal = sizes.journalBlocks ?? MIN_JOURNAL
  const inodes = sizes.inodeCount ?? neededInodes(inventory)
  const content = inventory.nodes.reduce((sum, node) => {
    const runs = sparse.get(node)
    const blocks = runs ? countBlocks(runs) : node.blocks
    const tree = runs ? extentTreeBlocks(runs.length, blockSize) : 0
    return sum + blocks + tree + (node.xattrs.block ? 1 : 0)
  }, journal + 1)

  const step = 16
  let blocks = Math.max(content + step, sizes.journalBlocks === undefined ? MIN_JOURNALED : 1)
  for (;;) {
    const size = blocks * blockSize
    const geometry = layoutGeometry(size, blockSize, inodes)
    const hasInodes = geometry !== undefined && inodesOf(geometry) >= inodes
    const missing = hasInodes
      ? content - availableBlocks(geometry)
      : Math.ceil(inodes / (blockSize / 256) / 2)
    const fits = hasInodes && missing <= 0 && placeContents(inventory, geometry, journal, sparse)
    if (fits) return size
    blocks += Math.max(missing, step)
  }
}

/** What {@link measureExt4} answers. */
export interface Ext4Measure {
  /** Bytes of the smallest device that takes the tree. */
  readonly minimumSize: number
}

/**
 * How large a device has to be for a tree. Pure arithmetic: nothing is read, so holes in sparse files
 * count as data; all other files are exact. `writeExt4` with the same options succeeds on a device of
 * exactly that size, with a journal of 1024 blocks, hardly a spare inode and no free block to speak of.
 *
 * @throws BootableError for a tree that no ext4 can hold, or a wrong option
 */
export function measureExt4(tree: FileTree, options: Ext4SizeOptions = {}): Ext4Measure {
  const sizes = checkSizes(options)
  const inventory = takeInventory(tree, sizes.blockSize)
  return { minimumSize: minimumSize(inventory, sizes, new Map()) }
}
