import { directoryRuns } from './directory.ts'
import { type BlockRun, countBlocks, type Extent, extentTreeBlocks, mapRuns } from './extents.ts'
import { FORK_BYTES } from './forks.ts'
import { XFS_INODES_PER_CHUNK } from './format.ts'
import type { Inventory, XfsNode } from './inventory.ts'
import * as layout from './layout.ts'

/** The blocks of one fork of an inode. */
export interface PlacedFork {
  readonly extents: readonly Extent[]
  /** Blocks of the tree of extents, from the start of the device; none where the inode holds them. */
  readonly tree: readonly number[]
}

/** Chunks of inodes that lie together. */
export interface ChunkRun {
  readonly group: number
  /** First block, counted from the start of the group. */
  readonly block: number
  readonly chunks: number
  /** Ordinal of the first inode. */
  readonly ordinal: number
  /** Blocks of the group's tree of inodes besides its root; they follow the inodes. */
  readonly treeBlocks: number
}

/** Where everything lies that is not part of the geometry. */
export interface Placement {
  /** One for each group that has inodes. */
  readonly chunkRuns: readonly ChunkRun[]
  readonly chunks: number
  /** By position in the inventory; `undefined` for inodes without blocks. */
  readonly data: readonly (PlacedFork | undefined)[]
  readonly attributes: ReadonlyMap<XfsNode, PlacedFork>
  /** Free blocks of every group, counted from its start, ascending. */
  readonly free: readonly (readonly BlockRun[])[]
  /** Blocks in use by inodes, their trees and contents. */
  readonly taken: number
}

/** The runs of data in a sparse file, in blocks of the file; files not listed are data throughout. */
export type SparseRuns = ReadonlyMap<XfsNode, readonly BlockRun[]>

/**
 * Gives every inode its place and its blocks, in the order in which they will be written: inodes,
 * directories, attributes, links, files in the order of the tree. Groups are filled one after the other up
 * to what the kernel sets aside; each file lies in one piece as far as the groups let it.
 *
 * @returns `undefined` where the filesystem is too small
 */
export function placeContents(
  { nodes, inodes }: Inventory,
  geometry: layout.Geometry,
  sparse: SparseRuns,
): Placement | undefined {
  const chunks = Math.ceil(inodes / XFS_INODES_PER_CHUNK)
  const chunkRuns = placeInodes(geometry, chunks)
  if (!chunkRuns) return undefined
  const allocator = createAllocator(geometry, chunkRuns)
  const data = new Array<PlacedFork | undefined>(nodes.length)
  const attributes = new Map<XfsNode, PlacedFork>()
  let isFull = false

  function take(count: number): BlockRun[] {
    const runs = isFull ? undefined : allocator.take(count)
    if (!runs) isFull = true
    return runs ?? []
  }
  function place(runs: readonly BlockRun[], area: number): PlacedFork {
    const extents: Extent[] = []
    for (const { block, length } of runs) mapRuns(extents, block, take(length))
    return { extents, tree: blockNumbers(take(extentTreeBlocks(extents.length, area))) }
  }
  function placeAll(
    type: XfsNode['inode']['type'],
    runsOf: (node: XfsNode) => readonly BlockRun[] | undefined,
  ): void {
    for (const [index, node] of nodes.entries()) {
      const runs = node.inode.type === type ? runsOf(node) : undefined
      if (runs && runs.length > 0) data[index] = place(runs, node.forks.area)
    }
  }

  placeAll('directory', ({ directory }) => directory && directoryRuns(directory.plan))
  for (const node of nodes) {
    const { tree, area } = node.forks
    if (tree) attributes.set(node, place([{ block: 0, length: tree.blocks }], FORK_BYTES - area))
  }
  const whole = ({ blocks }: XfsNode): BlockRun[] | undefined =>
    blocks > 0 ? [{ block: 0, length: blocks }] : undefined
  placeAll('symlink', whole)
  placeAll('file', (node) => sparse.get(node) ?? whole(node))
  if (isFull) return undefined
  const inodeBlocks = chunkRuns.reduce(
    (sum, run) => sum + run.chunks * layout.CHUNK_BLOCKS + run.treeBlocks,
    0,
  )
  return { chunkRuns, chunks, data, attributes, free: allocator.free(), taken: allocator.taken + inodeBlocks }
}

