import type { RuntimeOptions } from '@bootable/bytes'
import type { Credentials } from '../auth/credentials.ts'
import type { Clock } from '../clock.ts'
import type { RegistryEventListener } from '../events.ts'
import type { Timeouts } from '../http/exchange.ts'
import type { RetryPolicy } from '../http/retry.ts'
import type { Transport } from '../http/transport.ts'

/** Options of {@link openRegistry}. All of it is optional; `nodeRegistryOptions` has what Node does best. */
export interface RegistryOptions extends RuntimeOptions {
  /** @defaultValue `fetchTransport()` */
  readonly transport?: Transport
  /** @defaultValue none: everything is asked for anonymously */
  readonly credentials?: Credentials
  /**
   * Hosts (`registry.lan:5000`) that may be spoken to without TLS, or `true` for all. They are tried with
   * https first. Loopback addresses may always.
   * @defaultValue none
   */
  readonly insecure?: boolean | readonly string[]
  readonly timeouts?: Timeouts
  readonly retry?: RetryPolicy
  /** @defaultValue `bootable` */
  readonly userAgent?: string
  /** @defaultValue the host's clock */
  readonly clock?: Clock
  readonly onEvent?: RegistryEventListener
}
