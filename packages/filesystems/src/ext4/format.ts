import { array, ascii, bytes, struct, u8, u16, u32, u32be, u64 } from '@bootable/bytes'

/*
 * The structures of ext4 as `Documentation/filesystems/ext4` and `fs/ext4/ext4.h` print them. Constants
 * keep the kernel's spelling; a blank line stands at every 16 bytes where the fields allow it.
 */

/** `s_magic`. */
export const EXT4_SUPER_MAGIC = 0xef53
/** Where the primary superblock lies, whatever the block size. */
export const SUPERBLOCK_OFFSET = 1024

/** Features that an implementation may ignore (`s_feature_compat`). */
export const EXT4_FEATURE_COMPAT_HAS_JOURNAL = 0x0004
export const EXT4_FEATURE_COMPAT_EXT_ATTR = 0x0008
export const EXT4_FEATURE_COMPAT_RESIZE_INODE = 0x0010
export const EXT4_FEATURE_COMPAT_DIR_INDEX = 0x0020
export const EXT4_FEATURE_COMPAT_SPARSE_SUPER2 = 0x0200
export const EXT4_FEATURE_COMPAT_FAST_COMMIT = 0x0400
export const EXT4_FEATURE_COMPAT_STABLE_INODES = 0x0800
export const EXT4_FEATURE_COMPAT_ORPHAN_FILE = 0x1000

/** Features that a reader must know (`s_feature_incompat`). */
export const EXT4_FEATURE_INCOMPAT_COMPRESSION = 0x0001
export const EXT4_FEATURE_INCOMPAT_FILETYPE = 0x0002
export const EXT4_FEATURE_INCOMPAT_RECOVER = 0x0004
export const EXT4_FEATURE_INCOMPAT_JOURNAL_DEV = 0x0008
export const EXT4_FEATURE_INCOMPAT_META_BG = 0x0010
export const EXT4_FEATURE_INCOMPAT_EXTENTS = 0x0040
export const EXT4_FEATURE_INCOMPAT_64BIT = 0x0080
export const EXT4_FEATURE_INCOMPAT_MMP = 0x0100
export const EXT4_FEATURE_INCOMPAT_FLEX_BG = 0x0200
export const EXT4_FEATURE_INCOMPAT_EA_INODE = 0x0400
export const EXT4_FEATURE_INCOMPAT_CSUM_SEED = 0x2000
export const EXT4_FEATURE_INCOMPAT_LARGEDIR = 0x4000
export const EXT4_FEATURE_INCOMPAT_INLINE_DATA = 0x8000
export const EXT4_FEATURE_INCOMPAT_ENCRYPT = 0x10000
export const EXT4_FEATURE_INCOMPAT_CASEFOLD = 0x20000

/** Features that a writer must know (`s_feature_ro_compat`). */
export const EXT4_FEATURE_RO_COMPAT_SPARSE_SUPER = 0x0001
export const EXT4_FEATURE_RO_COMPAT_LARGE_FILE = 0x0002
export const EXT4_FEATURE_RO_COMPAT_HUGE_FILE = 0x0008
export const EXT4_FEATURE_RO_COMPAT_GDT_CSUM = 0x0010
export const EXT4_FEATURE_RO_COMPAT_DIR_NLINK = 0x0020
export const EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE = 0x0040
export const EXT4_FEATURE_RO_COMPAT_QUOTA = 0x0100
export const EXT4_FEATURE_RO_COMPAT_BIGALLOC = 0x0200
export const EXT4_FEATURE_RO_COMPAT_METADATA_CSUM = 0x0400
export const EXT4_FEATURE_RO_COMPAT_READONLY = 0x1000
export const EXT4_FEATURE_RO_COMPAT_PROJECT = 0x2000
export const EXT4_FEATURE_RO_COMPAT_VERITY = 0x8000
export const EXT4_FEATURE_RO_COMPAT_ORPHAN_PRESENT = 0x10000

