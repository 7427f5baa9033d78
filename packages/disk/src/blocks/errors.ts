import { BootableError, FormatError, type FormatErrorCode } from '@bootable/bytes'

/** The cases in which a disk cannot be put into a container; all before a byte is written. */
export type ContainerErrorCode =
  /** More than the format can hold; `details.size` and `details.limit`, in bytes. */
  | 'CONTAINER_LIMIT'
  /** One or more options make no sense; `details.problems` lists all of them. */
  | 'CONTAINER_OPTIONS_INVALID'

/** Why an option is refused. */
export interface OptionProblem {
  readonly option: string
  readonly message: string
}

/** @throws BootableError `CONTAINER_OPTIONS_INVALID` with all problems, if there are any */
export function refuseProblems(format: string, problems: readonly OptionProblem[]): void {
  if (problems.length === 0) return
  const lines = problems.map(({ option, message }) => `${format} ${option}: ${message}`)
  const error: BootableError<ContainerErrorCode> = new BootableError(
    'CONTAINER_OPTIONS_INVALID',
    lines.join('\n'),
    { details: { format, problems } },
  )
  throw error
}

/** A disk that its format cannot hold. `size` and `limit` in bytes. */
export function limitError(format: string, size: number, limit: number): BootableError<ContainerErrorCode> {
  return new BootableError('CONTAINER_LIMIT', `${format}: ${size} bytes are needed, ${limit} are the most`, {
    details: { format, size, limit },
    hint: 'qcow2 and raw hold larger disks',
  })
}

/** What makes the errors of one format's reader. `offset` is in bytes from the start of the file. */
export function formatErrorOf(
  format: string,
): (
  code: FormatErrorCode,
  structure: string,
  offset: number,
  message: string,
  values?: { readonly expected?: unknown; readonly actual?: unknown },
) => FormatError {
  return (code, structure, offset, message, values = {}) =>
    new FormatError(code, { format, structure, offset, ...values }, message)
}
