import type { ByteRange } from '@bootable/bytes'
import type { Timestamp } from '@bootable/tree'

/** Everything in a tar archive is counted in blocks of 512 bytes. */
export const BLOCK_SIZE = 512

/** A field of the header block. */
export interface HeaderField {
  readonly name: string
  readonly offset: number
  readonly size: number
}

/** The header block: POSIX.1-2017, pax, "ustar Interchange Format". Text in all fields, mostly octal. */
export const HEADER = {
  name: { name: 'name', offset: 0, size: 100 },
  mode: { name: 'mode', offset: 100, size: 8 },
  uid: { name: 'uid', offset: 108, size: 8 },
  gid: { name: 'gid', offset: 116, size: 8 },
  size: { name: 'size', offset: 124, size: 12 },
  mtime: { name: 'mtime', offset: 136, size: 12 },
  checksum: { name: 'chksum', offset: 148, size: 8 },
  typeFlag: { name: 'typeflag', offset: 156, size: 1 },
  linkName: { name: 'linkname', offset: 157, size: 100 },
  magic: { name: 'magic', offset: 257, size: 8 }, // with the version, as GNU writes both in one
  deviceMajor: { name: 'devmajor', offset: 329, size: 8 },
  deviceMinor: { name: 'devminor', offset: 337, size: 8 },
  prefix: { name: 'prefix', offset: 345, size: 155 },
} as const satisfies Record<string, HeaderField>

/** `magic` and `version` of POSIX archives. */
export const POSIX_MAGIC = 'ustar\x0000'
/** What GNU tar writes there in its own format; there is no prefix field then. */
export const GNU_MAGIC = 'ustar  \0'
/** Schilling's star: its mark at byte 508, and a prefix of 131 bytes only. */
export const STAR_TRAILER = { offset: 508, text: 'tar\0' } as const
export const STAR_PREFIX = { name: 'prefix', offset: 345, size: 131 } as const

/** `typeflag` values: POSIX, and those of GNU tar and Solaris that are met in practice. */
export const TYPE = {
  regular: '0',
  regularV7: '\0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
  contiguous: '7',
  extended: 'x',
  extendedSolaris: 'X',
  extendedGlobal: 'g',
  gnuLongName: 'L',
  gnuLongLink: 'K',
  gnuSparse: 'S',
  gnuVolume: 'V',
  gnuDumpDirectory: 'D',
} as const

/**
 * The old GNU sparse header (tar manual, "Basic Tar Format", `struct oldgnu_header` and
 * `struct sparse_header`): pairs of offset and length, each 12 bytes, in the header and in blocks after it.
 */
export const GNU_SPARSE = {
  mapOffset: 386,
  mapEntries: 4,
  isExtended: 482,
  realSize: { name: 'realsize', offset: 483, size: 12 },
  /** In each block that follows while `isextended` is set. */
  extensionEntries: 21,
  extensionIsExtended: 504,
} as const

export type TarMemberType =
  | 'file'
  | 'directory'
  | 'symlink'
  /** One more name for the inode that stands at `linkName`; it has no attributes of its own. */
  | 'hardlink'
  | 'character'
  | 'block'
  | 'fifo'

/** A stretch of data in a sparse file: bytes at `offset` of the file lie at `position` of the archive. */
export interface SparseRange extends ByteRange {
  readonly position: number
}

/** One member of an archive, as its headers describe it. Its bytes stay where they are. */
export interface TarMember {
  /** Without leading `./` or `/` and without a trailing slash; `''` is the root. Never with `..` in it. */
  readonly path: string
  readonly type: TarMemberType
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly mtime: Timestamp
  /** Bytes of the file, holes included; 0 for everything else. */
  readonly size: number
  /** The target of a symbolic link, verbatim; of a hard link, a path as `path` is. Else empty. */
  readonly linkName: string
  /** Of a device. */
  readonly major: number
  readonly minor: number
  readonly xattrs: ReadonlyMap<string, Uint8Array>
  /** First byte of the content in the (uncompressed) archive. */
  readonly offset: number
  /** Set for a sparse file: what is data, ascending. The rest of the file is zero. */
  readonly sparse?: readonly SparseRange[]
}
