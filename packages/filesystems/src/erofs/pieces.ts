import type { Piece } from '../content/emit.ts'
import { BLOCK_SIZE } from './format.ts'
import { createInodeEncoder, directoryContent } from './inode.ts'
import type { ErofsNode } from './inventory.ts'
import { chunkBlocks, type ErofsLayout, headSize, INODES_START, type NodePlace } from './layout.ts'
import { encodeSharedXattrs } from './xattrs.ts'

/**
 * Everything but the superblock, front to back and without a gap.
 * @param head what stands before the superblock
 */
export function* volumePieces(layout: ErofsLayout, head: Uint8Array): Generator<Piece> {
  yield { position: 0, span: INODES_START, content: head }
  yield* inodePieces(layout)
  const { inodesEnd, dataStart, inventory } = layout
  yield { position: inodesEnd, span: dataStart - inodesEnd, content: encodeSharedXattrs(inventory.shared) }
  for (const node of inventory.nodes) yield* contentPieces(layout, node)
}

/** Bytes of inodes that are made at a time. */
const RUN = 1_048_576

/** Inodes with what follows them. A run ends where the tail of a file follows, which is not at hand. */
function* inodePieces(layout: ErofsLayout): Generator<Piece> {
  const { places, inodesEnd, inventory } = layout
  const { nodes } = inventory
  for (let first = 0; first < nodes.length; ) {
    const start = placeOf(layout, first).position
    let end = start
    let after = first
    let source: Piece['content'] | undefined
    while (after < nodes.length && end - start < RUN && !source) {
      const node = nodes[after] as ErofsNode
      const place = placeOf(layout, after++)
      end = place.position + headSize(node, place)
      source = fileTail(node, place)
      if (!source) end += place.tail
    }
    const bytes = new Uint8Array(end - start)
    const encoder = createInodeEncoder(layout, bytes, start)
    for (let index = first; index < after; index++) {
      encoder.encode(nodes[index] as ErofsNode, placeOf(layout, index))
    }
    const next = places[after]?.position ?? inodesEnd
    yield { position: start, span: (source ? end : next) - start, content: bytes }
    if (source) yield { position: end, span: next - end, content: source }
    first = after
  }
}

function placeOf({ places }: ErofsLayout, index: number): NodePlace {
  return places[index] as NodePlace
}

function fileTail({ inode }: ErofsNode, { tail, blocks, chunks }: NodePlace): Piece['content'] | undefined {
  if (inode.type !== 'file' || tail === 0 || chunks) return undefined
  return { source: inode.content, offset: blocks * BLOCK_SIZE, length: tail }
}

/** What stands in blocks of its own. */
function* contentPieces(layout: ErofsLayout, node: ErofsNode): Generator<Piece> {
  const { firstBlock, blocks, chunks } = placeOf(layout, node.number)
  if (blocks === 0) return
  const position = firstBlock * BLOCK_SIZE
  const span = blocks * BLOCK_SIZE
  const { inode, target } = node
  if (inode.type !== 'file') {
    yield { position, span, content: (target ?? directoryContent(layout, node)).subarray(0, span) }
    return
  }
  const source = inode.content
  if (!chunks) {
    yield { position, span, content: { source, offset: 0, length: Math.min(span, source.size) } }
  } else if (chunks.stored.length === 0) {
    // Addresses of holes that libcomposefs moved out of the inode's block.
    yield { position, span, content: new Uint8Array(span).fill(0xff) }
  } else {
    let at = position
    for (const chunk of chunks.stored) {
      const length = chunkBlocks(chunks, chunk, source.size) * BLOCK_SIZE
      const offset = chunk * 2 ** chunks.bits * BLOCK_SIZE
      yield {
        position: at,
        span: length,
        content: { source, offset, length: Math.min(length, source.size - offset) },
      }
      at += length
    }
  }
}
