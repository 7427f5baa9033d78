import { array, ascii, bytes, type Field, struct, u8 } from '@bootable/bytes'

/** Everything in a tar archive is counted in blocks of 512 bytes. */
export const BLOCK = 512

/** The header block (POSIX.1-2017, pax, "ustar Interchange Format"): text in all fields, numbers in octal. */
export const TarHeader = struct('tar header', BLOCK, {
  name: ascii(0, 100),
  mode: ascii(100, 8),
  uid: ascii(108, 8),
  gid: ascii(116, 8),
  size: bytes(124, 12),
  mtime: ascii(136, 12),
  chksum: ascii(148, 8),
  typeflag: ascii(156, 1),
  linkname: ascii(157, 100),
  magic: ascii(257, 8, '\x01'), // with the version, as GNU writes both in one; the padding is never there
  uname: ascii(265, 32),
  gname: ascii(297, 32),
  devmajor: ascii(329, 8),
  devminor: ascii(337, 8),
  prefix: bytes(345, 155),
})

/** A stretch of data in a sparse file: tar manual, "Basic Tar Format", `struct sparse`. */
const sparseEntry = (offset: number): Field<Uint8Array> => bytes(offset, 24)

/** The header of GNU's own format where the type is `S`: what stands in place of the prefix. */
export const GnuSparseHeader = struct('oldgnu_header', BLOCK, {
  sp: array(sparseEntry, 386, 4),
  isextended: u8(482),
  realsize: bytes(483, 12),
})

/** A block of further stretches, while `isextended` is set. */
export const GnuSparseExtension = struct('sparse_header', BLOCK, {
  sp: array(sparseEntry, 0, 21),
  isextended: u8(504),
})

/** `magic` and `version`, by the name that tar's `--format` has for it. */
export const MAGIC = { ustar: 'ustar\x0000', oldgnu: 'ustar  \0' } as const

export type TarFormat = keyof typeof MAGIC

/** `typeflag` of a regular file: of POSIX, of Version 7, contiguous, and GNU's sparse one. */
export const TYPE = { regular: '0', regularV7: '', contiguous: '7', gnuSparse: 'S' } as const
