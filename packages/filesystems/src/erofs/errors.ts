import type { BootableErrorOptions, FormatErrorCode } from '@bootable/bytes'
import { BootableError, FormatError } from '@bootable/bytes'

/** What the EROFS writer refuses. The reader throws only {@link FormatError}. */
export type ErofsErrorCode =
  /** The tree does not fit the device, or needs more than 2^32 blocks; nothing was written. */
  | 'EROFS_NO_SPACE'
  /** An option contradicts the format. */
  | 'EROFS_OPTION_INVALID'
  /** A name that no directory can hold, such as one of more than 255 bytes. */
  | 'EROFS_NAME_INVALID'
  /** A symbolic link has no target, or one that Linux would not follow. */
  | 'EROFS_SYMLINK_INVALID'
  /** A device number needs more than 12 bits of major or 20 bits of minor. */
  | 'EROFS_DEVICE_NUMBER'
  /** An extended attribute lies in a namespace that EROFS has no index for, or is too long. */
  | 'EROFS_XATTR_INVALID'
  /** The extended attributes of one inode need more than its 16-bit counter can say. */
  | 'EROFS_XATTR_NO_SPACE'

/** An error of the writer. */
export function erofsError(
  code: ErofsErrorCode,
  message: string,
  options: BootableErrorOptions = {},
): BootableError<ErofsErrorCode> {
  return new BootableError(code, message, options)
}

/** An error of the reader. @param offset bytes from the start of the filesystem */
export function erofsFormatError(
  code: FormatErrorCode,
  structure: string,
  message: string,
  offset?: number,
): FormatError {
  const place = offset === undefined ? {} : { offset }
  return new FormatError(code, { format: 'erofs', structure, ...place }, message)
}
