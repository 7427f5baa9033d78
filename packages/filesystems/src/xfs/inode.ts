import { crc32c } from '@bootable/bytes'
import type { Timestamp } from '@bootable/tree'
import * as xfs from './format.ts'
import { encodeTime } from './time.ts'

/** An inode as it will stand in its chunk. */
export interface InodeRecord {
  /** `st_mode`, the type with it. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Bytes. */
  readonly size: number
  readonly links: number
  readonly flags: number
  /** Blocks that the inode owns: data, attributes, and their trees of extents. */
  readonly blocks: number
  /** All four times of the inode. */
  readonly time: Timestamp
  /** `di_format`. */
  readonly format: number
  readonly extents: number
  readonly data: Uint8Array | undefined
  /** Bytes of the data fork where attributes follow it, else 0. */
  readonly forkOffset: number
  /** `di_aformat`. */
  readonly attributeFormat: number
  readonly attributeExtents: number
  readonly attributes: Uint8Array | undefined
}

/** Writes inodes into a piece of their chunks. */
export interface InodeEncoder {
  /** @param base first byte of the inode */
  encode(base: number, number: number, record: InodeRecord): void
  /** An inode that is not in use. */
  encodeFree(base: number, number: number): void
}

/** One cursor for all inodes of `bytes`. @param size bytes of an inode */
export function createInodeEncoder(bytes: Uint8Array, size: number, uuid: Uint8Array): InodeEncoder {
  const inode = xfs.InodeCore.at(bytes)

  function start(base: number, number: number): void {
    inode.base = base
    inode.magic = xfs.XFS_DINODE_MAGIC
    inode.version = 3
    inode.nextUnlinked = xfs.NULL32
    inode.ino = number
    inode.uuid = uuid
  }
  function finish(base: number): void {
    inode.crc = crc32c(bytes.subarray(base, base + size))
  }

  return {
    encode(base, number, record) {
      const time = encodeTime(record.time)
      start(base, number)
      inode.mode = record.mode
      inode.format = record.format
      inode.uid = record.uid
      inode.gid = record.gid
      inode.nlink = record.links
      inode.atime = time
      inode.mtime = time
      inode.ctime = time
      inode.crtime = time
      inode.size = record.size
      inode.nblocks = record.blocks
      inode.nextents = record.extents
      inode.anextents = record.attributeExtents
      inode.forkoff = record.forkOffset / 8
      inode.aformat = record.attributeFormat
      inode.flags = record.flags
      inode.flags2 = xfs.XFS_DIFLAG2_BIGTIME
      const forks = base + xfs.DINODE_SIZE
      if (record.data) bytes.set(record.data, forks)
      if (record.attributes) bytes.set(record.attributes, forks + record.forkOffset)
      finish(base)
    },
    encodeFree(base, number) {
      start(base, number)
      finish(base)
    },
  }
}
