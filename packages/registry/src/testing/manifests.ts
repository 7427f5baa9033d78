import { BootableError, collect, decodeUtf8, MiB } from '@bootable/bytes'
import { type Descriptor, type Digest, digestBytes, isDigest, isTag, splitDigest } from '@bootable/oci'
import { answer, type Call, failure } from './answer.ts'
import { checkDigest } from './blobs.ts'
import { type Context, locationOf, type Target } from './context.ts'
import type { ManifestDocument, StoredManifest, StoredRepository } from './storage.ts'

/** What distribution and Azure take. */
const MAX_MANIFEST = 4 * MiB
const MAX_TAGS = 100
/** Layers that a registry need not hold: image-spec, "Non-Distributable Layers". */
const FOREIGN = /nondistributable|foreign/

/** GET and HEAD: distribution-spec, "Pulling manifests". */
export function getManifest({ storage }: Context, call: Call, { name, reference }: Target): Response {
  const repository = storage.repositories.get(name)
  const invalid = reference.includes(':') ? checkDigest(reference) : undefined
  if (invalid) return invalid
  const manifest = repository && find(repository, reference)
  if (!manifest) return failure(404, 'MANIFEST_UNKNOWN', 'manifest unknown to registry')
  if (!accepts(call.headers.get('accept'), manifest.mediaType)) {
    return failure(404, 'MANIFEST_UNKNOWN', `the manifest is ${manifest.mediaType}, which is not accepted`)
  }
  const etag = `"${manifest.digest}"`
  const headers = { ETag: etag, 'Docker-Content-Digest': manifest.digest }
  if (call.headers.get('if-none-match') === etag) return answer(304, headers)
  return answer(200, { 'Content-Type': manifest.mediaType, ...headers }, manifest.raw)
}

/** PUT: distribution-spec, "Pushing Manifests", with the parameter `tag` of its next version. */
export async function putManifest(context: Context, call: Call, target: Target): Promise<Response> {
  const { storage, options, runtime } = context
  const { name, reference } = target
  const raw = await collect(call.body, MAX_MANIFEST).catch((error: unknown) => {
    if (!BootableError.is(error, 'LIMIT_EXCEEDED')) throw error
  })
  if (!raw) return failure(413, 'SIZE_INVALID', 'the manifest is too large')
  const algorithm = isDigest(reference) ? splitDigest(reference).algorithm : 'sha256'
  if (!isDigest(reference) && !isTag(reference)) {
    return reference.includes(':')
      ? failure(400, 'DIGEST_INVALID', 'invalid digest')
      : failure(400, 'MANIFEST_INVALID', 'invalid tag')
  }
  if (algorithm !== 'sha256' && algorithm !== 'sha512') {
    return failure(400, 'DIGEST_INVALID', `${algorithm} digests are not supported`)
  }
  const digest = digestBytes(raw, { algorithm, runtime })
  if (isDigest(reference) && digest !== reference) {
    return failure(400, 'DIGEST_INVALID', `the manifest has the digest ${digest}`)
  }
  const tags = isDigest(reference) ? call.url.searchParams.getAll('tag') : [reference]
  if (!tags.every(isTag) || tags.length > MAX_TAGS) return failure(400, 'MANIFEST_INVALID', 'invalid tags')

  const repository = storage.repository(name)
  const type = call.headers.get('content-type')?.split(';')[0]?.trim() ?? ''
  const document = parse(raw)
  const problem = document === undefined ? 'not a JSON object' : problemOf(document, type)
  if (!document || problem !== undefined) return failure(400, 'MANIFEST_INVALID', problem ?? '')
  const missing = missingIn(repository, document)
  if (missing) return failure(404, 'MANIFEST_BLOB_UNKNOWN', `${missing} is unknown to registry`)
  const current = find(repository, reference)
  if (!meetsConditions(call.headers, current?.digest)) {
    return answer(412, current ? { ETag: `"${current.digest}"` } : {})
  }

  repository.manifests.set(digest, { raw, mediaType: type, digest, document })
  for (const tag of tags) repository.tags.set(tag, digest)
  const { subject } = document
  const response = answer(201, {
    Location: locationOf(context, call, `/v2/${name}/manifests/${digest}`),
    'Docker-Content-Digest': digest,
    ETag: `"${digest}"`,
    ...(subject && options.referrers !== false && { 'OCI-Subject': subject.digest }),
  })
  if (isDigest(reference)) for (const tag of tags) response.headers.append('OCI-Tag', tag)
  return response
}

