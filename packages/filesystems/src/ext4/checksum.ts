import { rawCrc32c } from '@bootable/bytes'
import { DirEntryTail, DxTail, GroupDescriptor, InodeStruct, SuperBlock, XattrHeader } from './format.ts'

/*
 * Checksums of the feature metadata_csum (`Documentation/filesystems/ext4/checksums.rst`): crc32c, never
 * inverted, seeded with the uuid and with what the structure belongs to.
 */

const WORD = new Uint8Array(8)
const WORD_VIEW = new DataView(WORD.buffer)

/** The seed of a filesystem: `s_csum_seed` of the kernel. */
export function filesystemSeed(uuid: Uint8Array): number {
  return rawCrc32c(uuid, 0xffff_ffff)
}

/** The seed of everything that belongs to one inode: its number and generation. */
export function inodeSeed(seed: number, inode: number, generation: number): number {
  WORD_VIEW.setUint32(0, inode, true)
  WORD_VIEW.setUint32(4, generation, true)
  return rawCrc32c(WORD, seed, 0, 8)
}

/** `s_checksum`, over all bytes before it. */
export function superblockChecksum(bytes: Uint8Array): number {
  return rawCrc32c(bytes, 0xffff_ffff, 0, SuperBlock.fields.checksum.offset)
}

/** `bg_checksum` of the descriptor at `base`: the low half of the checksum of its group number and bytes. */
export function descriptorChecksum(
  bytes: Uint8Array,
  base: number,
  size: number,
  group: number,
  seed: number,
): number {
  const field = base + GroupDescriptor.fields.checksum.offset
  WORD_VIEW.setUint32(0, group, true)
  WORD_VIEW.setUint16(4, 0, true)
  const head = rawCrc32c(bytes, rawCrc32c(WORD, seed, 0, 4), base, field)
  return rawCrc32c(bytes, rawCrc32c(WORD, head, 4, 6), field + 2, base + size) & 0xffff
}

/** The checksum of an inode of `size` bytes at `base`, its two checksum fields taken as zero. */
export function inodeChecksum(bytes: Uint8Array, base: number, size: number, seed: number): number {
  const low = base + InodeStruct.fields.checksumLo.offset
  const high = base + InodeStruct.fields.checksumHi.offset
  WORD_VIEW.setUint16(0, 0, true)
  let crc = rawCrc32c(bytes, seed, base, low)
  crc = rawCrc32c(WORD, crc, 0, 2)
  if (high + 2 > base + size) return rawCrc32c(bytes, crc, low + 2, base + size)
  crc = rawCrc32c(bytes, crc, low + 2, high)
  crc = rawCrc32c(WORD, crc, 0, 2)
  return rawCrc32c(bytes, crc, high + 2, base + size)
}

/** Writes the checksum of everything before `at` there: extent blocks (`ext4_extent_tail`). */
export function sealTail(bytes: Uint8Array, at: number, seed: number): void {
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(at, rawCrc32c(bytes, seed, 0, at), true)
}

/** Checksum of a directory block that ends in a tail: `det_checksum`. @param block one whole block */
export function directoryBlockChecksum(block: Uint8Array, seed: number): number {
  return rawCrc32c(block, seed, 0, block.length - DirEntryTail.size)
}

/**
 * Checksum of an index block: `dt_checksum`.
 * @param entries first byte of its `dx_countlimit`; @param count entries in use; @param limit their maximum
 */
export function indexBlockChecksum(
  block: Uint8Array,
  entries: number,
  count: number,
  limit: number,
  seed: number,
): number {
  const tail = entries + limit * 8
  WORD_VIEW.setUint32(0, 0, true)
  const crc = rawCrc32c(block, rawCrc32c(block, seed, 0, entries + count * 8), tail, tail + DxTail.size - 4)
  return rawCrc32c(WORD, crc, 0, 4)
}

/** `h_checksum` of the attribute block at block `number`, its field taken as zero. */
export function xattrBlockChecksum(block: Uint8Array, number: number, seed: number): number {
  WORD_VIEW.setUint32(0, number % 2 ** 32, true)
  WORD_VIEW.setUint32(4, Math.floor(number / 2 ** 32), true)
  const field = XattrHeader.fields.checksum.offset
  const head = rawCrc32c(block, rawCrc32c(WORD, seed, 0, 8), 0, field)
  WORD_VIEW.setUint32(0, 0, true)
  return rawCrc32c(block, rawCrc32c(WORD, head, 0, 4), field + 4)
}
