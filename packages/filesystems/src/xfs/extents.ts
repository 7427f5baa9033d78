import { btreeLevels, countLevels } from './btree.ts'
import { seal } from './checksum.ts'
import { LongBtreeBlock, NULL64, XFS_BMAP_CRC_MAGIC, XFS_MAX_BMBT_EXTLEN } from './format.ts'
import { BLOCK_SIZE, diskAddress, fsBlock, type Geometry } from './layout.ts'

/** Blocks of the device in a row, counted from its start. */
export interface BlockRun {
  readonly block: number
  readonly length: number
}

/** A run of a file's blocks and where it lies. */
export interface Extent {
  /** First block, counted from the start of the file. */
  readonly logical: number
  /** First block on the device, counted from its start. */
  readonly physical: number
  readonly length: number
}

/** Bytes of `struct xfs_bmbt_rec`, and of a key with a pointer. */
const RECORD = 16
/** Bytes of `struct xfs_bmdr_block`: the root of a tree in an inode. */
const ROOT_HEADER = 4
const TREE_ROOM = Math.floor((BLOCK_SIZE - LongBtreeBlock.size) / RECORD)

/** Adds runs of blocks as extents from a logical block on. */
export function mapRuns(extents: Extent[], logical: number, runs: readonly BlockRun[]): void {
  let next = logical
  for (const { block, length } of runs) {
    for (let done = 0; done < length; ) {
      const part = Math.min(length - done, XFS_MAX_BMBT_EXTLEN)
      extents.push({ logical: next, physical: block + done, length: part })
      next += part
      done += part
    }
  }
}

export function countBlocks(runs: readonly { readonly length: number }[]): number {
  return runs.reduce((sum, { length }) => sum + length, 0)
}

/** Blocks of the tree that so many extents need in a fork of `area` bytes; none where they stand in it. */
export function extentTreeBlocks(extents: number, area: number): number {
  return extents * RECORD <= area ? 0 : countLevels(treeLevels(extents, area))
}

function treeLevels(extents: number, area: number): number[][] {
  return btreeLevels(extents, TREE_ROOM, TREE_ROOM, Math.floor((area - ROOT_HEADER) / RECORD))
}

/** The extents of a fork as its bytes. */
export function encodeExtentList(geometry: Geometry, extents: readonly Extent[]): Uint8Array {
  const bytes = new Uint8Array(extents.length * RECORD)
  writeRecords(geometry, bytes, 0, extents)
  return bytes
}

/** `xfs_bmbt_disk_set_all`: 1 bit of state, 54 of the file's block, 52 of the device's, 21 of length. */
function writeRecords(geometry: Geometry, bytes: Uint8Array, base: number, extents: readonly Extent[]): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let at = base
  for (const { logical, physical, length } of extents) {
    const block = fsBlock(geometry, physical)
    view.setUint32(at, Math.floor(logical / 2 ** 23))
    view.setUint32(at + 4, (logical % 2 ** 23) * 2 ** 9 + Math.floor(block / 2 ** 43))
    view.setUint32(at + 8, Math.floor(block / 2 ** 11) % 2 ** 32)
    view.setUint32(at + 12, (block % 2 ** 11) * 2 ** 21 + length)
    at += RECORD
  }
}

/** A block of a tree with its place. */
export interface TreeBlock {
  /** Counted from the start of the device. */
  readonly block: number
  readonly bytes: Uint8Array
}

/** The tree of a fork's extents: its root as the fork's bytes, and its blocks, sealed. */
export interface ExtentTree {
  readonly root: Uint8Array
  readonly blocks: readonly TreeBlock[]
}

/**
 * Builds the tree of extents that do not stand in their fork.
 * @param area bytes of the fork
 * @param blocks as many as {@link extentTreeBlocks} says, from the start of the device
 */
export function buildExtentTree(
  geometry: Geometry,
  extents: readonly Extent[],
  area: number,
  blocks: readonly number[],
  owner: { readonly number: number; readonly uuid: Uint8Array },
): ExtentTree {
  const levels = treeLevels(extents.length, area)
  const written: TreeBlock[] = []
  let next = 0
  /** Logical block of the first record under, and place of, each block of the level below. */
  let below: { key: number; block: number }[] = []
  for (const [level, counts] of levels.entries()) {
    const places = blocks.slice(next, next + counts.length)
    next += counts.length
    let first = 0
    const made: typeof below = []
    for (const [index, count] of counts.entries()) {
      const bytes = new Uint8Array(BLOCK_SIZE)
      const block = places[index] as number
      const sibling = (other: number | undefined): bigint =>
        other === undefined ? NULL64 : BigInt(fsBlock(geometry, other))
      LongBtreeBlock.write(bytes, 0, {
        magic: XFS_BMAP_CRC_MAGIC,
        level,
        numrecs: count,
        leftsib: sibling(places[index - 1]),
        rightsib: sibling(places[index + 1]),
        blkno: diskAddress(block),
        uuid: owner.uuid,
        owner: owner.number,
      })
      if (level === 0) writeRecords(geometry, bytes, LongBtreeBlock.size, extents.slice(first, first + count))
      else writePointers(geometry, bytes, LongBtreeBlock.size, TREE_ROOM, below.slice(first, first + count))
      seal(bytes, LongBtreeBlock.fields.crc.offset)
      written.push({ block, bytes })
      const key = level === 0 ? extents[first]?.logical : below[first]?.key
      made.push({ key: key as number, block })
      first += count
    }
    below = made
  }
  return { root: encodeRoot(geometry, area, levels.length, below), blocks: written }
}

/** `struct xfs_bmdr_block`. */
function encodeRoot(
  geometry: Geometry,
  area: number,
  level: number,
  children: readonly { readonly key: number; readonly block: number }[],
): Uint8Array {
  const bytes = new Uint8Array(area)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, level)
  view.setUint16(2, children.length)
  writePointers(geometry, bytes, ROOT_HEADER, Math.floor((area - ROOT_HEADER) / RECORD), children)
  return bytes
}

/** Keys, and behind the room of all keys, the pointers. */
function writePointers(
  geometry: Geometry,
  bytes: Uint8Array,
  base: number,
  room: number,
  children: readonly { readonly key: number; readonly block: number }[],
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (const [index, { key, block }] of children.entries()) {
    view.setBigUint64(base + index * 8, BigInt(key))
    view.setBigUint64(base + (room + index) * 8, BigInt(fsBlock(geometry, block)))
  }
}
