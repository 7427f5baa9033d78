import { formatSize } from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import { xfsError } from './errors.ts'
import { type Inventory, takeInventory } from './inventory.ts'
import {
  BLOCK_SIZE,
  type Geometry,
  groupLength,
  groupReserve,
  groupStart,
  layoutGeometry,
  MINIMUM_SIZE,
} from './layout.ts'
import { checkSizes, type XfsSizeOptions, type XfsSizes } from './options.ts'
import { type Placement, placeContents, type SparseRuns } from './placement.ts'

/** A filesystem with every position decided; writing it needs no further choice. */
export interface XfsPlan {
  readonly geometry: Geometry
  readonly inventory: Inventory
  readonly placement: Placement
}

/**
 * Lays a tree out on a device.
 * @param size bytes of the device
 * @throws BootableError `XFS_NO_SPACE`; `XFS_OPTION_INVALID` for groups without room for the log
 */
export function planXfs(inventory: Inventory, size: number, sizes: XfsSizes, sparse: SparseRuns): XfsPlan {
  const geometry = layoutGeometry(size, sizes.sectorSize, sizes.agCount)
  if (!geometry && size >= MINIMUM_SIZE) throw groupsError(size, sizes)
  const placement = geometry && placeContents(inventory, geometry, sparse)
  if (geometry && placement) return { geometry, inventory, placement }

  const minimum = minimumSize(inventory, sizes, sparse)
  const inodes = inventory.nodes.length
  const needs = `the tree needs an XFS of at least ${minimum} bytes (${formatSize(minimum)}) for its ${inodes} inodes`
  throw xfsError('XFS_NO_SPACE', `${needs}, the device has ${size} bytes (${formatSize(size)})`, {
    details: { minimum, size, inodes },
    hint: `give the filesystem ${minimum - size} bytes more`,
  })
}

function groupsError(size: number, { agCount }: XfsSizes): Error {
  return xfsError(
    'XFS_OPTION_INVALID',
    `agCount ${agCount}: groups of a device of ${size} bytes (${formatSize(size)}) must have between 65 MiB and 1 TiB`,
    { details: { option: 'agCount', value: agCount, size } },
  )
}

/** Bytes of a device on which anything fits that this code can count. */
const AMPLE = 2 ** 52
/** Blocks by which a size grows that was just too small: a chunk of inodes. */
const STEP = 8

/** Bytes of the smallest device that takes the inventory. */
function minimumSize(inventory: Inventory, sizes: XfsSizes, sparse: SparseRuns): number {
  const layoutOf = (blocks: number): Geometry | undefined =>
    layoutGeometry(blocks * BLOCK_SIZE, sizes.sectorSize, sizes.agCount)
  const fits = (blocks: number): boolean => {
    const geometry = layoutOf(blocks)
    return geometry !== undefined && placeContents(inventory, geometry, sparse) !== undefined
  }
  // Where there is room enough, the contents take their least; groups and their borders add a few blocks.
  const needed = placeContents(inventory, ampleGeometry(sizes), sparse)?.taken ?? 0
  const hasRoom = (blocks: number): boolean => {
    const geometry = layoutOf(blocks)
    return geometry !== undefined && availableBlocks(geometry) >= needed
  }
  let low = MINIMUM_SIZE / BLOCK_SIZE - 1
  let high = low + 1
  while (!hasRoom(high)) {
    low = high
    high *= 2
    if (high * BLOCK_SIZE > AMPLE) throw groupsError(high, sizes)
  }
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (hasRoom(middle)) high = middle
    else low = middle
  }
  while (!fits(high)) high += STEP
  return high * BLOCK_SIZE
}

function ampleGeometry({ sectorSize }: XfsSizes): Geometry {
  return layoutGeometry(AMPLE, sectorSize, undefined) as Geometry
}

/** Blocks that contents can have, when nothing has been taken yet. */
function availableBlocks(geometry: Geometry): number {
  let blocks = 0
  for (let group = 0; group < geometry.agCount; group++) {
    const used = groupStart(geometry, group) + groupReserve(geometry, group)
    blocks += groupLength(geometry, group) - used
  }
  return blocks
}

/** What {@link measureXfs} answers. */
export interface XfsMeasure {
  /** Bytes of the smallest device that takes the tree, at least 300 MiB. */
  readonly minimumSize: number
}

/**
 * How large a device has to be for a tree. Pure arithmetic: nothing is read, so holes in sparse files
 * count as data; all other files are exact. `writeXfs` with the same options succeeds on a device of
 * exactly that size, with nothing free but what the kernel sets aside.
 *
 * @throws BootableError for a tree that no XFS can hold, or a wrong option
 */
export function measureXfs(tree: FileTree, options: XfsSizeOptions = {}): XfsMeasure {
  return { minimumSize: minimumSize(takeInventory(tree), checkSizes(options), new Map()) }
}