/** `s_state`: unmounted cleanly. */
export const EXT4_VALID_FS = 0x0001
/** `s_errors`. */
export const EXT4_ERRORS_CONTINUE = 1
/** `s_flags`: names are hashed as signed characters, as on x86. */
export const EXT2_FLAGS_SIGNED_HASH = 0x0001
/** `s_default_mount_opts`. */
export const EXT4_DEFM_XATTR_USER = 0x0004
export const EXT4_DEFM_ACL = 0x0008
/** `s_checksum_type`. */
export const EXT4_CRC32C_CHKSUM = 1
/** `s_rev_level` with variable inode sizes and features. */
export const EXT4_DYNAMIC_REV = 1

/** `ext4_super_block`, `fs/ext4/ext4.h`. */
export const SuperBlock = struct('ext4_super_block', 1024, {
  inodesCount: u32(0x00), // s_inodes_count
  blocksCountLo: u32(0x04), // s_blocks_count_lo
  rBlocksCountLo: u32(0x08), // s_r_blocks_count_lo
  freeBlocksCountLo: u32(0x0c), // s_free_blocks_count_lo

  freeInodesCount: u32(0x10), // s_free_inodes_count
  firstDataBlock: u32(0x14), // s_first_data_block
  logBlockSize: u32(0x18), // s_log_block_size
  logClusterSize: u32(0x1c), // s_log_cluster_size

  blocksPerGroup: u32(0x20), // s_blocks_per_group
  clustersPerGroup: u32(0x24), // s_clusters_per_group
  inodesPerGroup: u32(0x28), // s_inodes_per_group
  mtime: u32(0x2c), // s_mtime

  wtime: u32(0x30), // s_wtime
  mntCount: u16(0x34), // s_mnt_count
  maxMntCount: u16(0x36), // s_max_mnt_count
  magic: u16(0x38), // s_magic
  state: u16(0x3a), // s_state
  errors: u16(0x3c), // s_errors
  minorRevLevel: u16(0x3e), // s_minor_rev_level

  lastcheck: u32(0x40), // s_lastcheck
  checkinterval: u32(0x44), // s_checkinterval
  creatorOs: u32(0x48), // s_creator_os
  revLevel: u32(0x4c), // s_rev_level

  defResuid: u16(0x50), // s_def_resuid
  defResgid: u16(0x52), // s_def_resgid
  firstIno: u32(0x54), // s_first_ino
  inodeSize: u16(0x58), // s_inode_size
  blockGroupNr: u16(0x5a), // s_block_group_nr
  featureCompat: u32(0x5c), // s_feature_compat

  featureIncompat: u32(0x60), // s_feature_incompat
  featureRoCompat: u32(0x64), // s_feature_ro_compat
  uuid: bytes(0x68, 16), // s_uuid

  volumeName: bytes(0x78, 16), // s_volume_name
  lastMounted: ascii(0x88, 64), // s_last_mounted

  algorithmUsageBitmap: u32(0xc8), // s_algorithm_usage_bitmap
  preallocBlocks: u8(0xcc), // s_prealloc_blocks
  preallocDirBlocks: u8(0xcd), // s_prealloc_dir_blocks
  reservedGdtBlocks: u16(0xce), // s_reserved_gdt_blocks

  journalUuid: bytes(0xd0, 16), // s_journal_uuid

  journalInum: u32(0xe0), // s_journal_inum
  journalDev: u32(0xe4), // s_journal_dev
  lastOrphan: u32(0xe8), // s_last_orphan
  hashSeed: bytes(0xec, 16), // s_hash_seed

  defHashVersion: u8(0xfc), // s_def_hash_version
  jnlBackupType: u8(0xfd), // s_jnl_backup_type
  descSize: u16(0xfe), // s_desc_size

  defaultMountOpts: u32(0x100), // s_default_mount_opts
  firstMetaBg: u32(0x104), // s_first_meta_bg
  mkfsTime: u32(0x108), // s_mkfs_time
  jnlBlocks: array(u32, 0x10c, 17), // s_jnl_blocks

  blocksCountHi: u32(0x150), // s_blocks_count_hi
  rBlocksCountHi: u32(0x154), // s_r_blocks_count_hi
  freeBlocksCountHi: u32(0x158), // s_free_blocks_count_hi
  minExtraIsize: u16(0x15c), // s_min_extra_isize
  wantExtraIsize: u16(0x15e), // s_want_extra_isize

  flags: u32(0x160), // s_flags
  raidStride: u16(0x164), // s_raid_stride
  mmpInterval: u16(0x166), // s_mmp_interval
  mmpBlock: u64(0x168), // s_mmp_block

  raidStripeWidth: u32(0x170), // s_raid_stripe_width
  logGroupsPerFlex: u8(0x174), // s_log_groups_per_flex
  checksumType: u8(0x175), // s_checksum_type
  kbytesWritten: u64(0x178), // s_kbytes_written

  overheadBlocks: u32(0x248), // s_overhead_clusters
  lpfIno: u32(0x268), // s_lpf_ino
  checksumSeed: u32(0x270), // s_checksum_seed

  wtimeHi: u8(0x274), // s_wtime_hi
  mkfsTimeHi: u8(0x276), // s_mkfs_time_hi
  lastcheckHi: u8(0x277), // s_lastcheck_hi
  orphanFileInum: u32(0x280), // s_orphan_file_inum

  checksum: u32(0x3fc), // s_checksum
})

