import { array, bytes, flags64be, struct, u8, u16be, u32, u32be, u64be } from '@bootable/bytes'

/*
 * The structures of XFS version 5 as "XFS Algorithms & Data Structures" and `fs/xfs/libxfs/xfs_format.h`
 * print them; those of directories and attributes are in `da-format.ts`. All integers are big-endian but
 * the checksums. Constants keep the kernel's spelling; a blank line stands at every 16 bytes where the
 * fields allow it.
 */

export const XFS_SB_MAGIC = 0x58465342
export const XFS_AGF_MAGIC = 0x58414746
export const XFS_AGI_MAGIC = 0x58414749
export const XFS_AGFL_MAGIC = 0x5841464c
export const XFS_DINODE_MAGIC = 0x494e
export const XFS_ABTB_CRC_MAGIC = 0x41423342
export const XFS_ABTC_CRC_MAGIC = 0x41423343
export const XFS_IBT_CRC_MAGIC = 0x49414233
export const XFS_FIBT_CRC_MAGIC = 0x46494233
export const XFS_REFC_CRC_MAGIC = 0x52334643
export const XFS_BMAP_CRC_MAGIC = 0x424d4133
export const XFS_SYMLINK_MAGIC = 0x58534c4d
export const XLOG_HEADER_MAGIC_NUM = 0xfeedbabe

/** `sb_versionnum`: the version in its low four bits, what version 5 implies above. */
export const XFS_SB_VERSION_5 = 5
export const XFS_SB_VERSION_NUMBITS = 0x000f
export const XFS_SB_VERSION_ATTRBIT = 0x0010
export const XFS_SB_VERSION_NLINKBIT = 0x0020
export const XFS_SB_VERSION_ALIGNBIT = 0x0080
export const XFS_SB_VERSION_LOGV2BIT = 0x0400
export const XFS_SB_VERSION_SECTORBIT = 0x0800
export const XFS_SB_VERSION_EXTFLGBIT = 0x1000
export const XFS_SB_VERSION_DIRV2BIT = 0x2000
export const XFS_SB_VERSION_MOREBITSBIT = 0x8000

/** `sb_features2`. */
export const XFS_SB_VERSION2_LAZYSBCOUNTBIT = 0x002
export const XFS_SB_VERSION2_ATTR2BIT = 0x008
export const XFS_SB_VERSION2_PROJID32BIT = 0x080
export const XFS_SB_VERSION2_CRCBIT = 0x100

/** `sb_features_ro_compat`: what a writer must know. */
export const XFS_SB_FEAT_RO_COMPAT_FINOBT = 0x1
export const XFS_SB_FEAT_RO_COMPAT_RMAPBT = 0x2
export const XFS_SB_FEAT_RO_COMPAT_REFLINK = 0x4
export const XFS_SB_FEAT_RO_COMPAT_INOBTCNT = 0x8

/** `sb_features_incompat`: what a reader must know. */
export const XFS_SB_FEAT_INCOMPAT_FTYPE = 0x001
export const XFS_SB_FEAT_INCOMPAT_SPINODES = 0x002
export const XFS_SB_FEAT_INCOMPAT_META_UUID = 0x004
export const XFS_SB_FEAT_INCOMPAT_BIGTIME = 0x008
export const XFS_SB_FEAT_INCOMPAT_NEEDSREPAIR = 0x010
export const XFS_SB_FEAT_INCOMPAT_NREXT64 = 0x020
export const XFS_SB_FEAT_INCOMPAT_EXCHRANGE = 0x040
export const XFS_SB_FEAT_INCOMPAT_PARENT = 0x080
export const XFS_SB_FEAT_INCOMPAT_METADIR = 0x100

/** `NULLAGBLOCK`, `NULLAGINO`: no block, no inode, in 32 bits. */
export const NULL32 = 0xffff_ffff
/** `NULLFSBLOCK`: no block, in 64 bits. */
export const NULL64 = 0xffff_ffff_ffff_ffffn

