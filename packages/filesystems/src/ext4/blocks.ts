import type { ByteSource } from '@bootable/bytes'
import { gather, rawCrc32c } from '@bootable/bytes'
import { ext4FormatError } from './errors.ts'
import type { Extent } from './extents.ts'
import {
  EXT_INIT_MAX_LEN,
  EXT4_EXT_MAGIC,
  EXT4_EXTENTS_FL,
  EXT4_MAX_EXTENT_DEPTH,
  ExtentHeader,
  ExtentIndex,
  ExtentLeaf,
} from './format.ts'
import type { SuperblockDetails } from './superblock.ts'

/** The blocks of an inode as its `i_block` leads to them. */
export interface BlockMap {
  readonly number: number
  readonly flags: number
  /** `i_block`. */
  readonly block: Uint8Array
  /** Bytes of the content. */
  readonly size: number
  /** Checksum seed of the inode; `undefined` without checksums. */
  readonly seed: number | undefined
}

/** A filesystem that is being read. */
export interface Volume {
  readonly source: ByteSource
  readonly superblock: SuperblockDetails
}

/** Blocks that may lead to others and were followed already. Whoever claims one twice runs in a circle. */
export type Claims = Set<number>

/** The extents of a map that needs no further block, in order; `undefined` where it does. */
export function inlineExtents(volume: Volume, map: BlockMap): Extent[] | undefined {
  if (!(map.flags & EXT4_EXTENTS_FL)) return undefined
  const node = decodeNode(volume, map, map.block, undefined)
  return node.depth === 0 ? checkOrder(map, node.entries) : undefined
}

/**
 * The extents of any map, in order, holes and unwritten extents left out. Level by level: one gathered
 * read each.
 * @param claims blocks that belong to something else already
 * @throws FormatError
 */
export async function resolveExtents(volume: Volume, map: BlockMap, claims: Claims): Promise<Extent[]> {
  if (!(map.flags & EXT4_EXTENTS_FL)) return resolveIndirect(volume, map, claims)
  let { depth, entries } = decodeNode(volume, map, map.block, undefined)
  while (depth > 0) {
    const below = depth - 1
    const blocks = await readBlocks(
      volume,
      map,
      entries.map((entry) => entry.physical),
      claims,
    )
    entries = blocks.flatMap((block) => decodeNode(volume, map, block, below).entries)
    depth = below
  }
  return checkOrder(map, entries)
}

/** @param depth that the level above calls for; `undefined` for the root */
function decodeNode(
  { superblock }: Volume,
  map: BlockMap,
  bytes: Uint8Array,
  depth: number | undefined,
): { depth: number; entries: Extent[] } {
  const header = ExtentHeader.read(bytes)
  const capacity = Math.floor((bytes.length - ExtentHeader.size) / ExtentLeaf.size)
  check(map, header.magic === EXT4_EXT_MAGIC, 'eh_magic is wrong')
  check(map, header.entries <= header.max && header.max <= capacity, `eh_entries is ${header.entries}`)
  check(map, header.depth <= EXT4_MAX_EXTENT_DEPTH, `eh_depth is ${header.depth}`)
  check(map, depth === undefined || header.depth === depth, `eh_depth is ${header.depth} instead of ${depth}`)
  if (depth !== undefined && map.seed !== undefined) {
    const tail = ExtentHeader.size + header.max * ExtentLeaf.size
    check(map, tail + 4 <= bytes.length, 'there is no room for its checksum')
    const stored = new DataView(bytes.buffer, bytes.byteOffset).getUint32(tail, true)
    if (rawCrc32c(bytes, map.seed, 0, tail) !== stored) {
      throw ext4FormatError('FORMAT_CHECKSUM', `extents of inode ${map.number}`, 'the checksum is wrong')
    }
  }
  const entries: Extent[] = []
  const leaf = ExtentLeaf.at(bytes)
  const index = ExtentIndex.at(bytes)
  for (let at = 1; at <= header.entries; at++) {
    leaf.base = at * ExtentLeaf.size
    index.base = leaf.base
    const isIndex = header.depth > 0
    const logical = leaf.block
    const physical = isIndex ? index.leafLo + index.leafHi * 2 ** 32 : leaf.startLo + leaf.startHi * 2 ** 32
    const isUnwritten = !isIndex && leaf.len > EXT_INIT_MAX_LEN
    const length = isIndex ? 1 : leaf.len
    check(map, length > 0, 'an extent has no blocks')
    if (isUnwritten) continue
    check(map, physical > 0 && physical + length <= superblock.blockCount, `block ${physical} is outside`)
    entries.push({ logical, physical, length })
  }
  return { depth: header.depth, entries }
}

function checkOrder(map: BlockMap, extents: Extent[]): Extent[] {
  let next = 0
  for (const { logical, length } of extents) {
    check(map, logical >= next, `the extent of block ${logical} overlaps the one before`)
    next = logical + length
  }
  return extents
}

function check(map: BlockMap, isGood: boolean, message: string): void {
  if (!isGood) throw ext4FormatError('FORMAT_INVALID', `extents of inode ${map.number}`, message)
}

async function readBlocks(
  { source, superblock: { blockSize } }: Volume,
  map: BlockMap,
  numbers: readonly number[],
  claims: Claims,
): Promise<Uint8Array[]> {
  for (const number of numbers) {
    check(map, !claims.has(number), `block ${number} is in use already`)
    claims.add(number)
  }
  const blocks = numbers.map(() => new Uint8Array(blockSize))
  await gather(
    numbers.map((number, index) => ({
      source,
      offset: number * blockSize,
      target: blocks[index] as Uint8Array,
    })),
  )
  return blocks
}

const DIRECT_BLOCKS = 12

/** The block map of ext2 and ext3: twelve blocks, then one, two and three levels of block numbers. */
async function resolveIndirect(volume: Volume, map: BlockMap, claims: Claims): Promise<Extent[]> {
  const { blockSize, blockCount } = volume.superblock
  const perBlock = blockSize / 4
  const total = Math.ceil(map.size / blockSize)
  const extents: { logical: number; physical: number; length: number }[] = []

  const addBlock = (logical: number, physical: number): void => {
    const last = extents[extents.length - 1]
    const continues =
      last && last.logical + last.length === logical && last.physical + last.length === physical
    if (continues) last.length++
    else extents.push({ logical, physical, length: 1 })
  }
  const addPointers = async (bytes: Uint8Array, from: number, level: number): Promise<void> => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    const span = perBlock ** level
    for (let index = 0; index * 4 < bytes.length; index++) {
      const physical = view.getUint32(index * 4, true)
      const logical = from + index * span
      if (physical === 0 || logical >= total) continue
      check(map, physical < blockCount, `block ${physical} is outside`)
      if (level === 0) addBlock(logical, physical)
      else {
        const [block] = await readBlocks(volume, map, [physical], claims)
        await addPointers(block as Uint8Array, logical, level - 1)
      }
    }
  }
  await addPointers(map.block.subarray(0, DIRECT_BLOCKS * 4), 0, 0)
  let from = DIRECT_BLOCKS
  for (let level = 1; level <= 3; level++) {
    const slot = (DIRECT_BLOCKS + level - 1) * 4
    await addPointers(map.block.subarray(slot, slot + 4), from, level)
    from += perBlock ** level
  }
  return extents
}
