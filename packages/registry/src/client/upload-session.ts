import type { Digest } from '@bootable/oci'
import { repositoryScope } from '../auth/scope.ts'
import type { AddressScope } from '../http/address.ts'
import { numberOf } from '../http/headers.ts'
import { checkUploadLocation, type Destination } from '../http/policy.ts'
import type { FollowedResponse } from '../http/redirect.ts'
import type { RequestBody } from '../http/transport.ts'
import type { RepositoryName } from './name.ts'
import type { RepositoryRequest, Session } from './session.ts'

const OCTETS = { 'Content-Type': 'application/octet-stream' }
/** Bytes that a registry moves in a millisecond at the least, when it puts an upload in its place. */
const SLOWEST = 10_000
/** Milliseconds that are spent on telling a registry that an upload is given up. */
const CANCEL_TIMEOUT = 2_000

/** Who uploads, and where to. */
export interface UploadContext {
  readonly session: Session
  readonly name: RepositoryName
  readonly signal?: AbortSignal | undefined
}

/** An upload that a registry has opened: distribution-spec, "Pushing blobs". */
export interface Upload {
  /** Always the one of the latest answer: docker-registry keeps the offset in it. */
  location: URL
  /** How near its host may be: {@link Destination}. */
  nearest?: AddressScope | undefined
  /** `OCI-Chunk-Min-Length`, in bytes; 0 where the registry says nothing. */
  readonly minChunk: number
}

/** Options of {@link beginUpload}. */
export interface BeginUploadOptions {
  /** A blob, and the repository of the same registry that has it already. */
  readonly mount?: { readonly digest: Digest; readonly from: string }
  /** Of the digest to come, where it is not sha256: distribution-spec, `digest-algorithm`. */
  readonly algorithm?: string
}

/**
 * Opens an upload. `undefined` when the blob was mounted, so that there is nothing to upload. A registry
 * that cannot mount opens an upload instead, which serves as any other.
 */
export async function beginUpload(
  context: UploadContext,
  { mount, algorithm }: BeginUploadOptions = {},
): Promise<Upload | undefined> {
  const { session, name, signal } = context
  const query = new URLSearchParams({
    ...(mount && { mount: mount.digest, from: mount.from }),
    ...(algorithm !== undefined && algorithm !== 'sha256' && { 'digest-algorithm': algorithm }),
  })
  const response = await session.ask(name, {
    method: 'POST',
    path: `blobs/uploads/${query.size > 0 ? `?${query}` : ''}`,
    body: new Uint8Array(0),
    action: 'push',
    ...(mount && {
      scope: `${repositoryScope(name.repository, 'pull', 'push')} ${repositoryScope(mount.from, 'pull')}`,
    }),
    expected: mount ? [201, 202] : [202],
    signal,
  })
  await response.cancel()
  if (response.status === 201) return undefined
  // Its `Range: 0-0` is that of no byte, not of one.
  const { url, nearest } = destinationOf(response) ?? response
  return {
    location: url,
    nearest,
    minChunk: numberOf(response.headers, 'oci-chunk-min-length') ?? 0,
  }
}

/**
 * Sends the next bytes.
 * @param offset where in the blob they stand
 * @returns how many bytes the registry says it has now; `undefined` where it says nothing
 */
export async function sendChunk(
  context: UploadContext,
  upload: Upload,
  body: RequestBody,
  offset: number,
): Promise<number | undefined> {
  const range = { 'Content-Range': `${offset}-${offset + body.size - 1}` }
  const response = await askUpload(context, upload, {
    method: 'PATCH',
    path: upload.location,
    headers: { ...OCTETS, ...range },
    body,
    // ECR says 201.
    expected: [202, 201, 204],
  })
  return receivedOf(response)
}

/** Asks how many bytes have arrived. `undefined` when the upload cannot go on, or nobody knows. */
export async function uploadStatus(context: UploadContext, upload: Upload): Promise<number | undefined> {
  const request = { method: 'GET', path: upload.location, expected: [204, 200, 202] } as const
  const response = await askUpload(context, upload, request).catch(() => undefined)
  context.signal?.throwIfAborted()
  return response && receivedOf(response)
}

/** Ends an upload: with everything in one body, or with none after the chunks. */
export async function finishUpload(
  context: UploadContext,
  upload: Upload,
  digest: Digest,
  content: { readonly size: number; readonly body?: RequestBody },
): Promise<void> {
  const { size, body } = content
  const path = new URL(upload.location)
  // Not through `searchParams`, which would write the rest of the query anew: it is the registry's own.
  path.search += `${path.search === '' ? '' : '&'}digest=${encodeURIComponent(digest)}`
  await askUpload(context, upload, {
    method: 'PUT',
    path,
    headers: OCTETS,
    body: body ?? new Uint8Array(0),
    expected: [201, 200, 202, 204],
    patience: size / SLOWEST,
  })
}

/** Tells the registry that nothing more comes. Nobody minds if it cannot be told. */
export async function cancelUpload(
  { session, name }: UploadContext,
  { location: path, nearest }: Upload,
): Promise<void> {
  // Not with the caller's signal, which may be why the upload is given up. The right to delete is asked for
  // apart, since not everybody who may push has it.
  const signal = AbortSignal.timeout(CANCEL_TIMEOUT)
  const request = { method: 'DELETE', path, nearest, action: 'delete', expected: [204, 202, 200] } as const
  await session.ask(name, { ...request, signal }).then(
    (response) => response.cancel(),
    () => {},
  )
}

async function askUpload(
  { session, name, signal }: UploadContext,
  upload: Upload,
  request: Omit<RepositoryRequest, 'action' | 'signal'>,
): Promise<FollowedResponse> {
  const { nearest } = upload
  const response = await session.ask(name, { ...request, nearest, action: 'push', signal })
  await response.cancel()
  const next = destinationOf(response)
  if (next) [upload.location, upload.nearest] = [next.url, next.nearest]
  return response
}

function destinationOf({ headers, url, peer, nearest }: FollowedResponse): Destination | undefined {
  const location = headers.get('location')
  return location === null ? undefined : checkUploadLocation(location, url, { peer, nearest })
}

/** `Range: 0-N` of an upload means N + 1 bytes. Some write a unit before it, as RFC 9110 has it. */
function receivedOf({ headers }: FollowedResponse): number | undefined {
  const end = /^(?:bytes[= ])?0-(\d+)$/.exec(headers.get('range')?.trim() ?? '')?.[1]
  return end === undefined ? undefined : Number(end) + 1
}