/** `bg_flags`. */
export const EXT4_BG_INODE_UNINIT = 0x0001
export const EXT4_BG_BLOCK_UNINIT = 0x0002
export const EXT4_BG_INODE_ZEROED = 0x0004

/** `ext4_group_desc` in its 64-byte form (`s_desc_size` with the feature `64bit`). */
export const GroupDescriptor = struct('ext4_group_desc', 64, {
  blockBitmapLo: u32(0x00), // bg_block_bitmap_lo
  inodeBitmapLo: u32(0x04), // bg_inode_bitmap_lo
  inodeTableLo: u32(0x08), // bg_inode_table_lo
  freeBlocksCountLo: u16(0x0c), // bg_free_blocks_count_lo
  freeInodesCountLo: u16(0x0e), // bg_free_inodes_count_lo

  usedDirsCountLo: u16(0x10), // bg_used_dirs_count_lo
  flags: u16(0x12), // bg_flags
  blockBitmapCsumLo: u16(0x18), // bg_block_bitmap_csum_lo
  inodeBitmapCsumLo: u16(0x1a), // bg_inode_bitmap_csum_lo
  itableUnusedLo: u16(0x1c), // bg_itable_unused_lo
  checksum: u16(0x1e), // bg_checksum

  blockBitmapHi: u32(0x20), // bg_block_bitmap_hi
  inodeBitmapHi: u32(0x24), // bg_inode_bitmap_hi
  inodeTableHi: u32(0x28), // bg_inode_table_hi
  freeBlocksCountHi: u16(0x2c), // bg_free_blocks_count_hi
  freeInodesCountHi: u16(0x2e), // bg_free_inodes_count_hi

  usedDirsCountHi: u16(0x30), // bg_used_dirs_count_hi
  itableUnusedHi: u16(0x32), // bg_itable_unused_hi
  blockBitmapCsumHi: u16(0x38), // bg_block_bitmap_csum_hi
  inodeBitmapCsumHi: u16(0x3a), // bg_inode_bitmap_csum_hi
})

/** Inodes with a fixed meaning; 1 to 10 are never given to files. */
export const EXT4_ROOT_INO = 2
export const EXT4_RESIZE_INO = 7
export const EXT4_JOURNAL_INO = 8
/** `s_first_ino`; mke2fs gives it to lost+found. */
export const EXT4_GOOD_OLD_FIRST_INO = 11

/** `i_flags`. */
export const EXT4_IMMUTABLE_FL = 0x0000_0010
export const EXT4_ENCRYPT_FL = 0x0000_0800
export const EXT4_INDEX_FL = 0x0000_1000
export const EXT4_EXTENTS_FL = 0x0008_0000
export const EXT4_EA_INODE_FL = 0x0020_0000
export const EXT4_INLINE_DATA_FL = 0x1000_0000

/** Bytes of an inode before the extra fields. */
export const EXT4_GOOD_OLD_INODE_SIZE = 128
/** Inode size that mke2fs chooses, and the only one that we write. */
export const INODE_SIZE = 256
/** `i_extra_isize`: the extra fields up to and with `i_projid`. */
export const EXTRA_ISIZE = 32

