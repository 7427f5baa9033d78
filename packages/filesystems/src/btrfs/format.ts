import { array, ascii, bytes, type Field, flags64, struct, u8, u16, u32, u64 } from '@bootable/bytes'

/*
 * The structures of btrfs as `include/uapi/linux/btrfs_tree.h` and `fs/btrfs/accessors.h` print them. All of
 * them are packed, so no blank lines stand at 16 bytes. Constants keep the kernel's spelling.
 */

/** `_BHRfS_M`. */
export const BTRFS_MAGIC = '_BHRfS_M'
export const BTRFS_SUPER_INFO_SIZE = 4096
/** Where the superblock lies (`btrfs_sb_offset`): the primary, and the mirrors that the device has room for. */
export const SUPERBLOCK_OFFSETS: readonly [number, number, number] = [65_536, 2 ** 26, 2 ** 38]
/** Bytes at the start of a device that no chunk may use (`BTRFS_DEVICE_RANGE_RESERVED`). */
export const BTRFS_DEVICE_RANGE_RESERVED = 1_048_576
/** `BTRFS_STRIPE_LEN`: around each superblock so many bytes hold nothing else. */
export const BTRFS_STRIPE_LEN = 65_536

/** Objects with a number of their own (`*_OBJECTID`). */
export const BTRFS_ROOT_TREE_OBJECTID = 1
export const BTRFS_EXTENT_TREE_OBJECTID = 2
export const BTRFS_CHUNK_TREE_OBJECTID = 3
export const BTRFS_DEV_TREE_OBJECTID = 4
export const BTRFS_FS_TREE_OBJECTID = 5
export const BTRFS_ROOT_TREE_DIR_OBJECTID = 6
export const BTRFS_CSUM_TREE_OBJECTID = 7
export const BTRFS_UUID_TREE_OBJECTID = 9
export const BTRFS_FREE_SPACE_TREE_OBJECTID = 10
export const BTRFS_DEV_STATS_OBJECTID = 0
export const BTRFS_DEV_ITEMS_OBJECTID = 1
export const BTRFS_FIRST_FREE_OBJECTID = 256
export const BTRFS_FIRST_CHUNK_TREE_OBJECTID = 256
export const BTRFS_DATA_RELOC_TREE_OBJECTID = 2n ** 64n - 9n
export const BTRFS_EXTENT_CSUM_OBJECTID = 2n ** 64n - 10n
/** The offset of a key that means whatever version of a root is there. */
export const ANY_VERSION = 2n ** 64n - 1n

/** Types of items (`*_KEY`), in the order in which one object's items stand in a tree. */
export const BTRFS_INODE_ITEM_KEY = 1
export const BTRFS_INODE_REF_KEY = 12
export const BTRFS_INODE_EXTREF_KEY = 13
export const BTRFS_XATTR_ITEM_KEY = 24
export const BTRFS_DIR_ITEM_KEY = 84
export const BTRFS_DIR_INDEX_KEY = 96
export const BTRFS_EXTENT_DATA_KEY = 108
export const BTRFS_EXTENT_CSUM_KEY = 128
export const BTRFS_ROOT_ITEM_KEY = 132
export const BTRFS_ROOT_BACKREF_KEY = 144
export const BTRFS_ROOT_REF_KEY = 156
export const BTRFS_EXTENT_ITEM_KEY = 168
export const BTRFS_METADATA_ITEM_KEY = 169
export const BTRFS_TREE_BLOCK_REF_KEY = 176
export const BTRFS_EXTENT_DATA_REF_KEY = 178
export const BTRFS_BLOCK_GROUP_ITEM_KEY = 192
export const BTRFS_FREE_SPACE_INFO_KEY = 198
export const BTRFS_FREE_SPACE_EXTENT_KEY = 199
export const BTRFS_DEV_EXTENT_KEY = 204
export const BTRFS_DEV_ITEM_KEY = 216
export const BTRFS_CHUNK_ITEM_KEY = 228
export const BTRFS_PERSISTENT_ITEM_KEY = 249
export const BTRFS_UUID_KEY_SUBVOL = 251

