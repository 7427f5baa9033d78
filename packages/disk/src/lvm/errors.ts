import { FormatError, type FormatErrorCode } from '@bootable/bytes'

/** What planning and writing a volume group refuses. The reader throws only {@link FormatError}. */
export type LvmErrorCode =
  /** Names or sizes that LVM does not take; `details.problems` lists all of them. */
  | 'LVM_OPTION_INVALID'
  /** The volumes need more than the physical volume has; `details.needed` and `details.size`, in bytes. */
  | 'LVM_NO_SPACE'

/** An error of the reader. @param offset bytes from the start of the physical volume */
export function lvmFormatError(
  code: FormatErrorCode,
  structure: string,
  message: string,
  offset?: number,
): FormatError {
  const place = offset === undefined ? {} : { offset }
  return new FormatError(code, { format: 'lvm', structure, ...place }, message)
}
