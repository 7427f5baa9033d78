import { utf8 } from '@bootable/bytes'
import type { Piece } from '../content/emit.ts'
import { encodeAttributeTree } from './attr-tree.ts'
import { seal } from './checksum.ts'
import type { BlockOwner } from './da-tree.ts'
import { encodeDirectoryBlocks } from './directory.ts'
import { buildExtentTree } from './extents.ts'
import { FORK_BYTES } from './forks.ts'
import * as xfs from './format.ts'
import { encodeGroupHead, encodeInodeTree } from './groups.ts'
import { createInodeEncoder } from './inode.ts'
import type { XfsNode } from './inventory.ts'
import * as layout from './layout.ts'
import { encodeEmptyLog } from './log.ts'
import { blockAddress, type ChunkRun, type PlacedFork } from './placement.ts'
import type { XfsPlan } from './plan.ts'
import { inodeRecords, type RecordContext } from './records.ts'
import { logStripe, type SuperblockFacts } from './superblock-encode.ts'

const { BLOCK_SIZE, INODE_SIZE } = layout

/** Everything but the primary superblock: heads of the groups, inodes, then contents, each ascending. */
export function* filesystemPieces(
  plan: XfsPlan,
  facts: SuperblockFacts,
  context: RecordContext,
): Generator<Piece> {
  const { geometry, placement } = plan
  for (let group = 0; group < geometry.agCount; group++) {
    const { block, bytes } = encodeGroupHead(plan, facts, group)
    yield at(layout.linearBlock(geometry, group, block), bytes)
    if (group !== geometry.logGroup) continue
    const log = encodeEmptyLog(logStripe(geometry), context.uuid)
    yield at(layout.linearBlock(geometry, group, geometry.headBlocks), log)
  }
  for (const run of placement.chunkRuns) {
    for (const { block, bytes } of encodeInodeTree(plan, run, context.uuid)) {
      yield at(layout.linearBlock(geometry, run.group, block), bytes)
    }
  }
  yield* inodes(plan, context)
  yield* contents(plan, context)
}

function at(block: number, content: Uint8Array): Piece {
  const span = Math.ceil(content.length / BLOCK_SIZE) * BLOCK_SIZE
  return { position: block * BLOCK_SIZE, span, content }
}

/** Chunks that are made at a time: 1 MiB. */
const CHUNKS = 32

function* inodes(plan: XfsPlan, context: RecordContext): Generator<Piece> {
  const records = inodeRecords(plan, context)
  for (const run of plan.placement.chunkRuns) {
    for (let first = 0; first < run.chunks; first += CHUNKS) {
      yield chunkPiece(plan, run, first, Math.min(CHUNKS, run.chunks - first), records, context)
    }
  }
}

function chunkPiece(
  { geometry, inventory }: XfsPlan,
  run: ChunkRun,
  first: number,
  chunks: number,
  records: ReturnType<typeof inodeRecords>,
  { uuid, numberOf }: RecordContext,
): Piece {
  const content = new Uint8Array(chunks * layout.CHUNK_BLOCKS * BLOCK_SIZE)
  const encoder = createInodeEncoder(content, INODE_SIZE, uuid)
  const ordinal = run.ordinal + first * xfs.XFS_INODES_PER_CHUNK
  for (let index = 0; index * INODE_SIZE < content.length; index++) {
    const number = numberOf(ordinal + index)
    const next = ordinal + index < inventory.inodes ? records.next() : undefined
    if (next && !next.done) encoder.encode(index * INODE_SIZE, number, next.value[1])
    else encoder.encodeFree(index * INODE_SIZE, number)
  }
  const block = run.block + first * layout.CHUNK_BLOCKS
  return at(layout.linearBlock(geometry, run.group, block), content)
}

/** Everything that was placed, in the order of its placement. */
function* contents(plan: XfsPlan, context: RecordContext): Generator<Piece> {
  const { placement, inventory } = plan
  for (const [index, node] of inventory.nodes.entries()) {
    const fork = placement.data[index]
    if (!node.directory || !fork) continue
    const owner = blockOwner(node, fork, context)
    const parent = context.numberOf(node.directory.parent)
    const content = { ...node.directory, number: owner.number, parent, numberOf: context.numberOf }
    const bytes = encodeDirectoryBlocks(content, node.directory.plan, owner)
    yield* placedBytes(plan, fork, node.forks.area, bytes, owner)
  }
  for (const [node, fork] of placement.attributes) {
    const { tree, area } = node.forks
    const owner = blockOwner(node, fork, context)
    if (tree) yield* placedBytes(plan, fork, FORK_BYTES - area, encodeAttributeTree(tree, owner), owner)
  }
  for (const [index, node] of inventory.nodes.entries()) {
    const fork = placement.data[index]
    if (node.inode.type !== 'symlink' || !fork) continue
    const owner = blockOwner(node, fork, context)
    yield* placedBytes(plan, fork, node.forks.area, encodeTarget(node.inode.target, owner), owner)
  }
  yield* files(plan, context)
}

function blockOwner(node: XfsNode, fork: PlacedFork, { uuid, numberOf }: RecordContext): BlockOwner {
  return { number: numberOf(node.ordinal), uuid, address: (logical) => blockAddress(fork, logical) }
}

/** Blocks that are at hand, in the order of the fork's extents, and their tree. */
function* placedBytes(
  plan: XfsPlan,
  fork: PlacedFork,
  area: number,
  bytes: Uint8Array,
  owner: BlockOwner,
): Generator<Piece> {
  let done = 0
  for (const { physical, length } of fork.extents) {
    yield at(physical, bytes.subarray(done * BLOCK_SIZE, (done + length) * BLOCK_SIZE))
    done += length
  }
  yield* treePieces(plan, fork, area, owner)
}

/** The blocks of a tree of extents. */
function* treePieces(
  { geometry }: XfsPlan,
  { extents, tree }: PlacedFork,
  area: number,
  owner: { readonly number: number; readonly uuid: Uint8Array },
): Generator<Piece> {
  if (tree.length === 0) return
  for (const { block, bytes } of buildExtentTree(geometry, extents, area, tree, owner).blocks) {
    yield at(block, bytes)
  }
}

/** The target of a link that does not stand in its inode. */
function encodeTarget(target: string, owner: BlockOwner): Uint8Array {
  const block = new Uint8Array(BLOCK_SIZE)
  const text = utf8(target)
  xfs.SymlinkHeader.write(block, 0, {
    magic: xfs.XFS_SYMLINK_MAGIC,
    bytes: text.length,
    uuid: owner.uuid,
    owner: owner.number,
    blkno: layout.diskAddress(owner.address(0)),
  })
  block.set(text, xfs.SymlinkHeader.size)
  seal(block, xfs.SymlinkHeader.fields.crc.offset)
  return block
}

/** The contents of regular files. */
function* files(plan: XfsPlan, { uuid, numberOf }: RecordContext): Generator<Piece> {
  for (const [index, { inode, ordinal, forks }] of plan.inventory.nodes.entries()) {
    const fork = plan.placement.data[index]
    if (inode.type !== 'file' || !fork) continue
    const source = inode.content
    for (const { logical, physical, length } of fork.extents) {
      const offset = logical * BLOCK_SIZE
      const span = length * BLOCK_SIZE
      const content = { source, offset, length: Math.min(span, source.size - offset) }
      yield { position: physical * BLOCK_SIZE, span, content }
    }
    if (fork.tree.length > 0) yield* treePieces(plan, fork, forks.area, { number: numberOf(ordinal), uuid })
  }
}
