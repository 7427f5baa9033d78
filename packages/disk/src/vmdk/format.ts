import { ascii, bytes, flags64, struct, u8, u16, u32, u64 } from '@bootable/bytes'

/** Everything in a vmdk counts sectors of this size. */
export const SECTOR = 512

export const MAGIC = 'KDMV'

/** VMware's Virtual Disk Format 1.1, "Hosted Sparse Extents": `SparseExtentHeader`, and its names. */
export const SparseExtentHeader = struct('vmdk sparse header', SECTOR, {
  magicNumber: ascii(0x00, 4),
  version: u32(0x04),
  flags: u32(0x08),
  capacity: u64(0x0c),

  grainSize: u64(0x14),
  descriptorOffset: u64(0x1c),

  descriptorSize: u64(0x24),
  numGtesPerGt: u32(0x2c),
  rgdOffset: u64(0x30),

  gdOffset: flags64(0x38), // a position, or GD_AT_END
  overHead: u64(0x40),

  uncleanShutdown: u8(0x48),
  newLineTest: bytes(0x49, 4), // singleEndLineChar to doubleEndLineChar2
  compressAlgorithm: u16(0x4d),
})

/** `flags`: the new line test is there. */
export const FLAG_NEW_LINE_TEST = 0x1
/** There is a second, redundant grain directory. */
export const FLAG_REDUNDANT_DIRECTORY = 0x2
/** An entry of 1 in a grain table means a grain of zeros. */
export const FLAG_ZERO_GRAIN = 0x4
/** Grains are compressed. */
export const FLAG_COMPRESSED = 0x1_0000
/** Every grain follows a marker that says which one it is. */
export const FLAG_MARKERS = 0x2_0000

/** What transfers as text would change. */
export const NEW_LINE_TEST = Uint8Array.of(0x0a, 0x20, 0x0d, 0x0a)

/** The directory stands at the end of the file; a copy of the header before it says where. */
export const GD_AT_END = 0xffff_ffff_ffff_ffffn

export const COMPRESSION_NONE = 0
export const COMPRESSION_DEFLATE = 1

/** `GrainMarker`, and `Marker` where `size` is 0: then there are a type and the rest of a sector. */
export const Marker = struct('vmdk marker', 16, {
  value: u64(0x00), // lba of a grain; sectors of what follows other markers
  size: u32(0x08),
  type: u32(0x0c), // first bytes of the data of a grain
})
/** Bytes before the data of a compressed grain. */
export const GRAIN_MARKER_SIZE = 12

export const MARKER_END_OF_STREAM = 0
export const MARKER_FOOTER = 3

/** Bytes of an entry of a grain table or directory. */
export const ENTRY_SIZE = 4
/** The entry that {@link FLAG_ZERO_GRAIN} gives a meaning. */
export const ENTRY_ZERO = 1

/** Entries of a grain table. VMware's and QEMU's tables have that many, and none may have more. */
export const ENTRIES_PER_TABLE = 512

/** CID of the parent of a disk that has none. */
export const NO_PARENT = 'ffffffff'
