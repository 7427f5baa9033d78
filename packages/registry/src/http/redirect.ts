import { registryError } from '../errors.ts'
import type { AddressScope } from './address.ts'
import { checkRedirect, type Destination } from './policy.ts'
import { redactUrl } from './redact.ts'
import type { HttpRequest, HttpResponse } from './transport.ts'

const REDIRECT = new Set([301, 302, 303, 307, 308])
const MAX_HOPS = 10

/** An answer and where it came from. */
export interface FollowedResponse extends HttpResponse {
  readonly url: URL
  /** How near its host might be, where a stranger had named it: what it names itself gets no nearer. */
  readonly nearest?: AddressScope | undefined
}

/** Redirects that keep method and body: RFC 9110, 15.4.8 and 15.4.9. */
const REPEATING = new Set([307, 308])

/**
 * Sends a request and follows redirects by hand; a body is opened again for each, and goes only along those
 * that keep the method. (Node's `fetch` cannot send one twice.)
 *
 * `Authorization` stays with the origin (scheme, host, port) that it was made for, as distribution-spec
 * demands: storage hosts answer 400 when they get it beside a signed URL, and it is none of their business.
 * @throws BootableError `POLICY`, `PROTOCOL`
 */
export async function followRedirects(
  request: HttpRequest,
  send: (request: HttpRequest) => Promise<HttpResponse>,
): Promise<FollowedResponse> {
  let current = request
  for (let hop = 0; hop <= MAX_HOPS; hop++) {
    const response = await send(current)
    const location = response.headers.get('location')
    if (!REDIRECT.has(response.status) || location === null) {
      return { ...response, url: current.url, nearest: current.nearest }
    }
    await response.cancel()
    if (request.method !== 'GET' && request.method !== 'HEAD' && !REPEATING.has(response.status)) {
      throw registryError(
        'PROTOCOL',
        `a redirect with ${response.status} would turn ${request.method} into GET`,
        {
          method: request.method,
          url: redactUrl(current.url),
          status: response.status,
        },
      )
    }
    current = redirected(current, checkRedirect(location, current.url, { ...current, peer: response.peer }))
  }
  throw registryError('PROTOCOL', `more than ${MAX_HOPS} redirects`, {
    method: request.method,
    url: redactUrl(request.url),
  })
}

function redirected(request: HttpRequest, { url, nearest }: Destination): HttpRequest {
  if (url.origin === request.url.origin) return { ...request, url }
  const { insecure, ...rest } = request
  // Another port of a server is trusted like it; what another host shows has to be a good certificate.
  const isSameHost = url.hostname === request.url.hostname
  const headers = withoutAuthorization(request.headers)
  return { ...rest, url, headers, ...(isSameHost ? { insecure } : { nearest }) }
}

function withoutAuthorization(headers: HttpRequest['headers']): HttpRequest['headers'] {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'authorization'),
  )
}
