import type { BootableError } from '@bootable/bytes'
import type { Clock } from '../clock.ts'
import type { RegistryEventListener } from '../events.ts'
import { type ExchangeOptions, exchange } from './exchange.ts'
import { rateLimitOf } from './headers.ts'
import { createHostGate } from './host-gate.ts'
import { createThrottle, type Throttle } from './throttle.ts'
import type { HttpRequest, HttpResponse } from './transport.ts'

/** Options of {@link createPace}. */
export interface PaceOptions {
  readonly clock: Clock
  /** For bodies in both directions. @defaultValue no limit */
  readonly maxBytesPerSecond?: number | undefined
  readonly onEvent?: RegistryEventListener | undefined
}

/** How fast a client goes: what its hosts ask for, and what its user allows. */
export interface Pace {
  /** Like `exchange`, once the host may be asked; bodies no faster than allowed. */
  exchange(request: HttpRequest, options: ExchangeOptions): Promise<HttpResponse>
  /** A request failed and waits: so do all others of its host, if it was the host that asked for it. */
  hold(error: BootableError, delay: number): void
}

export function createPace(options: PaceOptions): Pace {
  const { clock, maxBytesPerSecond, onEvent } = options
  const gate = createHostGate(clock)
  const throttle = maxBytesPerSecond === undefined ? undefined : createThrottle(maxBytesPerSecond, clock)
  return {
    async exchange(request, exchanging) {
      const { host } = request.url
      const { signal } = exchanging
      await gate.pass(host, signal)
      const response = await exchange(throttle ? slower(request, throttle, signal) : request, exchanging)
      const limit = rateLimitOf(response.headers)
      if (limit) onEvent?.({ type: 'rate-limit', host, ...limit })
      return throttle ? { ...response, body: throttle.pace(response.body, signal) } : response
    },
    hold({ code, details }, delay) {
      const asks = code === 'RATE_LIMITED' || details.status === 503 || details.retryAfter !== undefined
      if (!asks || typeof details.url !== 'string') return
      gate.hold(new URL(details.url).host, delay)
    },
  }
}

/** Short bodies are not worth it: a token request, a manifest. */
const SHORT = 16 * 1024

/** The waiting is that of whoever makes the body, so that no time limit of the server runs meanwhile. */
function slower(request: HttpRequest, throttle: Throttle, signal: AbortSignal | undefined): HttpRequest {
  const { body } = request
  if (body === undefined || sizeOf(body) <= SHORT) return request
  const open = async (): Promise<AsyncIterable<Uint8Array>> =>
    throttle.pace(body instanceof Uint8Array ? once(body) : await body.open(), signal)
  return { ...request, body: { size: sizeOf(body), open } }
}

function sizeOf(body: NonNullable<HttpRequest['body']>): number {
  return body instanceof Uint8Array ? body.length : body.size
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
