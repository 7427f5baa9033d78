import { gather } from '@bootable/bytes'
import type { Timestamp } from '@bootable/tree'
import { erofsFormatError } from './errors.ts'
import {
  EROFS_I_ALL,
  EROFS_I_DATALAYOUT_MASK,
  EROFS_I_DATALAYOUT_SHIFT,
  EROFS_I_VERSION_EXTENDED,
  EROFS_SLOTSIZE,
  InodeCompact,
  InodeExtended,
  XattrIbodyHeader,
} from './format.ts'
import { checkRange, type Volume } from './volume.ts'

/** An inode as it stands in the volume. */
export interface RawInode {
  readonly nid: number
  /** `EROFS_INODE_FLAT_PLAIN` and its like. */
  readonly layout: number
  /** `st_mode`, the type with it. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Bytes. */
  readonly size: number
  /** `i_u`. */
  readonly u: number
  readonly mtime: Timestamp
  /** First byte of its attributes. */
  readonly xattrStart: number
  /** Bytes of its attributes; what follows is its content or where to find it. */
  readonly xattrSize: number
}

/** Reads inodes, as few reads as possible. @throws FormatError */
export async function readInodes(volume: Volume, nids: readonly number[]): Promise<RawInode[]> {
  const { source, superblock } = volume
  const bytes = new Uint8Array(nids.length * InodeExtended.size)
  const offsets = nids.map((nid) => superblock.metaStart + nid * EROFS_SLOTSIZE)
  await gather(
    nids.map((nid, index) => {
      const offset = offsets[index] as number
      checkRange(volume, offset, InodeCompact.size, `inode ${nid}`)
      // Whether it is the long one shows only in its first byte.
      const length = Math.min(InodeExtended.size, source.size - offset)
      const at = index * InodeExtended.size
      return { source, offset, target: bytes.subarray(at, at + length) }
    }),
  )
  return nids.map((nid, index) => {
    const at = index * InodeExtended.size
    const record = bytes.subarray(at, at + InodeExtended.size)
    return decodeInode(volume, nid, record, offsets[index] as number)
  })
}

function decodeInode(volume: Volume, nid: number, bytes: Uint8Array, offset: number): RawInode {
  const { time, timeNanoseconds } = volume.superblock
  const { format, xattrIcount } = InodeCompact.read(bytes)
  if (format & ~EROFS_I_ALL) {
    const message = `i_format 0x${format.toString(16)} is not known`
    throw erofsFormatError('FORMAT_UNSUPPORTED', `inode ${nid}`, message, offset)
  }
  const isExtended = (format & EROFS_I_VERSION_EXTENDED) !== 0
  const inodeSize = isExtended ? InodeExtended.size : InodeCompact.size
  const xattrStart = offset + inodeSize
  const xattrSize = xattrIcount === 0 ? 0 : XattrIbodyHeader.size + 4 * (xattrIcount - 1)
  checkRange(volume, offset, inodeSize + xattrSize, `inode ${nid}`)
  const layout = (format >>> EROFS_I_DATALAYOUT_SHIFT) & EROFS_I_DATALAYOUT_MASK
  const place = { nid, layout, xattrStart, xattrSize }
  if (isExtended) {
    const { mode, uid, gid, size, u, mtime, mtimeNsec } = InodeExtended.read(bytes)
    const seconds = Number(BigInt.asIntN(64, mtime))
    if (!Number.isSafeInteger(seconds)) {
      throw erofsFormatError('FORMAT_INVALID', `inode ${nid}`, `its time is ${seconds}`, offset)
    }
    const nanoseconds = mtimeNsec < 1_000_000_000 ? mtimeNsec : 0
    return { ...place, mode, uid, gid, size, u, mtime: { seconds, nanoseconds } }
  }
  const { mode, uid, gid, size, u } = InodeCompact.read(bytes)
  return { ...place, mode, uid, gid, size, u, mtime: { seconds: time, nanoseconds: timeNanoseconds } }
}
