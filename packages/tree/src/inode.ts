import type { ByteSource } from '@bootable/bytes'

/** A point in time: whole seconds since 1970 (negative before) and 0 to 999 999 999 nanoseconds on top. */
export interface Timestamp {
  readonly seconds: number
  readonly nanoseconds: number
}

/** What every inode carries, whatever its type. */
export interface InodeAttributes {
  /** Permission bits with setuid, setgid and sticky: `0o0000` to `0o7777`. The type is not in here. */
  mode: number
  /** 0 to 2^32 − 2. */
  uid: number
  gid: number
  mtime: Timestamp
  /** Full names with their namespace (`security.capability`), values as the kernel keeps them. */
  xattrs: Map<string, Uint8Array>
  /**
   * `chattr +i`: nothing in it can be changed, by root neither. Of files and directories only, and only on
   * filesystems that have such a flag; others leave it out.
   */
  immutable?: boolean
}

export interface RegularFile extends InodeAttributes {
  readonly type: 'file'
  /** Read lazily, by a writer; never the whole file in memory. */
  content: ByteSource
}

export interface Directory extends InodeAttributes {
  readonly type: 'directory'
  /** By name. Reading goes through {@link sortedEntries}: order is a property of the tree. */
  readonly entries: Map<string, Inode>
}

export interface Symlink extends InodeAttributes {
  readonly type: 'symlink'
  target: string
}

export interface Device extends InodeAttributes {
  readonly type: 'device'
  readonly kind: 'character' | 'block'
  readonly major: number
  readonly minor: number
}

export interface Fifo extends InodeAttributes {
  readonly type: 'fifo'
}

export interface Socket extends InodeAttributes {
  readonly type: 'socket'
}

/**
 * Anything that stands under a name. An inode that stands under several names (a hard link) is one
 * shared object; a directory stands under exactly one.
 */
export type Inode = RegularFile | Directory | Symlink | Device | Fifo | Socket

/** `S_IFMT` bits of an inode's type, as `st_mode` has them. */
export const TYPE_BITS: Readonly<Record<Inode['type'], number>> = {
  file: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
  device: 0, // see typeBits: S_IFCHR or S_IFBLK
  fifo: 0o010000,
  socket: 0o140000,
}

/** Type and permission bits together: `st_mode`. */
export function statMode(inode: Inode): number {
  return typeBits(inode) | inode.mode
}

/** The `S_IFMT` bits of an inode. */
export function typeBits(inode: Inode): number {
  if (inode.type !== 'device') return TYPE_BITS[inode.type]
  return inode.kind === 'character' ? 0o020000 : 0o060000
}