/** Features that a reader must know (`incompat_flags`). */
export const BTRFS_FEATURE_INCOMPAT_MIXED_BACKREF = 0x0001n
export const BTRFS_FEATURE_INCOMPAT_DEFAULT_SUBVOL = 0x0002n
export const BTRFS_FEATURE_INCOMPAT_COMPRESS_ZSTD = 0x0010n
export const BTRFS_FEATURE_INCOMPAT_BIG_METADATA = 0x0020n
export const BTRFS_FEATURE_INCOMPAT_EXTENDED_IREF = 0x0040n
export const BTRFS_FEATURE_INCOMPAT_SKINNY_METADATA = 0x0100n
export const BTRFS_FEATURE_INCOMPAT_NO_HOLES = 0x0200n
export const BTRFS_FEATURE_INCOMPAT_METADATA_UUID = 0x0400n

/** Features that a writer must know (`compat_ro_flags`). */
export const BTRFS_FEATURE_COMPAT_RO_FREE_SPACE_TREE = 0x1n
export const BTRFS_FEATURE_COMPAT_RO_FREE_SPACE_TREE_VALID = 0x2n

/** Types of block groups, and the profiles that stand beside them. */
export const BTRFS_BLOCK_GROUP_DATA = 0x01n
export const BTRFS_BLOCK_GROUP_SYSTEM = 0x02n
export const BTRFS_BLOCK_GROUP_METADATA = 0x04n
export const BTRFS_BLOCK_GROUP_DUP = 0x20n

/** `csum_type`. */
export const BTRFS_CSUM_TYPE_CRC32 = 0
/** Bytes of a checksum of data. */
export const CSUM_SIZE = 4
/** Bytes of the checksum field of superblocks and tree blocks, which it does not cover. */
export const BTRFS_CSUM_SIZE = 32

/** `BTRFS_HEADER_FLAG_WRITTEN`, in superblocks and tree blocks. */
export const BTRFS_HEADER_FLAG_WRITTEN = 1n
/** `BTRFS_MIXED_BACKREF_REV`, in the uppermost byte of a tree block's flags. */
export const BACKREF_REVISION = 1n << 56n

/** `btrfs_inode_item.flags`. */
export const BTRFS_INODE_NODATASUM = 0x01n
export const BTRFS_INODE_IMMUTABLE = 0x40n
export const BTRFS_INODE_COMPRESS = 0x800n
/** Of the inode in a root item: its flags and limits have been set, and are no leftovers of old kernels. */
export const BTRFS_INODE_ROOT_ITEM_INIT = 0x8000_0000n
/** `btrfs_root_item.flags`. */
export const BTRFS_ROOT_SUBVOL_RDONLY = 1n

/** `btrfs_file_extent_item.type`. */
export const BTRFS_FILE_EXTENT_INLINE = 0
export const BTRFS_FILE_EXTENT_REG = 1
export const BTRFS_FILE_EXTENT_PREALLOC = 2

/** `btrfs_file_extent_item.compression`. */
export const BTRFS_COMPRESS_NONE = 0
export const BTRFS_COMPRESS_ZLIB = 1
export const BTRFS_COMPRESS_LZO = 2
export const BTRFS_COMPRESS_ZSTD = 3

/** `btrfs_extent_item.flags`. */
export const BTRFS_EXTENT_FLAG_DATA = 1
export const BTRFS_EXTENT_FLAG_TREE_BLOCK = 2

/** Types of directory entries. */
export const BTRFS_FT_REG_FILE = 1
export const BTRFS_FT_DIR = 2
export const BTRFS_FT_CHRDEV = 3
export const BTRFS_FT_BLKDEV = 4
export const BTRFS_FT_FIFO = 5
export const BTRFS_FT_SOCK = 6
export const BTRFS_FT_SYMLINK = 7
export const BTRFS_FT_XATTR = 8

export const BTRFS_NAME_LEN = 255
/** The deepest that a tree may be (`BTRFS_MAX_LEVEL`). */
export const BTRFS_MAX_LEVEL = 8
/** Bytes of a file that one compressed extent can hold at most (`BTRFS_MAX_UNCOMPRESSED`). */
export const BTRFS_MAX_UNCOMPRESSED = 131_072
/** Bytes that one plain extent can hold at most (`BTRFS_MAX_EXTENT_SIZE`). */
export const BTRFS_MAX_EXTENT_SIZE = 2 ** 27
/** `root_item` before 2011, without uuids and times (`btrfs_legacy_root_item_size`). */
export const LEGACY_ROOT_ITEM_SIZE = 239

