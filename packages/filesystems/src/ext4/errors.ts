import type { BootableErrorOptions, FormatErrorCode } from '@bootable/bytes'
import { BootableError, FormatError } from '@bootable/bytes'

/** What the ext4 writer refuses. The reader throws only {@link FormatError}. */
export type Ext4ErrorCode =
  /** The tree does not fit the device; nothing was written. */
  | 'EXT4_NO_SPACE'
  /** An option contradicts the format. */
  | 'EXT4_OPTION_INVALID'
  /** A name that no directory can hold, such as one of more than 255 bytes. */
  | 'EXT4_NAME_INVALID'
  /** A symbolic link has no target, or one of more bytes than fit one block. */
  | 'EXT4_SYMLINK_INVALID'
  /** A file reaches past logical block 2^32. */
  | 'EXT4_FILE_TOO_LARGE'
  /** A directory needs more than two levels of index. */
  | 'EXT4_DIRECTORY_TOO_LARGE'
  /** A file stands under more names than `EXT4_LINK_MAX`. */
  | 'EXT4_TOO_MANY_LINKS'
  /** A device number needs more than 12 bits of major or 20 bits of minor. */
  | 'EXT4_DEVICE_NUMBER'
  /** An extended attribute lies in a namespace that ext4 has no index for, or its value is malformed. */
  | 'EXT4_XATTR_INVALID'
  /** The extended attributes of one inode need more than the inode and one block. */
  | 'EXT4_XATTR_NO_SPACE'

/** An error of the writer. */
export function ext4Error(
  code: Ext4ErrorCode,
  message: string,
  options: BootableErrorOptions = {},
): BootableError<Ext4ErrorCode> {
  return new BootableError(code, message, options)
}

/** An error of the reader. @param offset bytes from the start of the filesystem */
export function ext4FormatError(
  code: FormatErrorCode,
  structure: string,
  message: string,
  offset?: number,
): FormatError {
  const place = offset === undefined ? {} : { offset }
  return new FormatError(code, { format: 'ext4', structure, ...place }, message)
}
