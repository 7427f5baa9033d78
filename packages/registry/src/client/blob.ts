import { BootableError } from '@bootable/bytes'
import type { OpenBlobOptions } from '@bootable/oci'
import { type Descriptor, verifyBlob } from '@bootable/oci'
import { registryError } from '../errors.ts'
import { contentRangeOf } from '../http/headers.ts'
import { redactUrl } from '../http/redact.ts'
import type { FollowedResponse } from '../http/redirect.ts'
import { requestForeign } from './foreign.ts'
import type { RepositoryName } from './name.ts'
import type { Endpoint } from './route.ts'
import type { Session } from './session.ts'

/** A download that came at least this much further has not failed for good: its tries start over. */
const PROGRESS = 1024 * 1024
/** How often a server may ignore `Range` and send everything again before it is not worth it. */
const MAX_RESTARTS = 3

/**
 * Opens a blob: distribution-spec, "Pulling blobs". The first request is made before this returns, so a blob
 * that is not there is told at once. What breaks later is taken up again where it broke.
 */
export async function openBlob(
  session: Session,
  name: RepositoryName,
  descriptor: Descriptor,
  options: OpenBlobOptions = {},
): Promise<AsyncIterable<Uint8Array>> {
  const { offset = 0, signal } = options
  // Such a range would be answered 416.
  if (offset > 0 && offset >= descriptor.size) return verifyBlob(nothing(), descriptor, options)
  const start = await requestBlob(session, name, descriptor, { offset, signal, repeat: true })
  const chunks = resumingBody(session, name, descriptor, start, offset, signal)
  return verifyBlob(chunks, descriptor, { ...options, runtime: session.runtime })
}

/** Whether a blob is there: distribution-spec, "Checking if content exists in the registry". */
export async function hasBlob(
  session: Session,
  name: RepositoryName,
  { digest }: Descriptor,
  signal?: AbortSignal,
): Promise<boolean> {
  const response = await session.request(name, {
    method: 'HEAD',
    path: `blobs/${digest}`,
    action: 'pull',
    expected: [200, 404],
    signal,
  })
  await response.cancel()
  return response.status === 200
}

/** An answer with a blob, of the registry, a mirror, or a place that the descriptor names. */
type BlobResponse = FollowedResponse & { readonly endpoint?: Endpoint }

interface BlobRequest {
  readonly offset: number
  readonly signal: AbortSignal | undefined
  readonly repeat: boolean
  readonly broken?: ReadonlySet<Endpoint>
}

async function requestBlob(
  session: Session,
  name: RepositoryName,
  descriptor: Descriptor,
  { offset, signal, repeat, broken }: BlobRequest,
): Promise<BlobResponse> {
  const { digest } = descriptor
  const request = {
    method: 'GET',
    path: `blobs/${digest}`,
    headers: offset > 0 ? { Range: `bytes=${offset}-` } : {},
    action: 'pull',
    pull: 'digest',
    expected: offset > 0 ? [200, 206] : [200],
    codes: { 404: 'BLOB_UNKNOWN' },
    ...(broken && { broken }),
    signal,
  } as const
  try {
    return await (repeat ? session.request(name, request) : session.ask(name, request))
  } catch (error) {
    return await requestForeign(session, name, descriptor, { offset, signal, error })
  }
}

/**
 * The bytes from `offset` to the end, over as many requests as it takes. Each goes to the registry, not to
 * where it redirected before: signed URLs are valid for minutes. A mirror whose bodies break is not asked again.
 */
async function* resumingBody(
  session: Session,
  name: RepositoryName,
  descriptor: Descriptor,
  first: BlobResponse,
  offset: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  let position = offset
  let failedAt = offset
  let restarts = 0
  const backoff = session.backoff(signal, () => position)
  const broken = new Set<Endpoint>()
  // Until somebody gives parts without saying which.
  let inParts = true
  let response: BlobResponse | undefined = first

  for (;;) {
    try {
      response ??= await requestBlob(session, name, descriptor, {
        offset: inParts ? position : 0,
        signal,
        repeat: false,
        broken,
      })
      if (inParts && position > 0 && !isUsable(response, position, descriptor)) {
        inParts = false
        await response.cancel()
        response = undefined
        continue
      }
      let skip = surplus(response, position, descriptor)
      if (skip > 0 && ++restarts > MAX_RESTARTS) throw ignoresRange(response)
      for await (const chunk of response.body) {
        const wanted = chunk.subarray(Math.min(skip, chunk.length))
        skip -= chunk.length - wanted.length
        if (wanted.length === 0) continue
        position += wanted.length
        yield wanted
      }
      if (position >= descriptor.size) return
      throw registryError('NETWORK', `the body ended at byte ${position} of ${descriptor.size}`, {
        method: 'GET',
        url: redactUrl(response.url),
        retryable: true,
      })
    } catch (error) {
      await response?.cancel()
      const mirror: Endpoint | undefined = response?.endpoint?.isMirror ? response.endpoint : undefined
      response = undefined
      const isProgress = position - failedAt >= PROGRESS
      failedAt = position
      if (mirror && !isProgress && BootableError.is(error) && !signal?.aborted) {
        await session.abandon(name, mirror, error, broken)
        backoff.reset()
        restarts = 0
        inParts = true
        continue
      }
      if (isProgress) backoff.reset()
      await backoff.failed(error)
    }
  }
}

async function* nothing(): AsyncGenerator<Uint8Array, void, undefined> {}

/**
 * Whether an answer is the whole blob, or the part from `position` on. Proxies have sent parts without a
 * `Content-Range`, and several parts at once.
 */
function isUsable({ status, headers }: FollowedResponse, position: number, { size }: Descriptor): boolean {
  if (status !== 206) return true
  const range = contentRangeOf(headers)
  return range?.start === position && (range.size ?? size) === size
}

/** Bytes to drop at the start of an answer: 0 for the range asked for, `position` for the whole blob. */
function surplus(response: FollowedResponse, position: number, descriptor: Descriptor): number {
  if (response.status !== 206) return position
  if (isUsable(response, position, descriptor)) return 0
  const { size } = descriptor
  const range = contentRangeOf(response.headers)
  const given = range ? `${range.start} to ${range.end}` : 'an unknown range'
  throw registryError('PROTOCOL', `asked for bytes ${position} to ${size - 1}, got ${given}`, {
    method: 'GET',
    url: redactUrl(response.url),
    status: 206,
  })
}

function ignoresRange({ url }: FollowedResponse): Error {
  return registryError('NETWORK', `gave up after ${MAX_RESTARTS} restarts: the server ignores Range`, {
    method: 'GET',
    url: redactUrl(url),
  })
}
