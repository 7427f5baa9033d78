import type { Device, Timestamp } from '@bootable/tree'
import { decodeDeviceNumber, encodeDeviceNumber } from '../content/device-number.ts'
import { inodeChecksum } from './checksum.ts'
import { EXTRA_ISIZE, INODE_SIZE, INODE_XATTRS, InodeStruct } from './format.ts'
import { clampTime, timeExtra, timeLow } from './time.ts'

/** An inode as it will stand in its table. */
export interface InodeRecord {
  /** `st_mode`, the type with it. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Bytes. */
  readonly size: number
  readonly links: number
  readonly flags: number
  /** Sectors of 512 bytes that the inode owns: data, extent blocks, attribute block. */
  readonly sectors: number
  /** `i_block`: the root of the extent tree, a short link's target, a device number. */
  readonly block: Uint8Array | undefined
  /** All four times of the inode. */
  readonly time: Timestamp
  /** Block of its extended attributes, 0 for none. */
  readonly xattrBlock: number
  /** Extended attributes in the inode. */
  readonly xattrs: Uint8Array | undefined
}

/** Writes inodes into a piece of an inode table. */
export interface InodeEncoder {
  /** @param base first byte of the inode; @param seed its checksum seed */
  encode(base: number, record: InodeRecord, seed: number): void
}

/** One cursor for a whole table. */
export function createInodeEncoder(bytes: Uint8Array): InodeEncoder {
  const inode = InodeStruct.at(bytes)
  return {
    encode(base, record, seed) {
      const { seconds, nanoseconds } = clampTime(record.time)
      const low = timeLow(seconds)
      const extra = timeExtra(seconds, nanoseconds)
      inode.base = base
      inode.mode = record.mode
      inode.uid = record.uid & 0xffff
      inode.uidHigh = record.uid >>> 16
      inode.gid = record.gid & 0xffff
      inode.gidHigh = record.gid >>> 16
      inode.sizeLo = record.size % 2 ** 32
      inode.sizeHigh = Math.floor(record.size / 2 ** 32)
      inode.linksCount = record.links
      inode.blocksLo = record.sectors % 2 ** 32
      inode.blocksHigh = Math.floor(record.sectors / 2 ** 32)
      inode.flags = record.flags
      if (record.block) inode.block = record.block
      inode.fileAclLo = record.xattrBlock % 2 ** 32
      inode.fileAclHigh = Math.floor(record.xattrBlock / 2 ** 32)
      inode.extraIsize = EXTRA_ISIZE
      inode.atime = low
      inode.ctime = low
      inode.mtime = low
      inode.crtime = low
      inode.atimeExtra = extra
      inode.ctimeExtra = extra
      inode.mtimeExtra = extra
      inode.crtimeExtra = extra
      if (record.xattrs) bytes.set(record.xattrs, base + INODE_XATTRS)

      const checksum = inodeChecksum(bytes, base, INODE_SIZE, seed)
      inode.checksumLo = checksum & 0xffff
      inode.checksumHi = checksum >>> 16
    },
  }
}

/** A device number as `i_block` holds it: 16 bits in the first word where they suffice, else the second. */
export function encodeDevice({ major, minor }: Pick<Device, 'major' | 'minor'>): Uint8Array {
  const bytes = new Uint8Array(60)
  const view = new DataView(bytes.buffer)
  if (major < 256 && minor < 256) view.setUint32(0, (major << 8) | minor, true)
  else view.setUint32(4, encodeDeviceNumber({ major, minor }), true)
  return bytes
}

/** The reverse of {@link encodeDevice}. */
export function decodeDevice(block: Uint8Array): { major: number; minor: number } {
  const view = new DataView(block.buffer, block.byteOffset, block.length)
  const old = view.getUint32(0, true)
  if (old !== 0) return { major: (old >>> 8) & 0xff, minor: old & 0xff }
  return decodeDeviceNumber(view.getUint32(4, true))
}
