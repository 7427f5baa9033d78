import { bytes, flags64be, struct, u8, u32be, u64be } from '@bootable/bytes'

/** `QFI\xfb` */
export const MAGIC = 0x5146_49fb

/** Length of the header of version 2, and of version 3 without a compression type. */
export const HEADER_LENGTH_V2 = 72
export const HEADER_LENGTH_V3 = 104

/** QEMU's docs/interop/qcow2.txt, "Header"; the names are those of `QCowHeader`. */
export const Qcow2Header = struct('qcow2 header', 112, {
  magic: u32be(0x00),
  version: u32be(0x04),
  backingFileOffset: u64be(0x08),

  backingFileSize: u32be(0x10),
  clusterBits: u32be(0x14),
  size: u64be(0x18),

  cryptMethod: u32be(0x20),
  l1Size: u32be(0x24),
  l1TableOffset: u64be(0x28),

  refcountTableOffset: u64be(0x30),
  refcountTableClusters: u32be(0x38),
  nbSnapshots: u32be(0x3c),

  snapshotsOffset: u64be(0x40),
  incompatibleFeatures: flags64be(0x48), // from here on version 3

  compatibleFeatures: flags64be(0x50),
  autoclearFeatures: flags64be(0x58),

  refcountOrder: u32be(0x60),
  headerLength: u32be(0x64),
  compressionType: u8(0x68), // where header_length is above 104
  padding: bytes(0x69, 7),
})

/** Incompatible feature: the refcounts may be stale. Mappings are right nevertheless. */
export const INCOMPAT_DIRTY = 1n << 0n
/** Incompatible feature: `compression_type` is not zlib. */
export const INCOMPAT_COMPRESSION_TYPE = 1n << 3n

export const COMPRESSION_ZLIB = 0
export const COMPRESSION_ZSTD = 1

/** Header extension: what the feature bits are called, for a program that has to refuse one. */
export const EXTENSION_FEATURE_NAMES = 0x6803_f857

/** Kind, bit and name of every feature, as QEMU writes them into each image. */
export const FEATURE_NAMES: readonly (readonly [kind: 0 | 1 | 2, bit: number, name: string])[] = [
  [0, 0, 'dirty bit'],
  [0, 1, 'corrupt bit'],
  [0, 2, 'external data file'],
  [0, 3, 'compression type'],
  [0, 4, 'extended L2 entries'],
  [1, 0, 'lazy refcounts'],
  [2, 0, 'bitmaps'],
  [2, 1, 'raw external data'],
]
/** Bytes of one of them, 46 for the name. */
export const FEATURE_NAME_SIZE = 48

/** Bounds of `cluster_bits` in QEMU: 512 bytes to 2 MiB. */
export const MIN_CLUSTER_BITS = 9
export const MAX_CLUSTER_BITS = 21

/** QEMU's `QCOW_MAX_L1_SIZE`, in bytes. */
export const MAX_L1_BYTES = 32 * 1024 ** 2

/** Bytes of an entry of L1, L2 and refcount table. */
export const ENTRY_SIZE = 8

/**
 * Entries of L1 and L2 tables are handled as two halves of 32 bits, since one disk has millions of them
 * and bigint is slow. These are bits of the upper half.
 */
export const HIGH_COPIED = 0x8000_0000 // bit 63: refcount is exactly one
export const HIGH_COMPRESSED = 0x4000_0000 // bit 62
/** Bits 32 to 55: the upper part of a host offset. */
export const HIGH_OFFSET_MASK = 0x00ff_ffff
/** Bits 56 to 61, reserved in the entries of plain clusters. */
export const HIGH_RESERVED = 0x3f00_0000
/** Bits 9 to 31: the lower part of a host offset. */
export const LOW_OFFSET_MASK = 0xffff_fe00
/** Bit 0 of an entry of a plain cluster: it reads as zero, whatever its offset (version 3). */
export const LOW_ZERO = 0x1

/** Compressed data is counted in sectors of this size. */
export const SECTOR = 512

/** Base-two logarithm of the deflate window that QEMU inflates with. */
export const WINDOW_BITS = 12
