import { seal } from './checksum.ts'
import type { BlockRun } from './extents.ts'
import * as xfs from './format.ts'
import * as layout from './layout.ts'
import type { ChunkRun } from './placement.ts'
import type { XfsPlan } from './plan.ts'
import { encodeSuperblock, type SuperblockFacts } from './superblock-encode.ts'

/** Blocks of an allocation group that lie together. */
export interface GroupBlocks {
  /** First block, counted from the start of the group. */
  readonly block: number
  readonly bytes: Uint8Array
}

/**
 * What stands at the start of a group: a copy of the superblock, the headers of free space and inodes, the
 * list of blocks set aside, and the roots of the group's trees. In group 0 the superblock is left out.
 */
export function encodeGroupHead(plan: XfsPlan, facts: SuperblockFacts, group: number): GroupBlocks {
  const { geometry, placement } = plan
  const { sectorSize, roots, headBlocks } = geometry
  const { uuid } = facts.identity
  const bytes = new Uint8Array(headBlocks * layout.BLOCK_SIZE)
  const sector = (index: number): Uint8Array => bytes.subarray(index * sectorSize, (index + 1) * sectorSize)
  const free = placement.free[group] as readonly BlockRun[]
  const inodes = placement.chunkRuns.find((run) => run.group === group)

  if (group > 0) sector(0).set(encodeSuperblock(plan, facts, group))
  writeFreeSpaceHeader(sector(1), geometry, group, free, uuid)
  writeInodeHeader(sector(2), plan, group, inodes, uuid)
  writeFreeList(sector(3), geometry, group, uuid)

  const put = (root: number, magic: number, records: Uint8Array, count: number): void => {
    const linear = layout.linearBlock(geometry, group, root)
    const block = encodeTreeBlock({ magic, level: 0, count, group, linear, uuid }, records)
    bytes.set(block, root * layout.BLOCK_SIZE)
  }
  put(roots.bno, xfs.XFS_ABTB_CRC_MAGIC, freeRecords(free), free.length)
  const bySize = [...free].sort((a, b) => a.length - b.length || a.block - b.block)
  put(roots.cnt, xfs.XFS_ABTC_CRC_MAGIC, freeRecords(bySize), free.length)
  put(roots.refcount, xfs.XFS_REFC_CRC_MAGIC, new Uint8Array(), 0)
  const partial = inodes && partialChunk(plan, inodes)
  put(roots.finobt, xfs.XFS_FIBT_CRC_MAGIC, partial ?? new Uint8Array(), partial ? 1 : 0)
  if (!inodes) put(roots.inobt, xfs.XFS_IBT_CRC_MAGIC, new Uint8Array(), 0)
  return { block: 0, bytes }
}

function freeRecords(runs: readonly BlockRun[]): Uint8Array {
  const bytes = new Uint8Array(runs.length * xfs.AllocRecord.size)
  for (const [index, { block, length }] of runs.entries()) {
    xfs.AllocRecord.write(bytes, index * xfs.AllocRecord.size, { startblock: block, blockcount: length })
  }
  return bytes
}

function writeFreeSpaceHeader(
  sector: Uint8Array,
  geometry: layout.Geometry,
  group: number,
  free: readonly BlockRun[],
  uuid: Uint8Array,
): void {
  const { roots } = geometry
  xfs.Agf.write(sector, 0, {
    magicnum: xfs.XFS_AGF_MAGIC,
    versionnum: 1,
    seqno: group,
    length: layout.groupLength(geometry, group),
    bnoRoot: roots.bno,
    cntRoot: roots.cnt,
    bnoLevel: 1,
    cntLevel: 1,
    flfirst: 0,
    fllast: layout.AGFL_BLOCKS - 1,
    flcount: layout.AGFL_BLOCKS,
    freeblks: free.reduce((sum, { length }) => sum + length, 0),
    longest: free.reduce((most, { length }) => Math.max(most, length), 0),
    uuid,
    refcountBlocks: 1,
    refcountRoot: roots.refcount,
    refcountLevel: 1,
  })
  seal(sector, xfs.Agf.fields.crc.offset)
}

function writeInodeHeader(
  sector: Uint8Array,
  { geometry, inventory }: XfsPlan,
  group: number,
  inodes: ChunkRun | undefined,
  uuid: Uint8Array,
): void {
  const { roots } = geometry
  const levels = layout.inobtLevels(inodes?.chunks ?? 0)
  const count = (inodes?.chunks ?? 0) * xfs.XFS_INODES_PER_CHUNK
  const last = inodes && (inodes.block + (inodes.chunks - 1) * layout.CHUNK_BLOCKS) * layout.INODES_PER_BLOCK
  xfs.Agi.write(sector, 0, {
    magicnum: xfs.XFS_AGI_MAGIC,
    versionnum: 1,
    seqno: group,
    length: layout.groupLength(geometry, group),
    count,
    root: roots.inobt,
    level: levels.length,
    freecount: inodes ? Math.max(0, inodes.ordinal + count - inventory.inodes) : 0,
    newino: last ?? xfs.NULL32,
    dirino: xfs.NULL32,
    unlinked: new Array<number>(64).fill(xfs.NULL32),
    uuid,
    freeRoot: roots.finobt,
    freeLevel: 1,
    iblocks: (inodes?.treeBlocks ?? 0) + 1,
    fblocks: 1,
  })
  seal(sector, xfs.Agi.fields.crc.offset)
}

