import { BootableError } from '../errors.ts'

/**
 * What the operating system refused, as an error of ours. A full disk is `FILE_NO_SPACE` whatever was tried.
 * @param attempt what was tried, after "cannot": `write /a/b`
 * @param cause the error, or what is wrong in words
 */
export function fileError(
  code: 'FILE_NOT_READABLE' | 'FILE_NOT_WRITABLE',
  attempt: string,
  details: Readonly<Record<string, unknown>>,
  cause: unknown,
): BootableError {
  const full =
    cause instanceof Error && 'code' in cause && (cause.code === 'ENOSPC' || cause.code === 'EDQUOT')
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new BootableError(full ? 'FILE_NO_SPACE' : code, `cannot ${attempt}: ${reason}`, {
    details,
    ...(full && { hint: 'free some space or write to another filesystem' }),
    ...(cause instanceof Error && { cause }),
  })
}