/** `struct xfs_dsb`. */
export const SuperBlock = struct('xfs_dsb', 264, {
  magicnum: u32be(0x00), // sb_magicnum
  blocksize: u32be(0x04), // sb_blocksize
  dblocks: u64be(0x08), // sb_dblocks

  rblocks: flags64be(0x10), // sb_rblocks
  rextents: flags64be(0x18), // sb_rextents

  uuid: bytes(0x20, 16), // sb_uuid

  logstart: u64be(0x30), // sb_logstart
  rootino: u64be(0x38), // sb_rootino

  rbmino: flags64be(0x40), // sb_rbmino
  rsumino: flags64be(0x48), // sb_rsumino

  rextsize: u32be(0x50), // sb_rextsize
  agblocks: u32be(0x54), // sb_agblocks
  agcount: u32be(0x58), // sb_agcount
  rbmblocks: u32be(0x5c), // sb_rbmblocks

  logblocks: u32be(0x60), // sb_logblocks
  versionnum: u16be(0x64), // sb_versionnum
  sectsize: u16be(0x66), // sb_sectsize
  inodesize: u16be(0x68), // sb_inodesize
  inopblock: u16be(0x6a), // sb_inopblock
  fname: bytes(0x6c, 12), // sb_fname

  blocklog: u8(0x78), // sb_blocklog
  sectlog: u8(0x79), // sb_sectlog
  inodelog: u8(0x7a), // sb_inodelog
  inopblog: u8(0x7b), // sb_inopblog
  agblklog: u8(0x7c), // sb_agblklog
  rextslog: u8(0x7d), // sb_rextslog
  inprogress: u8(0x7e), // sb_inprogress
  imaxPct: u8(0x7f), // sb_imax_pct

  icount: u64be(0x80), // sb_icount
  ifree: u64be(0x88), // sb_ifree

  fdblocks: u64be(0x90), // sb_fdblocks
  frextents: flags64be(0x98), // sb_frextents

  uquotino: flags64be(0xa0), // sb_uquotino
  gquotino: flags64be(0xa8), // sb_gquotino

  qflags: u16be(0xb0), // sb_qflags
  flags: u8(0xb2), // sb_flags
  sharedVn: u8(0xb3), // sb_shared_vn
  inoalignmt: u32be(0xb4), // sb_inoalignmt
  unit: u32be(0xb8), // sb_unit
  width: u32be(0xbc), // sb_width

  dirblklog: u8(0xc0), // sb_dirblklog
  logsectlog: u8(0xc1), // sb_logsectlog
  logsectsize: u16be(0xc2), // sb_logsectsize
  logsunit: u32be(0xc4), // sb_logsunit
  features2: u32be(0xc8), // sb_features2
  badFeatures2: u32be(0xcc), // sb_bad_features2

  featuresCompat: u32be(0xd0), // sb_features_compat
  featuresRoCompat: u32be(0xd4), // sb_features_ro_compat
  featuresIncompat: u32be(0xd8), // sb_features_incompat
  featuresLogIncompat: u32be(0xdc), // sb_features_log_incompat

  crc: u32(0xe0), // sb_crc, little-endian
  spinoAlign: u32be(0xe4), // sb_spino_align
  pquotino: flags64be(0xe8), // sb_pquotino

  lsn: flags64be(0xf0), // sb_lsn
  metaUuid: bytes(0xf8, 16), // sb_meta_uuid, up to 0x108
})

/** `struct xfs_agf`: free space of an allocation group. */
export const Agf = struct('xfs_agf', 224, {
  magicnum: u32be(0x00), // agf_magicnum
  versionnum: u32be(0x04), // agf_versionnum
  seqno: u32be(0x08), // agf_seqno
  length: u32be(0x0c), // agf_length

  bnoRoot: u32be(0x10), // agf_bno_root
  cntRoot: u32be(0x14), // agf_cnt_root
  rmapRoot: u32be(0x18), // agf_rmap_root
  bnoLevel: u32be(0x1c), // agf_bno_level

  cntLevel: u32be(0x20), // agf_cnt_level
  rmapLevel: u32be(0x24), // agf_rmap_level
  flfirst: u32be(0x28), // agf_flfirst
  fllast: u32be(0x2c), // agf_fllast

  flcount: u32be(0x30), // agf_flcount
  freeblks: u32be(0x34), // agf_freeblks
  longest: u32be(0x38), // agf_longest
  btreeblks: u32be(0x3c), // agf_btreeblks

  uuid: bytes(0x40, 16), // agf_uuid

  rmapBlocks: u32be(0x50), // agf_rmap_blocks
  refcountBlocks: u32be(0x54), // agf_refcount_blocks
  refcountRoot: u32be(0x58), // agf_refcount_root
  refcountLevel: u32be(0x5c), // agf_refcount_level

  lsn: flags64be(0xd0), // agf_lsn
  crc: u32(0xd8), // agf_crc, little-endian
})