/** The signed twin of `u64`: seconds of a time. */
const s64 = (offset: number): Field<number> => ({
  ...u64(offset),
  get: (view, at) => view.getInt32(at + 4, true) * 2 ** 32 + view.getUint32(at, true),
})

/** `btrfs_super_block`, up to its end. */
export const SuperBlock = struct('btrfs_super_block', BTRFS_SUPER_INFO_SIZE, {
  csum: u32(0x00),
  fsid: bytes(0x20, 16),
  bytenr: u64(0x30),
  flags: flags64(0x38),
  magic: ascii(0x40, 8),
  generation: u64(0x48),
  root: u64(0x50),
  chunkRoot: u64(0x58), // chunk_root
  logRoot: u64(0x60), // log_root
  totalBytes: u64(0x70), // total_bytes
  bytesUsed: u64(0x78), // bytes_used
  rootDirObjectid: u64(0x80), // root_dir_objectid
  numDevices: u64(0x88), // num_devices
  sectorsize: u32(0x90),
  nodesize: u32(0x94),
  leafsize: u32(0x98),
  stripesize: u32(0x9c),
  sysChunkArraySize: u32(0xa0), // sys_chunk_array_size
  chunkRootGeneration: u64(0xa4), // chunk_root_generation
  compatFlags: flags64(0xac), // compat_flags
  compatRoFlags: flags64(0xb4), // compat_ro_flags
  incompatFlags: flags64(0xbc), // incompat_flags
  csumType: u16(0xc4), // csum_type
  rootLevel: u8(0xc6), // root_level
  chunkRootLevel: u8(0xc7), // chunk_root_level
  logRootLevel: u8(0xc8), // log_root_level
  devItem: bytes(0xc9, 98), // dev_item
  label: bytes(0x12b, 256),
  cacheGeneration: u64(0x22b), // cache_generation
  uuidTreeGeneration: u64(0x233), // uuid_tree_generation
  metadataUuid: bytes(0x23b, 16), // metadata_uuid
  sysChunkArray: bytes(0x32b, 2048), // sys_chunk_array
  superRoots: bytes(0xb2b, 4 * 168), // super_roots
})

/** `btrfs_root_backup`. */
export const RootBackup = struct('btrfs_root_backup', 168, {
  treeRoot: u64(0x00), // tree_root
  treeRootGen: u64(0x08), // tree_root_gen
  chunkRoot: u64(0x10), // chunk_root
  chunkRootGen: u64(0x18), // chunk_root_gen
  extentRoot: u64(0x20), // extent_root
  extentRootGen: u64(0x28), // extent_root_gen
  fsRoot: u64(0x30), // fs_root
  fsRootGen: u64(0x38), // fs_root_gen
  devRoot: u64(0x40), // dev_root
  devRootGen: u64(0x48), // dev_root_gen
  csumRoot: u64(0x50), // csum_root
  csumRootGen: u64(0x58), // csum_root_gen
  totalBytes: u64(0x60), // total_bytes
  bytesUsed: u64(0x68), // bytes_used
  numDevices: u64(0x70), // num_devices
  treeRootLevel: u8(0x98), // tree_root_level
  chunkRootLevel: u8(0x99), // chunk_root_level
  extentRootLevel: u8(0x9a), // extent_root_level
  fsRootLevel: u8(0x9b), // fs_root_level
  devRootLevel: u8(0x9c), // dev_root_level
  csumRootLevel: u8(0x9d), // csum_root_level
})

/** `btrfs_disk_key`. */
export const DiskKey = struct('btrfs_disk_key', 17, {
  objectid: flags64(0x00),
  type: u8(0x08),
  offset: flags64(0x09),
})