/** The blocks that lie before the first that is free. */
function writeFreeList(sector: Uint8Array, geometry: layout.Geometry, group: number, uuid: Uint8Array): void {
  xfs.Agfl.write(sector, 0, { magicnum: xfs.XFS_AGFL_MAGIC, seqno: group, uuid })
  const view = new DataView(sector.buffer, sector.byteOffset, sector.length)
  const first = layout.groupStart(geometry, group) - layout.AGFL_BLOCKS
  for (let at = xfs.Agfl.size, index = 0; at + 4 <= sector.length; at += 4, index++) {
    view.setUint32(at, index < layout.AGFL_BLOCKS ? first + index : xfs.NULL32)
  }
  seal(sector, xfs.Agfl.fields.crc.offset)
}

/** A block of a tree of a group. */
interface TreeBlockHeader {
  readonly magic: number
  readonly level: number
  readonly count: number
  readonly group: number
  /** Where it lies, from the start of the device. */
  readonly linear: number
  readonly uuid: Uint8Array
  readonly left?: number | undefined
  readonly right?: number | undefined
}

/** @param content what follows the header */
function encodeTreeBlock(header: TreeBlockHeader, content: Uint8Array): Uint8Array {
  const block = new Uint8Array(layout.BLOCK_SIZE)
  xfs.ShortBtreeBlock.write(block, 0, {
    magic: header.magic,
    level: header.level,
    numrecs: header.count,
    leftsib: header.left ?? xfs.NULL32,
    rightsib: header.right ?? xfs.NULL32,
    blkno: layout.diskAddress(header.linear),
    uuid: header.uuid,
    owner: header.group,
  })
  block.set(content, xfs.ShortBtreeBlock.size)
  seal(block, xfs.ShortBtreeBlock.fields.crc.offset)
  return block
}

/** The record of one chunk. @returns `undefined` for one that has no free inode, where only such count */
function chunkRecord({ inventory }: XfsPlan, run: ChunkRun, chunk: number): Uint8Array {
  const first = run.ordinal + chunk * xfs.XFS_INODES_PER_CHUNK
  const used = Math.min(xfs.XFS_INODES_PER_CHUNK, inventory.inodes - first)
  const all = (1n << BigInt(xfs.XFS_INODES_PER_CHUNK)) - 1n
  return xfs.InobtRecord.encode({
    startino: (run.block + chunk * layout.CHUNK_BLOCKS) * layout.INODES_PER_BLOCK,
    count: xfs.XFS_INODES_PER_CHUNK,
    freecount: xfs.XFS_INODES_PER_CHUNK - used,
    free: all & ~((1n << BigInt(used)) - 1n),
  })
}

/** The record of the run's last chunk, where some of its inodes are free. Before it all are in use. */
function partialChunk(plan: XfsPlan, run: ChunkRun): Uint8Array | undefined {
  const isFull = run.ordinal + run.chunks * xfs.XFS_INODES_PER_CHUNK <= plan.inventory.inodes
  return isFull ? undefined : chunkRecord(plan, run, run.chunks - 1)
}

/** The tree of a group's inodes: its root, at its place at the start of the group, and the other blocks. */
export function encodeInodeTree(plan: XfsPlan, run: ChunkRun, uuid: Uint8Array): GroupBlocks[] {
  const { geometry } = plan
  const { group } = run
  const levels = layout.inobtLevels(run.chunks)
  const written: GroupBlocks[] = []
  let next = run.block + run.chunks * layout.CHUNK_BLOCKS
  let below: { readonly key: number; readonly block: number }[] = []
  for (const [level, counts] of levels.entries()) {
    const isRoot = level === levels.length - 1
    const place = (index: number): number => (isRoot ? geometry.roots.inobt : next + index)
    const made: typeof below = []
    let first = 0
    for (const [index, count] of counts.entries()) {
      const block = place(index)
      const content = new Uint8Array(layout.BLOCK_SIZE - xfs.ShortBtreeBlock.size)
      if (level === 0) {
        for (let at = 0; at < count; at++) {
          content.set(chunkRecord(plan, run, first + at), at * xfs.InobtRecord.size)
        }
      } else writePointers(content, below.slice(first, first + count))
      const header = {
        magic: xfs.XFS_IBT_CRC_MAGIC,
        level,
        count,
        group,
        linear: layout.linearBlock(geometry, group, block),
        uuid,
        left: index > 0 ? place(index - 1) : undefined,
        right: index + 1 < counts.length ? place(index + 1) : undefined,
      }
      written.push({ block, bytes: encodeTreeBlock(header, content) })
      const startino = (run.block + first * layout.CHUNK_BLOCKS) * layout.INODES_PER_BLOCK
      made.push({ key: level === 0 ? startino : (below[first]?.key as number), block })
      first += count
    }
    next += counts.length
    below = made
  }
  return written
}

/** Keys, and behind the room of all keys, the pointers. */
function writePointers(
  content: Uint8Array,
  children: readonly { readonly key: number; readonly block: number }[],
): void {
  const view = new DataView(content.buffer)
  const room = Math.floor(content.length / 8)
  for (const [index, { key, block }] of children.entries()) {
    view.setUint32(index * 4, key)
    view.setUint32((room + index) * 4, block)
  }
}