/** `ext4_inode` with the extra fields. */
export const InodeStruct = struct('ext4_inode', INODE_SIZE, {
  mode: u16(0x00), // i_mode
  uid: u16(0x02), // i_uid
  sizeLo: u32(0x04), // i_size_lo
  atime: u32(0x08), // i_atime
  ctime: u32(0x0c), // i_ctime

  mtime: u32(0x10), // i_mtime
  dtime: u32(0x14), // i_dtime
  gid: u16(0x18), // i_gid
  linksCount: u16(0x1a), // i_links_count
  blocksLo: u32(0x1c), // i_blocks_lo

  flags: u32(0x20), // i_flags
  version: u32(0x24), // osd1.l_i_version
  block: bytes(0x28, 60), // i_block

  generation: u32(0x64), // i_generation
  fileAclLo: u32(0x68), // i_file_acl_lo
  sizeHigh: u32(0x6c), // i_size_high

  blocksHigh: u16(0x74), // l_i_blocks_high
  fileAclHigh: u16(0x76), // l_i_file_acl_high
  uidHigh: u16(0x78), // l_i_uid_high
  gidHigh: u16(0x7a), // l_i_gid_high
  checksumLo: u16(0x7c), // l_i_checksum_lo

  extraIsize: u16(0x80), // i_extra_isize
  checksumHi: u16(0x82), // i_checksum_hi
  ctimeExtra: u32(0x84), // i_ctime_extra
  mtimeExtra: u32(0x88), // i_mtime_extra
  atimeExtra: u32(0x8c), // i_atime_extra

  crtime: u32(0x90), // i_crtime
  crtimeExtra: u32(0x94), // i_crtime_extra
  versionHi: u32(0x98), // i_version_hi
  projid: u32(0x9c), // i_projid
})

/** First byte of the extended attributes in an inode that we write. */
export const INODE_XATTRS = EXT4_GOOD_OLD_INODE_SIZE + EXTRA_ISIZE

/** `eh_magic`. */
export const EXT4_EXT_MAGIC = 0xf30a
/** `EXT_INIT_MAX_LEN`: blocks of one written extent. A greater `ee_len` marks an unwritten one. */
export const EXT_INIT_MAX_LEN = 32_768
/** `EXT4_MAX_EXTENT_DEPTH`. */
export const EXT4_MAX_EXTENT_DEPTH = 5
/** Entries that fit `i_block`. */
export const EXTENTS_IN_INODE = 4

/** `ext4_extent_header`. */
export const ExtentHeader = struct('ext4_extent_header', 12, {
  magic: u16(0x00), // eh_magic
  entries: u16(0x02), // eh_entries
  max: u16(0x04), // eh_max
  depth: u16(0x06), // eh_depth
  generation: u32(0x08), // eh_generation
})

/** `ext4_extent`, in leaves. */
export const ExtentLeaf = struct('ext4_extent', 12, {
  block: u32(0x00), // ee_block
  len: u16(0x04), // ee_len
  startHi: u16(0x06), // ee_start_hi
  startLo: u32(0x08), // ee_start_lo
})

/** `ext4_extent_idx`, above the leaves. */
export const ExtentIndex = struct('ext4_extent_idx', 12, {
  block: u32(0x00), // ei_block
  leafLo: u32(0x04), // ei_leaf_lo
  leafHi: u16(0x08), // ei_leaf_hi
})

/** `EXT4_NAME_LEN`, in bytes. */
export const EXT4_NAME_LEN = 255
/** `EXT4_LINK_MAX`; a directory with more subdirectories counts 1 (feature `dir_nlink`). */
export const EXT4_LINK_MAX = 65_000

/** `file_type` of a directory entry, by the top four bits of a mode. */
export const EXT4_FT_BY_MODE: Readonly<Record<number, number>> = {
  7: 1, // EXT4_FT_REG_FILE
  4: 2, // EXT4_FT_DIR
  2: 3, // EXT4_FT_CHRDEV
  6: 4, // EXT4_FT_BLKDEV
  1: 5, // EXT4_FT_FIFO
  11: 6, // EXT4_FT_SOCK
  9: 7, // EXT4_FT_SYMLINK
}
/** `EXT4_FT_DIR_CSUM`: marks the tail that holds a block's checksum. */
export const EXT4_FT_DIR_CSUM = 0xde