/** `btrfs_header`, at the start of every tree block. */
export const Header = struct('btrfs_header', 101, {
  csum: u32(0x00),
  fsid: bytes(0x20, 16),
  bytenr: u64(0x30),
  flags: flags64(0x38),
  chunkTreeUuid: bytes(0x40, 16), // chunk_tree_uuid
  generation: u64(0x50),
  owner: flags64(0x58),
  nritems: u32(0x60),
  level: u8(0x64),
})

/** `btrfs_item`: a key, and where its data lies, counted from the end of the header. */
export const Item = struct('btrfs_item', 25, {
  objectid: flags64(0x00),
  type: u8(0x08),
  keyOffset: flags64(0x09), // key.offset
  offset: u32(0x11),
  size: u32(0x15),
})

/** `btrfs_key_ptr`. */
export const KeyPointer = struct('btrfs_key_ptr', 33, {
  objectid: flags64(0x00),
  type: u8(0x08),
  keyOffset: flags64(0x09), // key.offset
  blockptr: u64(0x11),
  generation: u64(0x19),
})

const TIMES = {
  atime: s64(0x70),
  atimeNsec: u32(0x78), // atime.nsec
  ctime: s64(0x7c),
  ctimeNsec: u32(0x84), // ctime.nsec
  mtime: s64(0x88),
  mtimeNsec: u32(0x90), // mtime.nsec
  otime: s64(0x94),
  otimeNsec: u32(0x9c), // otime.nsec
}

/** `btrfs_inode_item`. */
export const InodeItem = struct('btrfs_inode_item', 160, {
  generation: flags64(0x00),
  transid: flags64(0x08),
  size: u64(0x10),
  nbytes: u64(0x18),
  blockGroup: flags64(0x20), // block_group
  nlink: u32(0x28),
  uid: u32(0x2c),
  gid: u32(0x30),
  mode: u32(0x34),
  rdev: u64(0x38),
  flags: flags64(0x40),
  sequence: flags64(0x48),
  ...TIMES,
})

/** `btrfs_inode_ref`; the name follows. */
export const InodeRef = struct('btrfs_inode_ref', 10, {
  index: u64(0x00),
  nameLen: u16(0x08), // name_len
})

/** `btrfs_inode_extref`; the name follows. */
export const InodeExtref = struct('btrfs_inode_extref', 18, {
  parentObjectid: u64(0x00), // parent_objectid
  index: u64(0x08),
  nameLen: u16(0x10), // name_len
})

/** `btrfs_dir_item`, also of an extended attribute; the name follows, and then the data. */
export const DirItem = struct('btrfs_dir_item', 30, {
  objectid: flags64(0x00), // location.objectid
  locationType: u8(0x08), // location.type
  locationOffset: flags64(0x09), // location.offset
  transid: flags64(0x11), // mkfs.btrfs leaves garbage in it
  dataLen: u16(0x19), // data_len
  nameLen: u16(0x1b), // name_len
  type: u8(0x1d),
})

/** `btrfs_file_extent_item` up to `type`; behind it stands inline content. */
export const FileExtentHeader = struct('btrfs_file_extent_item', 21, {
  generation: u64(0x00),
  ramBytes: u64(0x08), // ram_bytes
  compression: u8(0x10),
  encryption: u8(0x11),
  otherEncoding: u16(0x12), // other_encoding
  type: u8(0x14),
})

/** `btrfs_file_extent_item` of an extent on disk. */
export const FileExtent = struct('btrfs_file_extent_item', 53, {
  ...FileExtentHeader.fields,
  diskBytenr: u64(0x15), // disk_bytenr
  diskNumBytes: u64(0x1d), // disk_num_bytes
  offset: u64(0x25),
  numBytes: u64(0x2d), // num_bytes
})

/** `btrfs_root_item`. */
export const RootItem = struct('btrfs_root_item', 439, {
  inode: bytes(0x00, 160),
  generation: u64(0xa0),
  rootDirid: u64(0xa8), // root_dirid
  bytenr: u64(0xb0),
  byteLimit: u64(0xb8), // byte_limit
  bytesUsed: u64(0xc0), // bytes_used
  lastSnapshot: u64(0xc8), // last_snapshot
  flags: flags64(0xd0),
  refs: u32(0xd8),
  dropProgress: bytes(0xdc, 17), // drop_progress
  dropLevel: u8(0xed), // drop_level
  level: u8(0xee),
  generationV2: u64(0xef), // generation_v2
  uuid: bytes(0xf7, 16),
  parentUuid: bytes(0x107, 16), // parent_uuid
  receivedUuid: bytes(0x117, 16), // received_uuid
  ctransid: u64(0x127),
  otransid: u64(0x12f),
  stransid: u64(0x137),
  rtransid: u64(0x13f),
  ctime: s64(0x147),
  ctimeNsec: u32(0x14f), // ctime.nsec
  otime: s64(0x153),
  otimeNsec: u32(0x15b), // otime.nsec
})

