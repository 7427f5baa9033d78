import { gather } from '@bootable/bytes'
import { xfsFormatError } from './errors.ts'
import type { Extent } from './extents.ts'
import * as xfs from './format.ts'
import { type Claims, checkBlock, createClaims, linearBlockOf, type Volume, wide } from './volume.ts'

/** A fork of an inode as it stands there. */
export interface Fork {
  /** Inode number. */
  readonly number: number
  /** `di_format` or `di_aformat`. */
  readonly format: number
  /** Extents that the inode counts. */
  readonly extents: number
  readonly bytes: Uint8Array
}

const RECORD = 16
const ROOT_HEADER = 4
const MAX_LEVELS = 9

/** The extents of a fork that needs no further block, in order; `undefined` where it does. */
export function inlineExtents(volume: Volume, fork: Fork): Extent[] | undefined {
  if (fork.format === xfs.XFS_DINODE_FMT_BTREE) return undefined
  check(fork, fork.format === xfs.XFS_DINODE_FMT_EXTENTS, `its format is ${fork.format}`)
  check(fork, fork.extents * RECORD <= fork.bytes.length, `it has ${fork.extents} extents`)
  return checkOrder(fork, decodeRecords(volume, fork, fork.bytes, 0, fork.extents))
}

/**
 * The extents of any fork, in order, holes and unwritten extents left out. Level by level: one gathered
 * read each.
 * @throws FormatError
 */
export async function resolveExtents(
  volume: Volume,
  fork: Fork,
  claims: Claims = createClaims(),
): Promise<Extent[]> {
  const known = inlineExtents(volume, fork)
  if (known) return known
  const root = new DataView(fork.bytes.buffer, fork.bytes.byteOffset, fork.bytes.length)
  check(fork, fork.bytes.length >= ROOT_HEADER + RECORD, 'its root is cut off')
  const levels = root.getUint16(0)
  const room = Math.floor((fork.bytes.length - ROOT_HEADER) / RECORD)
  check(fork, levels > 0 && levels <= MAX_LEVELS, `bb_level is ${levels}`)
  let pointers = decodePointers(fork, root, ROOT_HEADER, root.getUint16(2), room)
  for (let level = levels - 1; ; level--) {
    const blocks = await readBlocks(volume, fork, pointers, claims)
    if (level === 0)
      return checkOrder(
        fork,
        blocks.flatMap(({ bytes }) => leafRecords(volume, fork, bytes)),
      )
    pointers = blocks.flatMap(({ bytes }) => {
      const header = blockHeader(fork, bytes, level)
      const most = Math.floor((bytes.length - xfs.LongBtreeBlock.size) / RECORD)
      return decodePointers(fork, viewOf(bytes), xfs.LongBtreeBlock.size, header.numrecs, most)
    })
  }
}

function leafRecords(volume: Volume, fork: Fork, bytes: Uint8Array): Extent[] {
  const { numrecs } = blockHeader(fork, bytes, 0)
  const base = xfs.LongBtreeBlock.size
  check(fork, base + numrecs * RECORD <= bytes.length, `bb_numrecs is ${numrecs}`)
  return decodeRecords(volume, fork, bytes, base, numrecs)
}

function blockHeader(fork: Fork, bytes: Uint8Array, level: number): { numrecs: number } {
  const { magic, level: found, numrecs } = xfs.LongBtreeBlock.at(bytes)
  check(fork, magic === xfs.XFS_BMAP_CRC_MAGIC, 'bb_magic is wrong')
  check(fork, found === level, `bb_level is ${found} instead of ${level}`)
  return { numrecs }
}

/** @param room keys that the node could hold: pointers stand behind them all */
function decodePointers(fork: Fork, view: DataView, base: number, count: number, room: number): number[] {
  check(fork, count > 0 && count <= room, `bb_numrecs is ${count}`)
  return Array.from({ length: count }, (_, index) => wide(view, base + (room + index) * 8))
}

async function readBlocks(
  volume: Volume,
  fork: Fork,
  numbers: readonly number[],
  claims: Claims,
): Promise<{ bytes: Uint8Array; block: number }[]> {
  const { source, superblock } = volume
  const blocks = numbers.map((number) => {
    const block = linearBlockOf(volume, number, 1, structure(fork))
    claims.add(block, structure(fork))
    return { block, bytes: new Uint8Array(superblock.blockSize) }
  })
  await gather(
    blocks.map(({ block, bytes }) => ({ source, offset: block * superblock.blockSize, target: bytes })),
  )
  const { fields } = xfs.LongBtreeBlock
  for (const { block, bytes } of blocks) {
    checkBlock(volume, bytes, { structure: structure(fork), fields, owner: fork.number, block })
  }
  return blocks
}

/** `xfs_bmbt_disk_get_all`. */
function decodeRecords(volume: Volume, fork: Fork, bytes: Uint8Array, base: number, count: number): Extent[] {
  const view = viewOf(bytes)
  const extents: Extent[] = []
  for (let at = base; at < base + count * RECORD; at += RECORD) {
    const [first, second, last] = [view.getUint32(at), view.getUint32(at + 4), view.getUint32(at + 12)]
    const logical = (first & 0x7fff_ffff) * 2 ** 23 + (second >>> 9)
    const number = (second & 0x1ff) * 2 ** 43 + view.getUint32(at + 8) * 2 ** 11 + (last >>> 21)
    const length = last & xfs.XFS_MAX_BMBT_EXTLEN
    check(fork, length > 0, 'an extent has no blocks')
    const end = (logical + length) * volume.superblock.blockSize
    check(fork, end <= Number.MAX_SAFE_INTEGER, `an extent starts at block ${logical}`)
    const physical = linearBlockOf(volume, number, length, structure(fork))
    const isUnwritten = first >>> 31 === 1
    if (!isUnwritten) extents.push({ logical, physical, length })
  }
  return extents
}

function checkOrder(fork: Fork, extents: Extent[]): Extent[] {
  let next = 0
  for (const { logical, length } of extents) {
    check(fork, logical >= next, `the extent of block ${logical} overlaps the one before`)
    next = logical + length
  }
  return extents
}

function structure({ number }: Fork): string {
  return `extents of inode ${number}`
}

function check(fork: Fork, isGood: boolean, message: string): void {
  if (!isGood) throw xfsFormatError('FORMAT_INVALID', structure(fork), message)
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}