/** `ext4_dir_entry_2` without its name. */
export const DirEntry = struct('ext4_dir_entry_2', 8, {
  inode: u32(0x00),
  recLen: u16(0x04), // rec_len
  nameLen: u8(0x06), // name_len
  fileType: u8(0x07), // file_type
})

/** `ext4_dir_entry_tail`: looks like an unused entry. */
export const DirEntryTail = struct('ext4_dir_entry_tail', 12, {
  reservedZero1: u32(0x00), // det_reserved_zero1
  recLen: u16(0x04), // det_rec_len
  reservedZero2: u8(0x06), // det_reserved_zero2
  reservedFt: u8(0x07), // det_reserved_ft
  checksum: u32(0x08), // det_checksum
})

/** `s_def_hash_version` and `hash_version`: half MD4 of signed characters with `s_flags` bit 0. */
export const DX_HASH_HALF_MD4 = 1

/** `dx_root_info`, behind the entries `.` and `..` of block 0 of an indexed directory. */
export const DxRootInfo = struct('dx_root_info', 8, {
  reservedZero: u32(0x00), // reserved_zero
  hashVersion: u8(0x04), // hash_version
  infoLength: u8(0x05), // info_length
  indirectLevels: u8(0x06), // indirect_levels
  unusedFlags: u8(0x07), // unused_flags
})

/** `dx_countlimit` with the block of the first entry: it takes the place of that entry's hash. */
export const DxCountLimit = struct('dx_countlimit', 8, {
  limit: u16(0x00),
  count: u16(0x02),
  block: u32(0x04),
})

/** `dx_entry`. */
export const DxEntry = struct('dx_entry', 8, {
  hash: u32(0x00),
  block: u32(0x04),
})

/** `dx_tail`. */
export const DxTail = struct('dx_tail', 8, {
  reserved: u32(0x00), // dt_reserved
  checksum: u32(0x04), // dt_checksum
})

/** `EXT4_XATTR_MAGIC`, before the attributes in an inode and in a block. */
export const EXT4_XATTR_MAGIC = 0xea02_0000

/** `ext4_xattr_header`, of a block. In an inode only the magic stands. */
export const XattrHeader = struct('ext4_xattr_header', 32, {
  magic: u32(0x00), // h_magic
  refcount: u32(0x04), // h_refcount
  blocks: u32(0x08), // h_blocks
  hash: u32(0x0c), // h_hash

  checksum: u32(0x10), // h_checksum
})

/** `ext4_xattr_entry` without its name. */
export const XattrEntry = struct('ext4_xattr_entry', 16, {
  nameLen: u8(0x00), // e_name_len
  nameIndex: u8(0x01), // e_name_index
  valueOffs: u16(0x02), // e_value_offs
  valueInum: u32(0x04), // e_value_inum
  valueSize: u32(0x08), // e_value_size
  hash: u32(0x0c), // e_hash
})

/** `JBD2_MAGIC_NUMBER`. */
export const JBD2_MAGIC_NUMBER = 0xc03b_3998
/** `JBD2_SUPERBLOCK_V2`. */
export const JBD2_SUPERBLOCK_V2 = 4

/** `journal_superblock_s`, `include/linux/jbd2.h`: big-endian. */
export const JournalSuperBlock = struct('journal_superblock_s', 1024, {
  magic: u32be(0x00), // h_magic
  blocktype: u32be(0x04), // h_blocktype
  headerSequence: u32be(0x08), // h_sequence
  blocksize: u32be(0x0c), // s_blocksize

  maxlen: u32be(0x10), // s_maxlen
  first: u32be(0x14), // s_first
  sequence: u32be(0x18), // s_sequence
  start: u32be(0x1c), // s_start

  errno: u32be(0x20), // s_errno
  featureCompat: u32be(0x24), // s_feature_compat
  featureIncompat: u32be(0x28), // s_feature_incompat
  featureRoCompat: u32be(0x2c), // s_feature_ro_compat

  uuid: bytes(0x30, 16), // s_uuid

  nrUsers: u32be(0x40), // s_nr_users
})

export const POSIX_ACL_XATTR_VERSION = 2
export const EXT4_ACL_VERSION = 1
