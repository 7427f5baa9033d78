import { bytes, flags64, struct, u8, u16, u32, u64 } from '@bootable/bytes'

/*
 * EROFS as `fs/erofs/erofs_fs.h` of Linux describes it, and the header of composefs, which is an EROFS with
 * a preface (`libcomposefs/lcfs-erofs.h`). All integers are little-endian.
 */

/** Bytes before the superblock: room for a boot sector, or for the header of composefs. */
export const EROFS_SUPER_OFFSET = 1024
export const EROFS_SUPER_MAGIC = 0xe0f5_e1e2

export const SuperBlock = struct('erofs_super_block', 128, {
  magic: u32(0x00), // magic
  checksum: u32(0x04), // checksum
  featureCompat: u32(0x08), // feature_compat
  blkszbits: u8(0x0c), // blkszbits
  extslots: u8(0x0d), // sb_extslots
  rootNid: u16(0x0e), // root_nid

  inos: u64(0x10), // inos
  buildTime: u64(0x18), // build_time

  buildTimeNsec: u32(0x20), // build_time_nsec
  blocks: u32(0x24), // blocks
  metaBlkaddr: u32(0x28), // meta_blkaddr
  xattrBlkaddr: u32(0x2c), // xattr_blkaddr

  uuid: bytes(0x30, 16), // uuid

  volumeName: bytes(0x40, 16), // volume_name

  featureIncompat: u32(0x50), // feature_incompat
  availableComprAlgs: u16(0x54), // u1.available_compr_algs
  extraDevices: u16(0x56), // extra_devices
  devtSlotoff: u16(0x58), // devt_slotoff
  dirblkbits: u8(0x5a), // dirblkbits
  xattrPrefixCount: u8(0x5b), // xattr_prefix_count
  xattrPrefixStart: u32(0x5c), // xattr_prefix_start

  packedNid: u64(0x60), // packed_nid
  xattrFilterReserved: u8(0x68), // xattr_filter_reserved
})

/** What stands before the superblock of a composefs image (`lcfs_erofs_header_s`). */
export const ComposefsHeader = struct('lcfs_erofs_header_s', 32, {
  magic: u32(0x00), // magic
  version: u32(0x04), // version
  flags: u32(0x08), // flags
  composefsVersion: u32(0x0c), // composefs_version
})

/** The inode of 32 bytes: the time of the superblock, 16-bit owners, 32-bit sizes. */
export const InodeCompact = struct('erofs_inode_compact', 32, {
  format: u16(0x00), // i_format
  xattrIcount: u16(0x02), // i_xattr_icount
  mode: u16(0x04), // i_mode
  nlink: u16(0x06), // i_nlink
  size: u32(0x08), // i_size

  u: u32(0x10), // i_u
  ino: u32(0x14), // i_ino
  uid: u16(0x18), // i_uid
  gid: u16(0x1a), // i_gid
})

/** The inode of 64 bytes. */
export const InodeExtended = struct('erofs_inode_extended', 64, {
  format: u16(0x00), // i_format
  xattrIcount: u16(0x02), // i_xattr_icount
  mode: u16(0x04), // i_mode
  size: u64(0x08), // i_size

  u: u32(0x10), // i_u
  ino: u32(0x14), // i_ino
  uid: u32(0x18), // i_uid
  gid: u32(0x1c), // i_gid

  mtime: flags64(0x20), // i_mtime, signed
  mtimeNsec: u32(0x28), // i_mtime_nsec
  nlink: u32(0x2c), // i_nlink
})

/** Before the attributes of an inode; the numbers of shared ones follow. */
export const XattrIbodyHeader = struct('erofs_xattr_ibody_header', 12, {
  nameFilter: u32(0x00), // h_name_filter
  sharedCount: u8(0x04), // h_shared_count
})

/** Before a name without its prefix and a value; padded to four bytes. */
export const XattrEntry = struct('erofs_xattr_entry', 4, {
  nameLen: u8(0x00), // e_name_len
  nameIndex: u8(0x01), // e_name_index
  valueSize: u16(0x02), // e_value_size
})

/** One name of a directory. The names of a block stand behind all its entries. */
export const Dirent = struct('erofs_dirent', 12, {
  nid: u64(0x00), // nid
  nameoff: u16(0x08), // nameoff
  fileType: u8(0x0a), // file_type
})

/** Where a chunk of a file lies, with `EROFS_CHUNK_FORMAT_INDEXES`; else only the address, in four bytes. */
export const ChunkIndex = struct('erofs_inode_chunk_index', 8, {
  deviceId: u16(0x02), // device_id
  blkaddr: u32(0x04), // blkaddr
})

/** Inodes stand at multiples of it; a nid counts them. */
export const EROFS_SLOTSIZE = 32
/** `blkszbits` of everything that is written here. */
export const BLOCK_BITS = 12
export const BLOCK_SIZE = 1 << BLOCK_BITS

// feature_compat
export const EROFS_FEATURE_COMPAT_SB_CHKSUM = 0x1
/** Times are those of the content, not of the last change of the inode. */
export const EROFS_FEATURE_COMPAT_MTIME = 0x2
/** `h_name_filter` can be trusted (Linux 6.6). */
export const EROFS_FEATURE_COMPAT_XATTR_FILTER = 0x4

// feature_incompat
export const EROFS_FEATURE_INCOMPAT_CHUNKED_FILE = 0x4
/** Up to `XATTR_PREFIXES`: what is beyond changes where inodes lie (48BIT, METABOX). */
export const EROFS_FEATURE_INCOMPAT_KNOWN = 0x7f

// i_format
export const EROFS_I_VERSION_EXTENDED = 0x1
export const EROFS_I_DATALAYOUT_SHIFT = 1
export const EROFS_I_DATALAYOUT_MASK = 0x7
export const EROFS_I_ALL = 0xf

/** How the content of an inode is kept (`i_format`). */
export const EROFS_INODE_FLAT_PLAIN = 0
export const EROFS_INODE_FLAT_INLINE = 2
export const EROFS_INODE_CHUNK_BASED = 4

// i_u of chunk-based inodes
export const EROFS_CHUNK_FORMAT_BLKBITS_MASK = 0x1f
export const EROFS_CHUNK_FORMAT_INDEXES = 0x20
/** The address of a chunk that is not there: it reads as zero. */
export const EROFS_NULL_ADDR = 0xffff_ffff

/** Seed of the hash that spreads names over `h_name_filter`; the index of the prefix is added. */
export const EROFS_XATTR_FILTER_SEED = 0x25bb_e08f
export const EROFS_XATTR_FILTER_DEFAULT = 0xffff_ffff
/** `e_name_index`: the prefix stands in a table of the superblock. */
export const EROFS_XATTR_LONG_PREFIX = 0x80

export const LCFS_EROFS_MAGIC = 0xd078_629a
export const LCFS_EROFS_VERSION = 1
export const LCFS_EROFS_FLAGS_HAS_ACL = 0x1

/** Longest name of a directory, in bytes. */
export const EROFS_NAME_LEN = 255
