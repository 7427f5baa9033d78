import { type RegularFile, type Symlink, statMode, TYPE_BITS } from '@bootable/tree'
import { string, uint32be } from '../gvariant/basic.ts'
import { tuple } from '../gvariant/container.ts'
import { xattrArray } from './xattrs.ts'

/** What ostree keeps as a `.file` object. */
export type FileInode = RegularFile | Symlink

/** uid, gid, mode and device number in network order, the target of a link, extended attributes. */
const header = tuple(uint32be, uint32be, uint32be, uint32be, string, xattrArray)

/** Mode of every symbolic link: what the kernel shows, whatever an archive says of it. */
const SYMLINK_MODE = TYPE_BITS.symlink | 0o777

/**
 * What is hashed before the content to name a `.file` object: the length of the header as a big-endian
 * `u32`, four zero bytes, the header `(uuuusa(ayay))`. On disk in mode `bare` the inode itself carries this.
 *
 * @throws BootableError `OSTREE_INVALID_XATTR`, or `OSTREE_INVALID_TEXT` for the target of a link
 */
export function encodeFileHeader(inode: FileInode): Uint8Array {
  const isLink = inode.type === 'symlink'
  const { uid, gid, xattrs } = inode
  const encoded = header.encode([
    uid,
    gid,
    isLink ? SYMLINK_MODE : statMode(inode),
    0,
    isLink ? inode.target : '',
    xattrs,
  ])
  const framed = new Uint8Array(8 + encoded.length)
  new DataView(framed.buffer).setUint32(0, encoded.length)
  framed.set(encoded, 8)
  return framed
}