/** DELETE, by tag or by digest: distribution-spec, "Content Management". */
export function deleteManifest({ storage, options }: Context, { name, reference }: Target): Response {
  const { deletion = true } = options
  const kind = isDigest(reference) ? 'manifests' : 'tags'
  if (deletion !== true && (deletion === false || !deletion.includes(kind))) {
    return failure(405, 'UNSUPPORTED', `${kind} cannot be deleted`)
  }
  const repository = storage.repositories.get(name)
  if (!repository || !find(repository, reference)) {
    return failure(404, 'MANIFEST_UNKNOWN', 'manifest unknown to registry')
  }
  if (isDigest(reference)) {
    repository.manifests.delete(reference)
    for (const [tag, digest] of repository.tags) if (digest === reference) repository.tags.delete(tag)
  } else repository.tags.delete(reference)
  return answer(202)
}

function find(repository: StoredRepository, reference: string): StoredManifest | undefined {
  const digest = isDigest(reference) ? reference : repository.tags.get(reference)
  return digest && repository.manifests.get(digest)
}

/** Without the header everything is. */
function accepts(header: string | null, mediaType: string): boolean {
  if (header === null) return true
  const types = header.split(',').map((each) => each.split(';')[0]?.trim())
  return types.some((type) => type === mediaType || type === '*/*' || type === 'application/*')
}

/** RFC 9110, 13.1: `If-Match` and `If-None-Match`. */
function meetsConditions(headers: Headers, current: Digest | undefined): boolean {
  const match = headers.get('if-match')
  const noneMatch = headers.get('if-none-match')
  const holds = (condition: string): boolean =>
    current !== undefined && (condition.trim() === '*' || condition.includes(`"${current}"`))
  return (match === null || holds(match)) && (noneMatch === null || !holds(noneMatch))
}

function parse(raw: Uint8Array): ManifestDocument | undefined {
  try {
    const value: unknown = JSON.parse(decodeUtf8(raw) ?? '')
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? (value as ManifestDocument) : undefined
  } catch {
    return undefined
  }
}

function problemOf(document: ManifestDocument, type: string): string | undefined {
  const { schemaVersion, mediaType, config, layers, manifests, subject } = document
  if (type === '') return 'there is no Content-Type'
  if (schemaVersion !== 2) return 'schemaVersion is not 2'
  if (mediaType !== undefined && mediaType !== type) {
    return `mediaType is ${JSON.stringify(mediaType)}, Content-Type ${type}`
  }
  // CVE-2021-41190: one document that is two things.
  if ((config || layers) && manifests) return 'it is an image manifest and an index'
  if (!manifests && !(config && Array.isArray(layers))) return 'it is neither an image manifest nor an index'
  if (manifests && !Array.isArray(manifests)) return 'manifests is not a list'
  const descriptors = [config, subject, ...(layers ?? []), ...(manifests ?? [])]
  for (const each of descriptors) {
    if (each && !(isDigest(each.digest) && Number.isSafeInteger(each.size) && each.size >= 0)) {
      return 'a descriptor has no valid digest and size'
    }
  }
  return undefined
}

/** The first thing that should be there and is not. A `subject` need not be: "Pushing Manifests with Subject". */
function missingIn({ blobs, manifests }: StoredRepository, document: ManifestDocument): Digest | undefined {
  const isForeign = ({ mediaType }: Descriptor): boolean => FOREIGN.test(mediaType ?? '')
  const content = [...(document.config ? [document.config] : []), ...(document.layers ?? [])]
  const blob = content.find((each) => !blobs.has(each.digest) && !isForeign(each))
  const child = document.manifests?.find(({ digest }) => !manifests.has(digest) && !blobs.has(digest))
  return (blob ?? child)?.digest
}
