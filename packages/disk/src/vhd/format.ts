import { ascii, bytes, flags64be, struct, u8, u16be, u32be, u64be } from '@bootable/bytes'

export const SECTOR = 512

/** Microsoft's Virtual Hard Disk Image Format 1.0, "Hard Disk Footer Format", and its names. */
export const Footer = struct('vhd footer', SECTOR, {
  cookie: ascii(0x00, 8),
  features: u32be(0x08),
  fileFormatVersion: u32be(0x0c),

  dataOffset: flags64be(0x10), // of the dynamic header, or all ones
  timeStamp: u32be(0x18), // seconds since 2000
  creatorApplication: ascii(0x1c, 4),

  creatorVersion: u32be(0x20),
  creatorHostOs: ascii(0x24, 4),
  originalSize: u64be(0x28),

  currentSize: u64be(0x30),
  cylinders: u16be(0x38),
  heads: u8(0x3a),
  sectorsPerTrack: u8(0x3b),
  diskType: u32be(0x3c),

  checksum: u32be(0x40),
  uniqueId: bytes(0x44, 16),

  savedState: u8(0x54),
})

export const FOOTER_COOKIE = 'conectix'
/** `features`: a bit that must be set. */
export const FEATURES_RESERVED = 2
export const FILE_FORMAT_VERSION = 0x0001_0000
/** `dataOffset` of a fixed disk. */
export const NO_DATA_OFFSET = 0xffff_ffff_ffff_ffffn

export const DISK_TYPE_FIXED = 2
export const DISK_TYPE_DYNAMIC = 3
export const DISK_TYPE_DIFFERENCING = 4

/** "Dynamic Disk Header Format". */
export const DynamicHeader = struct('vhd dynamic header', 1024, {
  cookie: ascii(0x000, 8),
  dataOffset: flags64be(0x008),

  tableOffset: u64be(0x010),
  headerVersion: u32be(0x018),
  maxTableEntries: u32be(0x01c),

  blockSize: u32be(0x020),
  checksum: u32be(0x024),
})

export const DYNAMIC_COOKIE = 'cxsparse'

/** Entry of the block allocation table for a block that the file does not have. */
export const BLOCK_UNUSED = 0xffff_ffff
/** Bytes of such an entry, which counts sectors. */
export const ENTRY_SIZE = 4

/** 2000-01-01 00:00:00 UTC in seconds since 1970. */
export const EPOCH = 946_684_800

/** The largest geometry: whoever finds it takes the size from `currentSize`. */
export const MAX_GEOMETRY = { cylinders: 65_535, heads: 16, sectorsPerTrack: 255 } as const

/** The one's complement of the sum of all bytes but those of the checksum itself. */
export function checksum(
  structure: Uint8Array,
  field: { readonly offset: number; readonly size: number },
): number {
  let sum = 0
  for (const byte of structure) sum += byte
  for (const byte of structure.subarray(field.offset, field.offset + field.size)) sum -= byte
  return ~sum >>> 0
}
