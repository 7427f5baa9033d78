import { BootableError } from '@bootable/bytes'
import { type RegistryErrorEntry, registryError } from '../errors.ts'

/** The HTTP status that an error stands for. */
export function statusOf(error: unknown): number | undefined {
  const status = BootableError.is(error) ? error.details.status : undefined
  return typeof status === 'number' ? status : undefined
}

/** Whether a registry says that what it got is not what the digest says. */
export function isDigestRefused(error: unknown): boolean {
  const entries = BootableError.is(error) ? error.details.errors : undefined
  return Array.isArray(entries) && entries.some(({ code }: RegistryErrorEntry) => code === 'DIGEST_INVALID')
}

/** An error of one upload that the next one need not meet. */
export function asRetryable(error: unknown): Error {
  const { code, message, details } = error as BootableError
  return registryError(code, message, { ...details, retryable: true }, { cause: error })
}
