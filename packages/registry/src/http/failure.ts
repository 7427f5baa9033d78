import { type BootableError, collect, decodeUtf8 } from '@bootable/bytes'
import { type RegistryErrorCode, type RegistryErrorEntry, registryError } from '../errors.ts'
import { retryAfterOf } from './headers.ts'
import { type Redactor, redactUrl } from './redact.ts'
import type { HttpResponse } from './transport.ts'

const MAX_BODY = 64 * 1024
const MAX_ENTRIES = 10

/** What {@link responseError} needs to know besides the answer. */
export interface FailureContext {
  readonly method: string
  readonly url: URL
  readonly redactor: Redactor
  /** For a status that means something special here, such as 404 for a blob. */
  readonly codes?: Readonly<Record<number, string>>
  readonly hint?: string | undefined
  /** The registry's own origin: an answer of another host may be that of one whose signed URL expired. */
  readonly home?: URL
}

/** What storage says of a signature that expired: S3, Azure and CloudFront 403, Google 400. */
const EXPIRED = new Set([400, 403])

/** The error that an answer with an unexpected status stands for. Reads at most 64 KiB of its body. */
export async function responseError(response: HttpResponse, context: FailureContext): Promise<BootableError> {
  const { method, redactor, codes = {}, hint } = context
  const { status, headers } = response
  const url = redactUrl(context.url)
  const errors = await errorEntries(response, (text) => redactor.clean(text, context.url))
  const retryAfter = retryAfterOf(headers)
  const isElsewhere = context.home !== undefined && context.url.origin !== context.home.origin
  const said = errors.map(({ code, message }) => `: ${code}${message === '' ? '' : ` (${message})`}`).join('')
  return registryError<string>(
    codes[status] ?? codeOf(status),
    `${method} ${url} answered ${status}${said}`,
    {
      method,
      url,
      status,
      ...(errors.length > 0 && { errors }),
      retryable: isTransient(status) || (isElsewhere && EXPIRED.has(status)),
      ...(retryAfter !== undefined && { retryAfter }),
    },
    { hint },
  )
}

function codeOf(status: number): RegistryErrorCode {
  if (status === 401 || status === 403) return 'AUTH_DENIED'
  if (status === 404) return 'NOT_FOUND'
  if (status === 408) return 'TIMEOUT'
  if (status === 429) return 'RATE_LIMITED'
  return status >= 500 ? 'SERVER_ERROR' : 'PROTOCOL'
}

/** 501 and 505 will not change; the other 5xx come from gateways and servers under load. */
function isTransient(status: number): boolean {
  return status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 505)
}

async function errorEntries(
  response: HttpResponse,
  clean: (text: string) => string,
): Promise<RegistryErrorEntry[]> {
  if (response.status === 416) {
    // docker-registry promises as many bytes as the blob has, and sends a few.
    await response.cancel()
    return []
  }
  try {
    // Content types are often wrong here (docker-registry: text/plain), so the bytes decide.
    const text = decodeUtf8(await collect(response.body, MAX_BODY))
    const document: unknown = JSON.parse(text ?? '')
    const entries = (document as { errors?: unknown } | null)?.errors
    if (!Array.isArray(entries)) return []
    return entries.slice(0, MAX_ENTRIES).map((entry: { code?: unknown; message?: unknown } | null) => ({
      code: typeof entry?.code === 'string' ? clean(entry.code) : 'UNKNOWN',
      message: typeof entry?.message === 'string' ? clean(entry.message) : '',
    }))
  } catch {
    // A page for browsers, or a connection that broke: the status alone must do.
    return []
  }
}
