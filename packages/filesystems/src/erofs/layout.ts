import { alignUp } from '@bootable/bytes'
import type { DataRun } from '../content/sparse.ts'
import {
  BLOCK_BITS,
  BLOCK_SIZE,
  EROFS_INODE_CHUNK_BASED,
  EROFS_INODE_FLAT_INLINE,
  EROFS_INODE_FLAT_PLAIN,
  EROFS_NULL_ADDR,
  EROFS_SLOTSIZE,
  EROFS_SUPER_OFFSET,
  InodeCompact,
  InodeExtended,
  SuperBlock,
} from './format.ts'
import type { ErofsNode, Inventory } from './inventory.ts'
import type { ErofsProfile } from './profile.ts'

/** Where an inode and its content stand. */
export interface NodePlace {
  /** First byte of the inode. */
  position: number
  /** Bytes of the inode itself, 32 or 64. */
  readonly inodeSize: number
  /** Bytes behind the inode and its attributes that hold the addresses of its chunks. */
  readonly mapSize: number
  /** Bytes of content that stand behind all that, in the same block. */
  tail: number
  /** Blocks of content elsewhere. */
  blocks: number
  /** First of them; 0 for none. */
  firstBlock: number
  /** Set for files in chunks. */
  readonly chunks?: ChunkMap
}

/** A file in chunks. */
export interface ChunkMap {
  /** Bits of a chunk's size beyond those of a block's. */
  readonly bits: number
  readonly count: number
  /** Numbers of the chunks that are not holes, ascending; they are stored one after the other. */
  readonly stored: readonly number[]
}

/** The whole volume: superblock, inodes, shared attributes, content. */
export interface ErofsLayout {
  readonly inventory: Inventory
  /** By `i_ino`. */
  readonly places: readonly NodePlace[]
  /** Byte after the last inode, where the table of shared attributes starts. */
  readonly inodesEnd: number
  /** First byte of the content. */
  readonly dataStart: number
  readonly blocks: number
}

export const INODES_START = EROFS_SUPER_OFFSET + SuperBlock.size

/** Files with holes, and where their data is. */
export type SparseFiles = ReadonlyMap<ErofsNode, readonly DataRun[]>

/** Gives everything its place. Pure arithmetic. */
export function layoutErofs(inventory: Inventory, profile: ErofsProfile, sparse: SparseFiles): ErofsLayout {
  const { nodes, shared } = inventory
  let position = INODES_START
  const places = nodes.map((node) => {
    const place = measureNode(node, profile, sparse.get(node))
    placeTail(node, place, alignUp(position, EROFS_SLOTSIZE))
    position = place.position + headSize(node, place) + place.tail
    return place
  })
  const inodesEnd = alignUp(position, EROFS_SLOTSIZE)
  const dataStart = alignUp(inodesEnd + shared.size, BLOCK_SIZE)
  let block = dataStart / BLOCK_SIZE
  for (const place of places) {
    if (place.blocks === 0) continue
    place.firstBlock = block
    block += place.blocks
  }
  return { inventory, places, inodesEnd, dataStart, blocks: block }
}

/** Bytes from an inode to its tail. */
export function headSize({ xattrs }: ErofsNode, { inodeSize, mapSize }: NodePlace): number {
  return inodeSize + xattrs.size + mapSize
}

/** The number by which directories name an inode. */
export function nodeNid({ position }: NodePlace): number {
  return position / EROFS_SLOTSIZE
}

/** `i_size`. */
export function contentSize({ inode, target, directory }: ErofsNode, place: NodePlace): number {
  if (inode.type === 'file') return inode.content.size
  if (directory) return place.blocks * BLOCK_SIZE + place.tail
  return target?.length ?? 0
}

/** The layout bits of `i_format`. */
export function dataLayout(place: NodePlace): number {
  if (place.chunks) return EROFS_INODE_CHUNK_BASED
  return place.tail > 0 ? EROFS_INODE_FLAT_INLINE : EROFS_INODE_FLAT_PLAIN
}

/** Longest tail of a directory or file that is kept with its inode: beyond, too much of a block is lost. */
const MAX_TAIL = BLOCK_SIZE / 2

/** All of a place but the position. */
function measureNode(
  node: ErofsNode,
  profile: ErofsProfile,
  runs: readonly DataRun[] | undefined,
): NodePlace {
  const { inode, directory, target } = node
  const place = {
    position: 0,
    inodeSize: inodeSize(node, profile),
    mapSize: 0,
    tail: 0,
    blocks: 0,
    firstBlock: 0,
  }
  if (target) return { ...place, tail: target.length }
  if (directory) {
    const { blocks, last } = directory.plan
    if (last > MAX_TAIL) return { ...place, blocks: blocks.length }
    return { ...place, blocks: blocks.length - 1, tail: last }
  }
  if (inode.type !== 'file' || inode.content.size === 0) return place
  const { size } = inode.content
  if (profile.externalFiles) {
    const chunks = externalChunks(size)
    // libcomposefs treats the addresses as a tail, as if they had to stand in one block.
    return { ...place, chunks, tail: CHUNK_ADDRESS * chunks.count }
  }
  const chunks = runs && storedChunks(size, runs)
  if (chunks) {
    const blocks = storedBlocks(chunks, size)
    const mapSize = CHUNK_ADDRESS * chunks.count
    // Holes pay where the addresses take less than they save.
    if (blocks * BLOCK_SIZE + mapSize + BLOCK_SIZE < size) return { ...place, chunks, mapSize, blocks }
  }
  const rest = size % BLOCK_SIZE
  if (rest > MAX_TAIL) return { ...place, blocks: Math.ceil(size / BLOCK_SIZE) }
  return { ...place, blocks: Math.floor(size / BLOCK_SIZE), tail: rest }
}

