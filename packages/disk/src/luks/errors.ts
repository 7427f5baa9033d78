import { BootableError, type BootableErrorOptions, FormatError, type FormatErrorCode } from '@bootable/bytes'

/** What writing and unlocking refuse besides bytes that are no LUKS2. */
export type LuksErrorCode =
  /** An option contradicts the format, or a device is not whole sectors. */
  | 'LUKS_OPTION_INVALID'
  /** The device has no room behind the header. */
  | 'LUKS_NO_SPACE'
  /** No key slot opens with the passphrase. */
  | 'LUKS_PASSPHRASE_WRONG'
  /** Unlocking would cost more than the limits; `details` has the cost and the limit. */
  | 'LUKS_KDF_LIMIT'

export function luksError(
  code: LuksErrorCode,
  message: string,
  options: BootableErrorOptions = {},
): BootableError<LuksErrorCode> {
  return new BootableError(code, message, options)
}

/** An error of the reader. @param offset bytes from the start of the volume */
export function luksFormatError(
  code: FormatErrorCode,
  structure: string,
  message: string,
  offset?: number,
): FormatError {
  const place = offset === undefined ? {} : { offset }
  return new FormatError(code, { format: 'luks', structure, ...place }, message)
}
