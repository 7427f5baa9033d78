import type { Inode, Timestamp } from '@bootable/tree'

/** What a filesystem can hold. The compliance suite asks no more of it, and no less. */
export interface FilesystemLimits {
  /** Whether one inode can stand under several names; otherwise each name is expected to be a copy. */
  readonly hardLinks: boolean
  readonly symlinks: { readonly maxTargetBytes: number } | false
  /** Device nodes, and the greatest numbers that they may have. */
  readonly devices: { readonly major: number; readonly minor: number } | false
  /** Fifos and sockets. */
  readonly fifos: boolean
  /** Largest sum of the values of one inode, and largest single value, in bytes. */
  readonly xattrs: { readonly maxTotalBytes: number; readonly maxValueBytes: number } | false
  /** Largest uid and gid; `false` where files have no owner and read back as root's. */
  readonly owners: { readonly maximum: number } | false
  /** The permission bits that read back, given those of the tree. */
  readonly mode: (inode: Inode) => number
  /** The modification time that reads back, given that of the tree. */
  readonly time: (mtime: Timestamp) => Timestamp
  /** Whether the root directory has a time, a mode and an owner; otherwise it reads back with the epoch. */
  readonly rootTime: boolean
  /** Whether a name can be written. Every filesystem of ours takes 255 bytes of ASCII letters. */
  readonly nameAllowed: (name: string) => boolean
  /** Whether names that differ only in case are one name. */
  readonly caseInsensitive: boolean
  /** Whether holes of a file take no room in the image. */
  readonly sparse: boolean
  /** Bytes at whose multiples the allocation of a file changes: blocks, clusters, extents, inline limits. */
  readonly boundaries: readonly number[]
  /** Entries of the large directory. */
  readonly manyEntries: number
}

/** Names as any Linux filesystem has them: 1 to 255 bytes, no slash, no NUL, neither `.` nor `..`. */
export function isLinuxName(name: string): boolean {
  const length = new TextEncoder().encode(name).length
  return length >= 1 && length <= 255 && !/[/\0]/.test(name) && name !== '.' && name !== '..'
}

/** Limits of a filesystem that holds whatever Linux can say; spread and narrowed by each filesystem. */
export const LINUX_LIMITS: FilesystemLimits = {
  hardLinks: true,
  symlinks: { maxTargetBytes: 4095 },
  devices: { major: 0xfff, minor: 0xf_ffff },
  fifos: true,
  xattrs: { maxTotalBytes: 3500, maxValueBytes: 3500 },
  owners: { maximum: 2 ** 32 - 2 },
  mode: (inode) => inode.mode,
  time: (mtime) => mtime,
  rootTime: true,
  nameAllowed: isLinuxName,
  caseInsensitive: false,
  sparse: true,
  boundaries: [4096],
  manyEntries: 10_000,
}