function inodeSize({ inode, links }: ErofsNode, { buildTime }: ErofsProfile): number {
  const { mtime, uid, gid } = inode
  const isCompact =
    mtime.seconds === buildTime &&
    mtime.nanoseconds === 0 &&
    Math.max(links, uid, gid) <= 0xffff &&
    (inode.type !== 'file' || inode.content.size <= 0xffff_ffff)
  return isCompact ? InodeCompact.size : InodeExtended.size
}

/**
 * Finds the place of an inode at or after `start`, such that its tail lies in one block: Linux reads no
 * other. Where no place does, the tail becomes a block of its own.
 */
function placeTail(node: ErofsNode, place: NodePlace, start: number): void {
  place.position = start
  if (place.tail === 0) return
  const head = headSize(node, place)
  if (node.target) {
    // Linux wants the inode of a fast link and its target in one block.
    const end = start + head + place.tail
    if (head + place.tail >= BLOCK_SIZE) spillTail(place)
    if (Math.floor(start / BLOCK_SIZE) !== Math.floor((end - 1) / BLOCK_SIZE)) {
      place.position = alignUp(start, BLOCK_SIZE)
    }
    return
  }
  const room = roomInBlock(start + head)
  if (room >= place.tail) return
  const shifted = start + alignUp(room, EROFS_SLOTSIZE)
  if (place.tail <= roomInBlock(shifted + head)) place.position = shifted
  else {
    spillTail(place)
    // Nothing asks for this any more; libcomposefs does it, and it happens with huge attributes only.
    place.position = alignUp(start, BLOCK_SIZE)
  }
}

function spillTail(place: NodePlace): void {
  place.blocks++
  place.tail = 0
}

/** Bytes up to the end of a block; a whole one at its start. */
function roomInBlock(position: number): number {
  return BLOCK_SIZE - (position % BLOCK_SIZE)
}

/** Bytes of a chunk's address. */
const CHUNK_ADDRESS = 4
/** `EROFS_CHUNK_FORMAT_BLKBITS_MASK` allows no more. */
const MAX_CHUNK_BITS = 31
/** Addresses that a file with holes has at most; a larger one gets larger chunks. */
const MAX_CHUNKS = 65_536

/** One hole as long as the file, as far as a chunk reaches. */
function externalChunks(size: number): ChunkMap {
  let bits = 0
  while (bits < MAX_CHUNK_BITS && 2 ** (BLOCK_BITS + bits) < size) bits++
  return { bits, count: Math.ceil(size / 2 ** (BLOCK_BITS + bits)), stored: [] }
}

/** The chunks of a file with holes. */
function storedChunks(size: number, runs: readonly DataRun[]): ChunkMap {
  let bits = 0
  while (bits < MAX_CHUNK_BITS && size / 2 ** (BLOCK_BITS + bits) > MAX_CHUNKS) bits++
  const stored: number[] = []
  for (const { block, length } of runs) {
    const last = Math.floor((block + length - 1) / 2 ** bits)
    for (
      let chunk = Math.max(Math.floor(block / 2 ** bits), (stored.at(-1) ?? -1) + 1);
      chunk <= last;
      chunk++
    ) {
      stored.push(chunk)
    }
  }
  return { bits, count: Math.ceil(size / 2 ** (BLOCK_BITS + bits)), stored }
}

/** Blocks of one chunk; the last of a file ends with it. */
export function chunkBlocks({ bits }: ChunkMap, chunk: number, size: number): number {
  return Math.min(2 ** bits, Math.ceil(size / BLOCK_SIZE) - chunk * 2 ** bits)
}

function storedBlocks(chunks: ChunkMap, size: number): number {
  return chunks.stored.reduce((sum, chunk) => sum + chunkBlocks(chunks, chunk, size), 0)
}

/** The addresses of a file's chunks. */
export function chunkAddresses(chunks: ChunkMap, size: number, firstBlock: number): Uint32Array {
  const addresses = new Uint32Array(chunks.count).fill(EROFS_NULL_ADDR)
  let block = firstBlock
  for (const chunk of chunks.stored) {
    addresses[chunk] = block
    block += chunkBlocks(chunks, chunk, size)
  }
  return addresses
}
