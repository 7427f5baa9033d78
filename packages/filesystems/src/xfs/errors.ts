import type { BootableErrorOptions, FormatErrorCode } from '@bootable/bytes'
import { BootableError, FormatError } from '@bootable/bytes'

/** What the XFS writer refuses. The reader throws only {@link FormatError}. */
export type XfsErrorCode =
  /** The tree does not fit the device, or the device is smaller than any XFS; nothing was written. */
  | 'XFS_NO_SPACE'
  /** An option contradicts the format. */
  | 'XFS_OPTION_INVALID'
  /** A name that no directory can hold, such as one of more than 255 bytes, or one hard link too many. */
  | 'XFS_NAME_INVALID'
  /** A symbolic link has no target, or one of more than 1023 bytes. */
  | 'XFS_SYMLINK_INVALID'
  /** A file has 2^53 bytes or more. */
  | 'XFS_FILE_TOO_LARGE'
  /** A directory needs more than 32 GiB for its names. */
  | 'XFS_DIRECTORY_TOO_LARGE'
  /** A device number needs more than 9 bits of major or 18 bits of minor. */
  | 'XFS_DEVICE_NUMBER'
  /** An extended attribute lies in a namespace that XFS does not have, or its value is malformed. */
  | 'XFS_XATTR_INVALID'
  /** The value of an extended attribute has more than 64 KiB. */
  | 'XFS_XATTR_NO_SPACE'

/** An error of the writer. */
export function xfsError(
  code: XfsErrorCode,
  message: string,
  options: BootableErrorOptions = {},
): BootableError<XfsErrorCode> {
  return new BootableError(code, message, options)
}

/** An error of the reader. @param offset bytes from the start of the filesystem */
export function xfsFormatError(
  code: FormatErrorCode,
  structure: string,
  message: string,
  offset?: number,
): FormatError {
  const place = offset === undefined ? {} : { offset }
  return new FormatError(code, { format: 'xfs', structure, ...place }, message)
}