/** `struct xfs_agi`: inodes of an allocation group. */
export const Agi = struct('xfs_agi', 344, {
  magicnum: u32be(0x00), // agi_magicnum
  versionnum: u32be(0x04), // agi_versionnum
  seqno: u32be(0x08), // agi_seqno
  length: u32be(0x0c), // agi_length

  count: u32be(0x10), // agi_count
  root: u32be(0x14), // agi_root
  level: u32be(0x18), // agi_level
  freecount: u32be(0x1c), // agi_freecount

  newino: u32be(0x20), // agi_newino
  dirino: u32be(0x24), // agi_dirino
  unlinked: array(u32be, 0x28, 64), // agi_unlinked

  uuid: bytes(0x128, 16), // agi_uuid

  crc: u32(0x138), // agi_crc, little-endian
  lsn: flags64be(0x140), // agi_lsn

  freeRoot: u32be(0x148), // agi_free_root
  freeLevel: u32be(0x14c), // agi_free_level
  iblocks: u32be(0x150), // agi_iblocks
  fblocks: u32be(0x154), // agi_fblocks
})

/** `struct xfs_agfl`; behind it, up to the end of the sector, block numbers of 32 bits. */
export const Agfl = struct('xfs_agfl', 36, {
  magicnum: u32be(0x00), // agfl_magicnum
  seqno: u32be(0x04), // agfl_seqno
  uuid: bytes(0x08, 16), // agfl_uuid

  lsn: flags64be(0x18), // agfl_lsn
  crc: u32(0x20), // agfl_crc, little-endian
})

/** A btree block with pointers of 32 bits (`struct xfs_btree_block`, short form). */
export const ShortBtreeBlock = struct('xfs_btree_block_shdr', 56, {
  magic: u32be(0x00), // bb_magic
  level: u16be(0x04), // bb_level
  numrecs: u16be(0x06), // bb_numrecs
  leftsib: u32be(0x08), // bb_leftsib
  rightsib: u32be(0x0c), // bb_rightsib

  blkno: u64be(0x10), // bb_blkno
  lsn: flags64be(0x18), // bb_lsn

  uuid: bytes(0x20, 16), // bb_uuid

  owner: u32be(0x30), // bb_owner
  crc: u32(0x34), // bb_crc, little-endian
})

/** A btree block with pointers of 64 bits (`struct xfs_btree_block`, long form). */
export const LongBtreeBlock = struct('xfs_btree_block_lhdr', 72, {
  magic: u32be(0x00), // bb_magic
  level: u16be(0x04), // bb_level
  numrecs: u16be(0x06), // bb_numrecs
  leftsib: flags64be(0x08), // bb_leftsib

  rightsib: flags64be(0x10), // bb_rightsib
  blkno: u64be(0x18), // bb_blkno

  lsn: flags64be(0x20), // bb_lsn
  uuid: bytes(0x28, 16), // bb_uuid

  owner: u64be(0x38), // bb_owner
  crc: u32(0x40), // bb_crc, little-endian
})

/** `struct xfs_inobt_rec` of filesystems with sparse inodes. */
export const InobtRecord = struct('xfs_inobt_rec', 16, {
  startino: u32be(0x00), // ir_startino
  holemask: u16be(0x04), // ir_holemask
  count: u8(0x06), // ir_count
  freecount: u8(0x07), // ir_freecount
  free: flags64be(0x08), // ir_free
})

/** `struct xfs_alloc_rec`. */
export const AllocRecord = struct('xfs_alloc_rec', 8, {
  startblock: u32be(0x00), // ar_startblock
  blockcount: u32be(0x04), // ar_blockcount
})

/** Bytes of an inode's core (`struct xfs_dinode` of version 3); the forks follow. */
export const DINODE_SIZE = 176

