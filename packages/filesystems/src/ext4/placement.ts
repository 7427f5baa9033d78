import { createAllocator } from './allocation.ts'
import { type BlockRun, type Extent, extentTreeBlocks, mapRun } from './extents.ts'
import type { Ext4Node, Inventory } from './inventory.ts'
import type { Geometry } from './layout.ts'

/** Where the content of one inode lies. */
export interface PlacedContent {
  readonly extents: readonly Extent[]
  /** Blocks of its extent tree, behind its content. */
  readonly tree: readonly BlockRun[]
}

/** Where everything lies that is not part of the geometry. */
export interface Placement {
  /** By position in the inventory; `undefined` for inodes without blocks. */
  readonly contents: readonly (PlacedContent | undefined)[]
  /** Blocks of extended attributes. */
  readonly xattrBlocks: ReadonlyMap<Ext4Node, number>
  readonly journal: PlacedContent | undefined
  /** The double indirect block of the resize inode; `undefined` where nothing is reserved. */
  readonly resizeIndirect: number | undefined
  /** The first block never taken: everything before it is in use, behind it only metadata. */
  readonly end: number
  /** Blocks taken besides the geometry's metadata. */
  readonly taken: number
}

/** The runs of data in a sparse file, in blocks of the file; files not listed are data throughout. */
export type SparseRuns = ReadonlyMap<Ext4Node, readonly BlockRun[]>

/**
 * Gives every inode its blocks, in the order in which they will be written: directories, attributes,
 * links, the journal, files in the order of the tree. Each file lies in one piece, as far as the groups'
 * metadata leaves one.
 *
 * @returns `undefined` where the filesystem is too small
 */
export function placeContents(
  { nodes }: Inventory,
  geometry: Geometry,
  journalBlocks: number,
  sparse: SparseRuns,
): Placement | undefined {
  const allocator = createAllocator(geometry)
  const contents = new Array<PlacedContent | undefined>(nodes.length)
  const xattrBlocks = new Map<Ext4Node, number>()
  let isFull = false

  function take(count: number): BlockRun[] {
    const runs = isFull ? undefined : allocator.take(count)
    if (!runs) isFull = true
    return runs ?? []
  }
  function place(runs: readonly BlockRun[]): PlacedContent {
    const extents: Extent[] = []
    for (const { block, length } of runs) mapRun(extents, block, take(length))
    return { extents, tree: take(extentTreeBlocks(extents.length, geometry.blockSize)) }
  }
  function placeAll(type: Ext4Node['inode']['type']): void {
    for (const [index, node] of nodes.entries()) {
      if (node.blocks === 0 || node.inode.type !== type) continue
      contents[index] = place(sparse.get(node) ?? [{ block: 0, length: node.blocks }])
    }
  }

  const resizeIndirect = geometry.reservedDescriptorBlocks > 0 ? take(1)[0]?.block : undefined
  placeAll('directory')
  for (const node of nodes) {
    if (node.xattrs.block) xattrBlocks.set(node, take(1)[0]?.block ?? 0)
  }
  placeAll('symlink')
  const journal = journalBlocks > 0 ? place([{ block: 0, length: journalBlocks }]) : undefined
  placeAll('file')
  if (isFull) return undefined
  const { position: end, taken } = allocator
  return { contents, xattrBlocks, journal, resizeIndirect, end, taken }
}