/** `btrfs_root_ref`, in both directions; the name follows. */
export const RootRef = struct('btrfs_root_ref', 18, {
  dirid: u64(0x00),
  sequence: u64(0x08),
  nameLen: u16(0x10), // name_len
})

/** `btrfs_extent_item`; its inline references follow. */
export const ExtentItem = struct('btrfs_extent_item', 24, {
  refs: u64(0x00),
  generation: u64(0x08),
  flags: u64(0x10),
})

/** `btrfs_extent_item` of a tree block with its one `btrfs_extent_inline_ref`. */
export const TreeBlockItem = struct('tree block item', 33, {
  ...ExtentItem.fields,
  refType: u8(0x18), // type
  root: flags64(0x19), // offset
})

/** `btrfs_extent_item` of data with its one inline `btrfs_extent_data_ref`. */
export const DataExtentItem = struct('data extent item', 53, {
  ...ExtentItem.fields,
  refType: u8(0x18), // type
  root: u64(0x19),
  objectid: u64(0x21),
  offset: u64(0x29),
  count: u32(0x31),
})

/** `btrfs_block_group_item`. */
export const BlockGroupItem = struct('btrfs_block_group_item', 24, {
  used: u64(0x00),
  chunkObjectid: u64(0x08), // chunk_objectid
  flags: flags64(0x10),
})

/** `btrfs_free_space_info`. */
export const FreeSpaceInfo = struct('btrfs_free_space_info', 8, {
  extentCount: u32(0x00), // extent_count
  flags: u32(0x04),
})

/** `btrfs_dev_item`. */
export const DevItem = struct('btrfs_dev_item', 98, {
  devid: u64(0x00),
  totalBytes: u64(0x08), // total_bytes
  bytesUsed: u64(0x10), // bytes_used
  ioAlign: u32(0x18), // io_align
  ioWidth: u32(0x1c), // io_width
  sectorSize: u32(0x20), // sector_size
  type: u64(0x24),
  generation: u64(0x2c),
  startOffset: u64(0x34), // start_offset
  devGroup: u32(0x3c), // dev_group
  seekSpeed: u8(0x40), // seek_speed
  bandwidth: u8(0x41),
  uuid: bytes(0x42, 16),
  fsid: bytes(0x52, 16),
})

/** `btrfs_dev_extent`. */
export const DevExtent = struct('btrfs_dev_extent', 48, {
  chunkTree: u64(0x00), // chunk_tree
  chunkObjectid: u64(0x08), // chunk_objectid
  chunkOffset: u64(0x10), // chunk_offset
  length: u64(0x18),
  chunkTreeUuid: bytes(0x20, 16), // chunk_tree_uuid
})

/** `btrfs_dev_stats_item`. */
export const DevStatsItem = struct('btrfs_dev_stats_item', 40, {
  values: array(u64, 0x00, 5),
})

/** `btrfs_chunk` up to its stripes. */
export const Chunk = struct('btrfs_chunk', 48, {
  length: u64(0x00),
  owner: u64(0x08),
  stripeLen: u64(0x10), // stripe_len
  type: flags64(0x18),
  ioAlign: u32(0x20), // io_align
  ioWidth: u32(0x24), // io_width
  sectorSize: u32(0x28), // sector_size
  numStripes: u16(0x2c), // num_stripes
  subStripes: u16(0x2e), // sub_stripes
})

/** `btrfs_stripe`. */
export const Stripe = struct('btrfs_stripe', 32, {
  devid: u64(0x00),
  offset: u64(0x08),
  devUuid: bytes(0x10, 16), // dev_uuid
})