function blockNumbers(runs: readonly BlockRun[]): number[] {
  return runs.flatMap(({ block, length }) => Array.from({ length }, (_, index) => block + index))
}

function placeInodes(geometry: layout.Geometry, chunks: number): ChunkRun[] | undefined {
  const runs: ChunkRun[] = []
  let left = chunks
  for (let group = 0; left > 0; group++) {
    if (group === geometry.agCount) return undefined
    const block = layout.firstChunk(geometry, group)
    const room = groupEnd(geometry, group) - block
    let count = Math.max(0, Math.min(left, Math.floor(room / layout.CHUNK_BLOCKS)))
    while (count > 0 && count * layout.CHUNK_BLOCKS + layout.inobtBlocks(count) > room) count--
    if (count === 0) continue
    const ordinal = (chunks - left) * XFS_INODES_PER_CHUNK
    runs.push({ group, block, chunks: count, ordinal, treeBlocks: layout.inobtBlocks(count) })
    left -= count
  }
  return runs
}

/** The first block of a group that stays free for the kernel. */
function groupEnd(geometry: layout.Geometry, group: number): number {
  return layout.groupLength(geometry, group) - layout.groupReserve(geometry, group)
}

/** Hands out the blocks of a filesystem in ascending order. */
interface Allocator {
  /** `count` blocks from the start of the device, or `undefined` once they have run out. */
  take(count: number): BlockRun[] | undefined
  /** Blocks taken so far. */
  readonly taken: number
  /** What is left of every group. */
  free(): BlockRun[][]
}

function createAllocator(geometry: layout.Geometry, chunkRuns: readonly ChunkRun[]): Allocator {
  const inodesEnd = new Map(
    chunkRuns.map((run) => [run.group, run.block + run.chunks * layout.CHUNK_BLOCKS + run.treeBlocks]),
  )
  const start = (group: number): number => inodesEnd.get(group) ?? layout.groupStart(geometry, group)
  const positions = new Map<number, number>()
  let group = 0
  let position = start(0)
  let taken = 0

  return {
    get taken() {
      return taken
    },
    take(count) {
      const runs: BlockRun[] = []
      for (let missing = count; missing > 0; ) {
        const length = Math.min(missing, groupEnd(geometry, group) - position)
        if (length > 0) {
          runs.push({ block: layout.linearBlock(geometry, group, position), length })
          position += length
          missing -= length
          continue
        }
        if (group + 1 === geometry.agCount) return undefined
        positions.set(group, position)
        position = start(++group)
      }
      taken += count
      return runs
    },
    free() {
      positions.set(group, position)
      return Array.from({ length: geometry.agCount }, (_, index) => {
        const first = layout.groupStart(geometry, index)
        const gap = inodesEnd.has(index) ? layout.firstChunk(geometry, index) - first : 0
        const rest = positions.get(index) ?? start(index)
        return [
          { block: first, length: gap },
          { block: rest, length: layout.groupLength(geometry, index) - rest },
        ].filter(({ length }) => length > 0)
      })
    },
  }
}

/** Finds the number of an inode by its ordinal. */
export function createNumbering(
  { agBlockLog }: layout.Geometry,
  { chunkRuns }: Placement,
): (ordinal: number) => number {
  const bits = agBlockLog + Math.log2(layout.INODES_PER_BLOCK)
  const bases = chunkRuns.map(({ group, block, ordinal }) => ({
    ordinal,
    base: group * 2 ** bits + block * layout.INODES_PER_BLOCK - ordinal,
  }))
  return (ordinal) => {
    let last = bases.length - 1
    while (last > 0 && (bases[last] as { ordinal: number }).ordinal > ordinal) last--
    return (bases[last] as { base: number }).base + ordinal
  }
}

/** Where a block of a fork lies, from the start of the device. */
export function blockAddress({ extents }: PlacedFork, logical: number): number {
  const extent = extents.find((one) => logical >= one.logical && logical < one.logical + one.length)
  if (!extent) throw new RangeError(`block ${logical} has no place`)
  return extent.physical + logical - extent.logical
}

/** Blocks of a fork, those of its tree with them. */
export function forkBlocks(fork: PlacedFork | undefined): number {
  return fork ? countBlocks(fork.extents) + fork.tree.length : 0
}
