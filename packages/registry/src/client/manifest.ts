import { BootableError } from '@bootable/bytes'
import {
  createManifest,
  type Descriptor,
  type Digest,
  isDigest,
  isIndexMediaType,
  isManifestMediaType,
  isTag,
  type Manifest,
  MEDIA_TYPE,
  type OciErrorCode,
  readDocument,
} from '@bootable/oci'
import { mediaTypeOf, numberOf } from '../http/headers.ts'
import type { RepositoryName } from './name.ts'
import type { PullKind } from './route.ts'
import type { RepositoryRequest, Session } from './session.ts'

/** docker-registry answers 404 for an OCI manifest when this header is missing. */
const ACCEPT = [
  MEDIA_TYPE.index,
  MEDIA_TYPE.manifest,
  MEDIA_TYPE.dockerManifestList,
  MEDIA_TYPE.dockerManifest,
].join(', ')
/** What servers that do not know manifests call any file. */
const VAGUE = new Set(['application/json', 'text/plain', 'application/octet-stream', 'binary/octet-stream'])

/**
 * What a tag or digest stands for: HEAD, and where its answer is not enough, GET. A missing digest header
 * (ECR) or a 403 (Artifactory, for what does not exist) are no reason to fail.
 */
export async function resolveManifest(
  session: Session,
  name: RepositoryName,
  reference: string,
  signal?: AbortSignal,
): Promise<Descriptor> {
  const response = await session.request(name, {
    ...manifestRequest('HEAD', checkReference(reference), signal),
    pull: pullKind(reference),
    expected: [200, 400, 403, 405],
  })
  await response.cancel()
  const digest = response.headers.get('docker-content-digest')
  const size = numberOf(response.headers, 'content-length')
  const mediaType = mediaTypeOf(response.headers)
  const isKnown = mediaType !== undefined && (isIndexMediaType(mediaType) || isManifestMediaType(mediaType))
  const agrees = isDigest(digest) && (!isDigest(reference) || digest === reference)
  if (response.status === 200 && agrees && size && isKnown) return { mediaType, digest, size }
  return (await getManifest(session, name, reference, signal)).descriptor
}

/**
 * A manifest, its bytes as sent: distribution-spec, "Pulling manifests".
 *
 * The digest is made of these bytes. What the registry says about it is trusted for nothing; registries
 * have been wrong for years (distribution#2395), so a contradiction is a warning.
 */
export async function getManifest(
  session: Session,
  name: RepositoryName,
  target: Descriptor | string,
  signal?: AbortSignal,
): Promise<Manifest> {
  const pull = pullKind(typeof target === 'string' ? target : target.digest)
  return (await fetchManifest(session, name, target, signal, pull)).manifest
}

function pullKind(reference: string): PullKind {
  return isDigest(reference) ? 'digest' : 'tag'
}

/** {@link getManifest}, and the headers that came with it; of the registry itself, unless it is to be pulled. */
export async function fetchManifest(
  session: Session,
  name: RepositoryName,
  target: Descriptor | string,
  signal?: AbortSignal,
  pull?: PullKind,
): Promise<{ readonly manifest: Manifest; readonly headers: Headers }> {
  const reference = typeof target === 'string' ? checkReference(target) : target.digest
  const request = { ...manifestRequest('GET', reference, signal), ...(pull && { pull }) }
  // What is no manifest, such as the page of a captive portal, is a failure of whoever answered.
  const result = await session.read(name, request, async ({ body, headers }) => {
    const raw = await readDocument(body, typeof target === 'string' ? undefined : target)
    const mediaType = mediaTypeOf(headers)
    const manifest = createManifest(raw, {
      runtime: session.runtime,
      ...(mediaType !== undefined && !VAGUE.has(mediaType) && { mediaType }),
      ...expectationOf(target),
    })
    return { manifest, headers }
  })
  compareDigestHeader(session, name, reference, result.headers, result.manifest.descriptor)
  return result
}

/** A digest that was asked for is what the bytes must have, even where no descriptor says so. */
function expectationOf(target: Descriptor | string): { descriptor?: Descriptor; digest?: Digest } {
  if (typeof target !== 'string') return { descriptor: target }
  return isDigest(target) ? { digest: target } : {}
}

function manifestRequest(
  method: 'GET' | 'HEAD',
  reference: string,
  signal: AbortSignal | undefined,
): RepositoryRequest {
  return {
    method,
    path: `manifests/${reference}`,
    headers: { Accept: ACCEPT },
    action: 'pull',
    expected: [200],
    codes: { 404: isDigest(reference) ? 'MANIFEST_UNKNOWN' : 'REFERENCE_UNKNOWN' },
    signal,
  }
}

/** A tag or a digest. @throws BootableError `REFERENCE_INVALID` */
export function checkReference(reference: string): string {
  if (isDigest(reference) || isTag(reference)) return reference
  throw new BootableError<OciErrorCode>(
    'REFERENCE_INVALID',
    `${JSON.stringify(reference.slice(0, 200))} is neither a tag nor a digest`,
    { details: { reference: reference.slice(0, 200) } },
  )
}

/** Warns where a registry contradicts what the bytes hash to. */
export function compareDigestHeader(
  session: Session,
  { host }: RepositoryName,
  reference: string,
  headers: Headers,
  descriptor: Descriptor,
): void {
  const said = headers.get('docker-content-digest')
  // Of another algorithm it says nothing about ours.
  const [algorithm] = descriptor.digest.split(':')
  if (!isDigest(said) || said === descriptor.digest || !said.startsWith(`${algorithm}:`)) return
  const message = `${host} calls ${reference} ${said}, but its content is ${descriptor.digest}`
  session.emit({ type: 'warning', message })
}