/** `struct xfs_dinode`, version 3. */
export const InodeCore = struct('xfs_dinode', DINODE_SIZE, {
  magic: u16be(0x00), // di_magic
  mode: u16be(0x02), // di_mode
  version: u8(0x04), // di_version
  format: u8(0x05), // di_format
  metatype: u16be(0x06), // di_metatype, once di_onlink
  uid: u32be(0x08), // di_uid
  gid: u32be(0x0c), // di_gid

  nlink: u32be(0x10), // di_nlink
  projidLo: u16be(0x14), // di_projid_lo
  projidHi: u16be(0x16), // di_projid_hi
  bigNextents: u64be(0x18), // di_big_nextents, zero without NREXT64

  atime: flags64be(0x20), // di_atime
  mtime: flags64be(0x28), // di_mtime

  ctime: flags64be(0x30), // di_ctime
  size: u64be(0x38), // di_size

  nblocks: u64be(0x40), // di_nblocks
  extsize: u32be(0x48), // di_extsize
  nextents: u32be(0x4c), // di_nextents, or di_big_anextents with NREXT64

  anextents: u16be(0x50), // di_anextents, zero with NREXT64
  forkoff: u8(0x52), // di_forkoff
  aformat: u8(0x53), // di_aformat
  dmevmask: u32be(0x54), // di_dmevmask
  dmstate: u16be(0x58), // di_dmstate
  flags: u16be(0x5a), // di_flags
  gen: u32be(0x5c), // di_gen

  nextUnlinked: u32be(0x60), // di_next_unlinked
  crc: u32(0x64), // di_crc, little-endian
  changecount: flags64be(0x68), // di_changecount

  lsn: flags64be(0x70), // di_lsn
  flags2: flags64be(0x78), // di_flags2

  cowextsize: u32be(0x80), // di_cowextsize
  crtime: flags64be(0x90), // di_crtime
  ino: u64be(0x98), // di_ino

  uuid: bytes(0xa0, 16), // di_uuid
})

/** `di_format` and `di_aformat`. */
export const XFS_DINODE_FMT_DEV = 0
export const XFS_DINODE_FMT_LOCAL = 1
export const XFS_DINODE_FMT_EXTENTS = 2
export const XFS_DINODE_FMT_BTREE = 3

/** `di_flags`. */
export const XFS_DIFLAG_REALTIME = 0x0001
export const XFS_DIFLAG_NEWRTBM = 0x0004
export const XFS_DIFLAG_IMMUTABLE = 0x0008

/** `di_flags2`. */
export const XFS_DIFLAG2_BIGTIME = 0x08n
export const XFS_DIFLAG2_NREXT64 = 0x10n

/** `struct xfs_dsymlink_hdr`: one stands before every block of a link's target. */
export const SymlinkHeader = struct('xfs_dsymlink_hdr', 56, {
  magic: u32be(0x00), // sl_magic
  offset: u32be(0x04), // sl_offset
  bytes: u32be(0x08), // sl_bytes
  crc: u32(0x0c), // sl_crc, little-endian

  uuid: bytes(0x10, 16), // sl_uuid

  owner: u64be(0x20), // sl_owner
  blkno: u64be(0x28), // sl_blkno

  lsn: flags64be(0x30), // sl_lsn
})

/** `XFS_SYMLINK_MAXLEN`: a target has fewer bytes than this. */
export const XFS_SYMLINK_MAXLEN = 1024
/** `MAXNAMELEN` without its zero. */
export const XFS_NAME_LEN = 255
/** `XFS_MAXLINK`. */
export const XFS_MAXLINK = 2 ** 31 - 1
/** `XFS_MAX_BMBT_EXTLEN`: blocks of the longest extent. */
export const XFS_MAX_BMBT_EXTLEN = 2 ** 21 - 1
/** `XFS_INODES_PER_CHUNK`. */
export const XFS_INODES_PER_CHUNK = 64

/** `struct xlog_rec_header`, `xfs_log_format.h`: what every record of the log starts with. */
export const LogRecordHeader = struct('xlog_rec_header', 328, {
  magicno: u32be(0x00), // h_magicno
  cycle: u32be(0x04), // h_cycle
  version: u32be(0x08), // h_version
  len: u32be(0x0c), // h_len

  lsn: flags64be(0x10), // h_lsn
  tailLsn: flags64be(0x18), // h_tail_lsn

  crc: u32(0x20), // h_crc, little-endian
  prevBlock: u32be(0x24), // h_prev_block
  numLogops: u32be(0x28), // h_num_logops
  cycleData: u32be(0x2c), // h_cycle_data[0], of 64

  fmt: u32be(0x12c), // h_fmt
  fsUuid: bytes(0x130, 16), // h_fs_uuid

  size: u32be(0x140), // h_size
})

/** `struct xlog_op_header` and the payload of an unmount record. */
export const UnmountRecord = struct('xlog_op_header', 20, {
  tid: u32be(0x00), // oh_tid
  len: u32be(0x04), // oh_len
  clientid: u8(0x08), // oh_clientid
  flags: u8(0x09), // oh_flags
  res2: u16be(0x0a), // oh_res2
  magic: bytes(0x0c, 2), // XLOG_UNMOUNT_TYPE, in the order of the host's bytes
})
