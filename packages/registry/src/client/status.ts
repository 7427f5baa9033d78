import { BootableError } from '@bootable/bytes'

/** The HTTP status that an error stands for. */
export function statusOf(error: unknown): number | undefined {
  const status = BootableError.is(error) ? error.details.status : undefined
  return typeof status === 'number' ? status : undefined
}
