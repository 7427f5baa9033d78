import { array, bytes, flags64be, struct, u8, u16be, u32, u32be, u64be } from '@bootable/bytes'

/*
 * The structures of directories and extended attributes (`fs/xfs/libxfs/xfs_da_format.h`), version 3:
 * those with checksums.
 */

export const XFS_DA3_NODE_MAGIC = 0x3ebe
export const XFS_ATTR3_LEAF_MAGIC = 0x3bee
export const XFS_DIR3_LEAF1_MAGIC = 0x3df1
export const XFS_DIR3_LEAFN_MAGIC = 0x3dff
export const XFS_DIR3_BLOCK_MAGIC = 0x58444233
export const XFS_DIR3_DATA_MAGIC = 0x58444433
export const XFS_DIR3_FREE_MAGIC = 0x58444633
export const XFS_ATTR3_RMT_MAGIC = 0x5841524d

/** `XFS_DA_NODE_MAXDEPTH`. */
export const XFS_DA_NODE_MAXDEPTH = 5
/** `XFS_DIR2_SPACE_SIZE`: data, leaves and free indexes of a directory start so many bytes apart. */
export const XFS_DIR2_SPACE_SIZE = 2 ** 35
/** `XFS_DIR2_DATA_FREE_TAG`. */
export const XFS_DIR2_DATA_FREE_TAG = 0xffff

/** `XFS_DIR3_FT_*` by `st_mode >>> 12`. */
export const XFS_DIR3_FT_BY_MODE: readonly number[] = [0, 5, 3, 0, 2, 0, 4, 0, 1, 0, 7, 0, 6, 0, 0, 0]

/** `struct xfs_dir3_data_hdr`: starts the blocks that hold names. */
export const DirDataHeader = struct('xfs_dir3_data_hdr', 64, {
  magic: u32be(0x00), // hdr.magic
  crc: u32(0x04), // hdr.crc, little-endian
  blkno: u64be(0x08), // hdr.blkno

  lsn: flags64be(0x10), // hdr.lsn
  uuid: bytes(0x18, 16), // hdr.uuid
  owner: u64be(0x28), // hdr.owner

  bestFree: array(u16be, 0x30, 6), // best_free: offset and length, three times
})

/** `struct xfs_dir3_free_hdr`: starts the blocks of the index of free space. */
export const DirFreeHeader = struct('xfs_dir3_free_hdr', 64, {
  magic: u32be(0x00), // hdr.magic
  crc: u32(0x04), // hdr.crc, little-endian
  blkno: u64be(0x08), // hdr.blkno

  lsn: flags64be(0x10), // hdr.lsn
  uuid: bytes(0x18, 16), // hdr.uuid
  owner: u64be(0x28), // hdr.owner

  firstdb: u32be(0x30), // firstdb
  nvalid: u32be(0x34), // nvalid
  nused: u32be(0x38), // nused
})

/** `struct xfs_dir2_data_entry`; name, type and, in the last two bytes, the tag follow. */
export const DirDataEntry = struct('xfs_dir2_data_entry', 9, {
  inumber: u64be(0x00), // inumber
  namelen: u8(0x08), // namelen
})

/** `struct xfs_dir2_data_unused`; its last two bytes are the tag. */
export const DirDataUnused = struct('xfs_dir2_data_unused', 4, {
  freetag: u16be(0x00), // freetag
  length: u16be(0x02), // length
})

/** `struct xfs_dir2_leaf_entry`. */
export const DirLeafEntry = struct('xfs_dir2_leaf_entry', 8, {
  hashval: u32be(0x00), // hashval
  address: u32be(0x04), // address, in units of 8 bytes
})

/** `struct xfs_dir2_block_tail`. */
export const DirBlockTail = struct('xfs_dir2_block_tail', 8, {
  count: u32be(0x00), // count
  stale: u32be(0x04), // stale
})

/**
 * `struct xfs_da3_blkinfo` and what follows it in nodes of both kinds of tree (`xfs_da3_node_hdr`) and in
 * leaves of directories (`xfs_dir3_leaf_hdr`).
 */
