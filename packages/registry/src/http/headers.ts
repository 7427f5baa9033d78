/** One entry of a `Link` header: RFC 8288, 3. */
export interface Link {
  readonly target: string
  readonly relation: string
}

/** The media type of a `Content-Type` header, without parameters, in lower case. */
export function mediaTypeOf(headers: Headers): string | undefined {
  const type = headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase()
  return type === '' ? undefined : type
}

/** A decimal header such as `Content-Length`; `undefined` where it is missing or not a safe integer. */
export function numberOf(headers: Headers, name: string): number | undefined {
  const text = headers.get(name)?.trim() ?? ''
  const value = Number(text)
  return /^\d+$/.test(text) && Number.isSafeInteger(value) ? value : undefined
}

/**
 * Milliseconds that a `Retry-After` header asks for, in seconds or as a date (RFC 9110, 10.2.3).
 *
 * A date is compared with the `Date` of the same answer: the server's clock with itself.
 */
export function retryAfterOf(headers: Headers): number | undefined {
  const seconds = numberOf(headers, 'retry-after')
  if (seconds !== undefined) return seconds * 1000
  const until = Date.parse(headers.get('retry-after') ?? '')
  const now = Date.parse(headers.get('date') ?? '')
  return Number.isNaN(until - now) ? undefined : Math.max(0, until - now)
}

/** A `Content-Range` of bytes (RFC 9110, 14.4); `size` is missing where the server wrote `*`. */
export function contentRangeOf(headers: Headers): { start: number; end: number; size?: number } | undefined {
  const match = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers.get('content-range')?.trim() ?? '')
  if (!match) return undefined
  const range = { start: Number(match[1]), end: Number(match[2]) }
  return match[3] === '*' ? range : { ...range, size: Number(match[3]) }
}

/** A quota that a registry tells of: Docker Hub writes `100;w=21600`, a limit for so many seconds. */
export interface RateLimit {
  readonly limit: number
  /** Requests that are left; missing where the registry does not say. */
  readonly remaining?: number
  /** Seconds. */
  readonly window?: number
}

/** The quota in `RateLimit-Limit` and `RateLimit-Remaining`. */
export function rateLimitOf(headers: Headers): RateLimit | undefined {
  const limit = quotaOf(headers.get('ratelimit-limit'))
  const remaining = quotaOf(headers.get('ratelimit-remaining'))
  if (!limit) return undefined
  const window = limit.window ?? remaining?.window
  return {
    limit: limit.count,
    ...(remaining && { remaining: remaining.count }),
    ...(window !== undefined && { window }),
  }
}

function quotaOf(text: string | null): { readonly count: number; readonly window?: number } | undefined {
  const match = /^\s*(\d{1,15})(?:\s*;\s*w=(\d{1,15}))?\s*(?:[;,].*)?$/.exec(text ?? '')
  if (!match) return undefined
  const count = Number(match[1])
  return match[2] === undefined ? { count } : { count, window: Number(match[2]) }
}

const LINK_PARAMETER = String.raw`;\s*([^\s=;,]+)(?:=(?:"([^"]*)"|([^\s";,]*)))?`
const LINK = new RegExp(String.raw`<([^<>]*)>((?:\s*${LINK_PARAMETER})*)`, 'g')

/** The links of a `Link` header that have a relation. Text that is not a link is passed over. */
export function linksOf(headers: Headers): Link[] {
  const links: Link[] = []
  for (const [, target = '', parameters = ''] of (headers.get('link') ?? '').matchAll(LINK)) {
    for (const [, name = '', quoted, word = ''] of parameters.matchAll(new RegExp(LINK_PARAMETER, 'g'))) {
      if (name.toLowerCase() !== 'rel') continue
      links.push({ target, relation: (quoted ?? word).toLowerCase() })
      break
    }
  }
  return links
}

/** The texts of the registry's own warnings, code 299: distribution-spec, "Warnings". */
export function warningsOf(headers: Headers): string[] {
  const matches = (headers.get('warning') ?? '').matchAll(/299 - "((?:[^"\\]|\\.)*)"/g)
  return Array.from(matches, ([, text = '']) => text.replaceAll(/\\(.)/g, '$1'))
}
