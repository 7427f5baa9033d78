import { equalBytes } from '@bootable/bytes'
import { indexBlockChecksum } from './checksum.ts'
import { DirEntry, DX_HASH_HALF_MD4, DxCountLimit, DxEntry, DxRootInfo, DxTail } from './format.ts'

/*
 * Hashed directories (feature dir_index, `fs/ext4/hash.c` and `namei.c`). Names are sorted by a keyed half
 * MD4; block 0 and, where one block does not hold them all, a second level say which hash starts where.
 */

/** The key of the hash as four words: `s_hash_seed`. */
export type HashSeed = Uint32Array

const DEFAULT_SEED = Uint32Array.of(0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476)

/** The key from its 16 bytes; all zeros stand for the initial state of MD4. */
export function hashSeed(bytes: Uint8Array): HashSeed {
  if (equalBytes(bytes, new Uint8Array(16))) return DEFAULT_SEED
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16)
  return Uint32Array.from({ length: 4 }, (_, index) => view.getUint32(index * 4, true))
}

const STATE = new Uint32Array(4)
const INPUT = new Uint32Array(8)

/**
 * `DX_HASH_HALF_MD4` of the first `length` bytes of a name, its characters signed (`EXT2_FLAGS_SIGNED_HASH`).
 * @returns the hash, whose lowest bit is free for {@link CONTINUED}, and the minor hash that orders collisions
 */
export function hashName(name: Uint8Array, length: number, seed: HashSeed): { hash: number; minor: number } {
  STATE.set(seed)
  for (let offset = 0; offset < length; offset += 32) {
    packName(name, offset, length)
    halfMd4Transform()
  }
  return { hash: ((STATE[1] as number) & ~1) >>> 0, minor: STATE[2] as number }
}

/** `str2hashbuf_signed`: eight words of the name from `offset` on, padded with what is left of its length. */
function packName(name: Uint8Array, offset: number, end: number): void {
  const rest = end - offset
  const short = (rest & 0xff) | (rest << 8)
  const pad = short | (short << 16)
  let value = pad
  let word = 0
  const count = Math.min(rest, 32)
  for (let index = 0; index < count; index++) {
    const character = ((name[offset + index] as number) << 24) >> 24
    value = (character + (value << 8)) | 0
    if (index % 4 === 3) {
      INPUT[word++] = value
      value = pad
    }
  }
  if (word < 8) INPUT[word++] = value
  while (word < 8) INPUT[word++] = pad
}

type Mix = (x: number, y: number, z: number) => number
/** Function, constant, rotations and order of the words of each round. */
const ROUNDS: readonly (readonly [Mix, number, readonly number[], readonly number[]])[] = [
  [(x, y, z) => z ^ (x & (y ^ z)), 0, [3, 7, 11, 19], [0, 1, 2, 3, 4, 5, 6, 7]],
  [(x, y, z) => (x & y) + ((x ^ y) & z), 0x5a82_7999, [3, 5, 9, 13], [1, 3, 5, 7, 0, 2, 4, 6]],
  [(x, y, z) => x ^ y ^ z, 0x6ed9_eba1, [3, 9, 11, 15], [3, 7, 2, 6, 1, 5, 0, 4]],
]

/** `half_md4_transform`: three rounds of eight steps instead of sixteen. */
function halfMd4Transform(): void {
  let [a, b, c, d] = STATE as unknown as [number, number, number, number]
  for (const [mix, constant, rotations, order] of ROUNDS) {
    for (let step = 0; step < 8; step++) {
      const sum = (a + mix(b, c, d) + (INPUT[order[step] as number] as number) + constant) | 0
      const rotation = rotations[step % 4] as number
      const rotated = (sum << rotation) | (sum >>> (32 - rotation))
      a = d
      d = c
      c = b
      b = rotated
    }
  }
  STATE[0] = (STATE[0] as number) + a
  STATE[1] = (STATE[1] as number) + b
  STATE[2] = (STATE[2] as number) + c
  STATE[3] = (STATE[3] as number) + d
}

/** Lowest bit of a hash in an index: its block goes on with the hash with which the block before ends. */
export const CONTINUED = 1

/** Bytes of the entries `.` and `..` and of `dx_root_info` in block 0, before the index. */
const ROOT_HEAD = 32
/** Bytes of the unused entry that covers an index block of the second level. */
const NODE_HEAD = DirEntry.size

function indexLimit(head: number, blockSize: number): number {
  return Math.floor((blockSize - head - DxTail.size) / DxEntry.size)
}

/** Blocks of index over so many leaves; `undefined` where two levels do not hold them. */
export function indexBlocks(leaves: number, blockSize: number): number | undefined {
  const root = indexLimit(ROOT_HEAD, blockSize)
  if (leaves <= root) return 1
  const nodes = Math.ceil(leaves / indexLimit(NODE_HEAD, blockSize))
  return nodes <= root ? 1 + nodes : undefined
}

/**
 * Writes the index over the leaves of a directory: the rest of block 0, and the blocks behind it.
 * @param blocks the whole directory; block 0 holds its first two entries already
 * @param hashes first hash of each leaf, in order; the leaves follow the index
 * @param seed checksum seed of the directory's inode
 */
export function writeIndex(
  blocks: Uint8Array,
  blockSize: number,
  hashes: readonly number[],
  seed: number,
): void {
  const count = indexBlocks(hashes.length, blockSize) as number
  const leaves = hashes.map((hash, index) => ({ hash, block: count + index }))
  const perNode = indexLimit(NODE_HEAD, blockSize)
  const nodes = Array.from({ length: count - 1 }, (_, index) => ({
    hash: hashes[index * perNode] as number,
    block: 1 + index,
  }))
  DxRootInfo.write(blocks, ROOT_HEAD - DxRootInfo.size, {
    hashVersion: DX_HASH_HALF_MD4,
    infoLength: DxRootInfo.size,
    indirectLevels: nodes.length > 0 ? 1 : 0,
  })
  const root = blocks.subarray(0, blockSize)
  writeIndexBlock(root, ROOT_HEAD, nodes.length > 0 ? nodes : leaves, seed)
  for (const [index, { block }] of nodes.entries()) {
    const node = blocks.subarray(block * blockSize, (block + 1) * blockSize)
    DirEntry.write(node, 0, { recLen: blockSize })
    writeIndexBlock(node, NODE_HEAD, leaves.slice(index * perNode, (index + 1) * perNode), seed)
  }
}

function writeIndexBlock(
  block: Uint8Array,
  head: number,
  entries: readonly { hash: number; block: number }[],
  seed: number,
): void {
  const limit = indexLimit(head, block.length)
  const entry = DxEntry.at(block)
  for (const [index, { hash, block: target }] of entries.entries()) {
    entry.base = head + index * DxEntry.size
    entry.hash = hash
    entry.block = target
  }
  // The first hash is known from above; its place holds the counts.
  DxCountLimit.write(block, head, { limit, count: entries.length })
  const checksum = indexBlockChecksum(block, head, entries.length, limit, seed)
  DxTail.write(block, head + limit * DxEntry.size, { checksum })
}