export const DaHeader = struct('xfs_da3_node_hdr', 64, {
  forw: u32be(0x00), // info.hdr.forw
  back: u32be(0x04), // info.hdr.back
  magic: u16be(0x08), // info.hdr.magic
  crc: u32(0x0c), // info.crc, little-endian

  blkno: u64be(0x10), // info.blkno
  lsn: flags64be(0x18), // info.lsn

  uuid: bytes(0x20, 16), // info.uuid

  owner: u64be(0x30), // info.owner
  count: u16be(0x38), // __count
  level: u16be(0x3a), // __level of a node, stale entries of a directory's leaf
})

/** `struct xfs_da_node_entry`. */
export const DaNodeEntry = struct('xfs_da_node_entry', 8, {
  hashval: u32be(0x00), // hashval
  before: u32be(0x04), // before
})

/** `struct xfs_attr3_leaf_hdr`. */
export const AttrLeafHeader = struct('xfs_attr3_leaf_hdr', 80, {
  forw: u32be(0x00), // info.hdr.forw
  back: u32be(0x04), // info.hdr.back
  magic: u16be(0x08), // info.hdr.magic
  crc: u32(0x0c), // info.crc, little-endian

  blkno: u64be(0x10), // info.blkno
  lsn: flags64be(0x18), // info.lsn

  uuid: bytes(0x20, 16), // info.uuid

  owner: u64be(0x30), // info.owner
  count: u16be(0x38), // count
  usedbytes: u16be(0x3a), // usedbytes
  firstused: u16be(0x3c), // firstused
  holes: u8(0x3e), // holes

  freemap: array(u16be, 0x40, 6), // freemap: base and size, three times
})

/** `struct xfs_attr_leaf_entry`. */
export const AttrLeafEntry = struct('xfs_attr_leaf_entry', 8, {
  hashval: u32be(0x00), // hashval
  nameidx: u16be(0x04), // nameidx
  flags: u8(0x06), // flags
})

/** `struct xfs_attr_leaf_name_local`; name and value follow. */
export const AttrLocalName = struct('xfs_attr_leaf_name_local', 3, {
  valuelen: u16be(0x00), // valuelen
  namelen: u8(0x02), // namelen
})

/** `struct xfs_attr_leaf_name_remote`; the name follows. */
export const AttrRemoteName = struct('xfs_attr_leaf_name_remote', 9, {
  valueblk: u32be(0x00), // valueblk
  valuelen: u32be(0x04), // valuelen
  namelen: u8(0x08), // namelen
})

/** `struct xfs_attr_sf_hdr`: attributes that stand in the inode. */
export const AttrShortHeader = struct('xfs_attr_sf_hdr', 4, {
  totsize: u16be(0x00), // totsize
  count: u8(0x02), // count
})

/** `struct xfs_attr_sf_entry`; name and value follow. */
export const AttrShortEntry = struct('xfs_attr_sf_entry', 3, {
  namelen: u8(0x00), // namelen
  valuelen: u8(0x01), // valuelen
  flags: u8(0x02), // flags
})

/** `struct xfs_attr3_rmt_hdr`: one stands before every block of a large value. */
export const AttrRemoteHeader = struct('xfs_attr3_rmt_hdr', 56, {
  magic: u32be(0x00), // rm_magic
  offset: u32be(0x04), // rm_offset
  bytes: u32be(0x08), // rm_bytes
  crc: u32(0x0c), // rm_crc, little-endian

  uuid: bytes(0x10, 16), // rm_uuid

  owner: u64be(0x20), // rm_owner
  blkno: u64be(0x28), // rm_blkno

  lsn: flags64be(0x30), // rm_lsn
})

/** Flags of an attribute's entry. */
export const XFS_ATTR_LOCAL = 0x01
export const XFS_ATTR_ROOT = 0x02
export const XFS_ATTR_SECURE = 0x04
export const XFS_ATTR_PARENT = 0x08
export const XFS_ATTR_INCOMPLETE = 0x80

/** `XFS_XATTR_SIZE_MAX`: bytes of the largest value. */
export const XFS_XATTR_SIZE_MAX = 65_536
