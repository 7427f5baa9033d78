import { BootableError } from '@bootable/bytes'
import { type Clock, systemClock } from '../clock.ts'
import { isRetryable } from '../errors.ts'

/** How often and how patiently something is tried again. Times are milliseconds. */
export interface RetryPolicy {
  /** Tries in all. @defaultValue 5 */
  readonly attempts?: number
  /** Before the second try; it doubles each time. @defaultValue 500 */
  readonly delay?: number
  /** The longest delay of our own choice. @defaultValue 30 000 */
  readonly maxDelay?: number
  /** The longest `Retry-After` that is waited for; beyond, the call fails at once. @defaultValue 300 000 */
  readonly maxRetryAfter?: number
}

/** Options of {@link createBackoff}. */
export interface BackoffOptions {
  readonly policy?: RetryPolicy
  readonly clock?: Clock
  readonly signal?: AbortSignal | undefined
  /** Hears of each try that failed and is going to be repeated. */
  readonly onRetry?: (error: BootableError, attempt: number, delay: number) => void
}

/** Counts the failures of one thing that is tried. */
export interface Backoff {
  /** Waits before the next try; throws the error itself when there is to be none. */
  failed(error: unknown): Promise<void>
  /** Forgets earlier failures, after progress. */
  reset(): void
}

/** Exponential delays, 20 % more or less so that clients that failed together do not return together. */
export function createBackoff(options: BackoffOptions = {}): Backoff {
  const { policy = {}, clock = systemClock, signal, onRetry } = options
  const { attempts = 5, delay: first = 500, maxDelay = 30_000, maxRetryAfter = 300_000 } = policy
  let failures = 0
  return {
    async failed(error) {
      failures++
      if (!BootableError.is(error) || !isRetryable(error)) throw error
      const { retryAfter } = error.details
      const asked = typeof retryAfter === 'number' ? retryAfter : undefined
      if (failures >= attempts || (asked ?? 0) > maxRetryAfter) throw withAttempts(error, failures)
      const own = Math.min(maxDelay, first * 2 ** (failures - 1)) * (0.8 + 0.4 * Math.random())
      // Never earlier than asked; many clients are asked for the same moment.
      const delay = Math.round(asked === undefined ? own : asked + own * 0.1)
      onRetry?.(error, failures, delay)
      await clock.sleep(delay, signal)
    },
    reset() {
      failures = 0
    },
  }
}

/** Does something until it succeeds or fails for good. */
export async function retrying<T>(work: () => Promise<T>, options: BackoffOptions = {}): Promise<T> {
  const backoff = createBackoff(options)
  for (;;) {
    options.signal?.throwIfAborted()
    try {
      return await work()
    } catch (error) {
      await backoff.failed(error)
    }
  }
}

function withAttempts(error: BootableError, attempts: number): BootableError {
  if (attempts === 1) return error
  const { code, message, details, hint, cause } = error
  return new BootableError(code, `${message} (tried ${attempts} times)`, {
    details: { ...details, attempts },
    ...(hint !== undefined && { hint }),
    ...(cause !== undefined && { cause }),
  })
}
