import type { BootableErrorOptions, FormatErrorCode } from '@bootable/bytes'
import { BootableError, FormatError } from '@bootable/bytes'

/** What the btrfs writer refuses. The reader throws only {@link FormatError}. */
export type BtrfsErrorCode =
  /** The tree does not fit the device; nothing was written. */
  | 'BTRFS_NO_SPACE'
  /** An option contradicts the format. */
  | 'BTRFS_OPTION_INVALID'
  /** A subvolume is asked for where the tree has no directory, or asked for twice. */
  | 'BTRFS_SUBVOLUME_INVALID'
  /** A name that no directory can hold, such as one of more than 255 bytes. */
  | 'BTRFS_NAME_INVALID'
  /** So many names of one directory, or attributes of one inode, have the same hash that no item holds them. */
  | 'BTRFS_HASH_COLLISION'
  /** A symbolic link has no target, or one of more than 4095 bytes. */
  | 'BTRFS_SYMLINK_INVALID'
  /** A file stands under more names than `BTRFS_LINK_MAX`. */
  | 'BTRFS_TOO_MANY_LINKS'
  /** A device number needs more than 12 bits of major or 20 bits of minor. */
  | 'BTRFS_DEVICE_NUMBER'
  /** An extended attribute lies in a namespace that btrfs does not keep. */
  | 'BTRFS_XATTR_INVALID'
  /** Name and value of an extended attribute do not fit one item. */
  | 'BTRFS_XATTR_NO_SPACE'

/** An error of the writer. */
export function btrfsError(
  code: BtrfsErrorCode,
  message: string,
  options: BootableErrorOptions = {},
): BootableError<BtrfsErrorCode> {
  return new BootableError(code, message, options)
}

/** An error of the reader. @param offset bytes from the start of the device, or of its logical addresses */
export function btrfsFormatError(
  code: FormatErrorCode,
  structure: string,
  message: string,
  offset?: number,
): FormatError {
  const place = offset === undefined ? {} : { offset }
  return new FormatError(code, { format: 'btrfs', structure, ...place }, message)
}
