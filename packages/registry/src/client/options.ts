import type { RuntimeOptions } from '@bootable/bytes'
import type { Credentials } from '../auth/credentials.ts'
import type { Clock } from '../clock.ts'
import type { RegistryEventListener } from '../events.ts'
import type { Timeouts } from '../http/exchange.ts'
import type { RetryPolicy } from '../http/retry.ts'
import type { Transport } from '../http/transport.ts'
import type { RepositoryRouter } from './route.ts'

/** Options of {@link openRegistry}. All of it is optional; `nodeRegistryOptions` has what Node does best. */
export interface RegistryOptions extends RuntimeOptions {
  /** @defaultValue `fetchTransport()` */
  readonly transport?: Transport
  /** @defaultValue none: everything is asked for anonymously */
  readonly credentials?: Credentials
  /**
   * Hosts (`registry.lan:5000`) that may be spoken to without TLS, or with a certificate that nobody vouches
   * for, or `true` for all. They are tried with https first. Loopback addresses may always be without TLS.
   * @defaultValue none
   */
  readonly insecure?: boolean | readonly string[]
  /** Mirrors, other places and blocks. @defaultValue repositories are where their names say */
  readonly router?: RepositoryRouter
  /**
   * Whether a layer that the registry does not have is fetched from the `urls` of its descriptor, anonymously.
   * Nondistributable layers have such.
   * @defaultValue false
   */
  readonly foreignUrls?: boolean
  readonly timeouts?: Timeouts
  readonly retry?: RetryPolicy
  /** Bodies of all requests together, in both directions, go no faster than this. @defaultValue no limit */
  readonly maxBytesPerSecond?: number
  /** @defaultValue `bootable` */
  readonly userAgent?: string
  /** @defaultValue the host's clock */
  readonly clock?: Clock
  readonly onEvent?: RegistryEventListener
}
