import { concatBytes } from '@bootable/bytes'
import { type Digest, digestBytes, isDigest, splitDigest } from '@bootable/oci'
import { answer, type Call, failure } from './answer.ts'
import { checkDigest } from './blobs.ts'
import { type Context, locationOf, type Target } from './context.ts'
import type { StoredRepository, Upload } from './storage.ts'

let lastUpload = 0

/** POST: a mount, a blob in one request, or an upload. */
export async function startUpload(context: Context, call: Call, { name }: Target): Promise<Response> {
  const { searchParams } = call.url
  const mount = searchParams.get('mount')
  const mounted = mount === null ? undefined : findMounted(context, call, mount)
  const repository = context.storage.repository(name)
  if (mounted && isDigest(mount)) {
    repository.blobs.set(mount, mounted)
    return created(context, call, name, mount)
  }
  const algorithm = searchParams.get('digest-algorithm') ?? 'sha256'
  if (algorithm !== 'sha256' && algorithm !== 'sha512') {
    return failure(400, 'DIGEST_INVALID', `digest algorithm ${algorithm.slice(0, 100)} is not supported`)
  }
  const id = `upload-${++lastUpload}`
  const upload: Upload = { id, algorithm, chunks: [], length: 0, hasShortChunk: false }
  if (searchParams.has('digest')) return finish(context, call, name, repository, upload)
  repository.uploads.set(id, upload)
  return progress(context, call, name, upload, 202)
}

/** PATCH: one chunk, or with no `Content-Range` a stream. */
export async function patchUpload(context: Context, call: Call, target: Target): Promise<Response> {
  const found = findUpload(context, call, target)
  if (found instanceof Response) return found
  const { upload, repository } = found
  const { minChunkLength = 0, brokenChunk = 'spoil' } = context.options
  const start = upload.length
  const range = call.headers.get('content-range')
  const match = /^(?:bytes )?(\d+)-(\d+)$/.exec(range ?? '')
  if (range !== null && Number(match?.[1] ?? -1) !== start) {
    return progress(context, call, target.name, upload, 416)
  }
  if (upload.hasShortChunk) {
    return failure(400, 'SIZE_INVALID', `a chunk before this one had less than ${minChunkLength} bytes`)
  }
  try {
    await receive(upload, call)
  } catch (error) {
    if (brokenChunk === 'spoil') repository.uploads.delete(upload.id)
    if (brokenChunk === 'forget') truncate(upload, start)
    throw error
  }
  const length = upload.length - start
  const promised = match ? Number(match[2]) - start + 1 : length
  if (length !== promised) {
    truncate(upload, start)
    return failure(400, 'SIZE_INVALID', `${length} bytes came, the range has ${promised}`)
  }
  upload.hasShortChunk = length < minChunkLength
  return progress(context, call, target.name, upload, 202)
}

/** PUT: the last chunk, or none, and the digest of the whole. */
export async function finishUpload(context: Context, call: Call, target: Target): Promise<Response> {
  const found = findUpload(context, call, target)
  if (found instanceof Response) return found
  const { upload, repository } = found
  const start = /^(?:bytes )?(\d+)-\d+$/.exec(call.headers.get('content-range') ?? '')?.[1]
  if (start !== undefined && Number(start) !== upload.length) {
    return progress(context, call, target.name, upload, 416)
  }
  repository.uploads.delete(upload.id)
  return finish(context, call, target.name, repository, upload)
}

/** GET: how much has arrived. */
export function uploadStatus(context: Context, call: Call, target: Target): Response {
  const found = findUpload(context, call, target)
  return found instanceof Response ? found : progress(context, call, target.name, found.upload, 204)
}

export function cancelUpload(context: Context, call: Call, target: Target): Response {
  const found = findUpload(context, call, target)
  if (found instanceof Response) return found
  found.repository.uploads.delete(found.upload.id)
  return answer(204)
}

async function finish(
  context: Context,
  call: Call,
  name: string,
  repository: StoredRepository,
  upload: Upload,
): Promise<Response> {
  const digest = call.url.searchParams.get('digest') ?? ''
  const invalid = checkDigest(digest)
  if (invalid || !isDigest(digest)) return invalid ?? answer(400)
  const { algorithm } = splitDigest(digest)
  if (algorithm !== 'sha256' && algorithm !== 'sha512') {
    return failure(400, 'DIGEST_INVALID', `${algorithm} digests are not supported`)
  }
  const before = upload.length
  await receive(upload, call)
  const promised = call.headers.get('content-length')
  if (promised !== null && Number(promised) !== upload.length - before) {
    return failure(400, 'SIZE_INVALID', `${upload.length - before} bytes came, ${promised} were promised`)
  }
  const bytes = concatBytes(upload.chunks)
  const actual = digestBytes(bytes, { algorithm, runtime: context.runtime })
  if (actual !== digest) return failure(400, 'DIGEST_INVALID', `the content has the digest ${actual}`)
  repository.blobs.set(digest, bytes)
  return created(context, call, name, digest)
}

async function receive(upload: Upload, { body }: Call): Promise<void> {
  for await (const chunk of body) {
    // A copy: the sender may use its buffer again.
    upload.chunks.push(chunk.slice())
    upload.length += chunk.length
  }
}

function truncate(upload: Upload, length: number): void {
  const kept = concatBytes(upload.chunks).subarray(0, length)
  upload.chunks.splice(0, upload.chunks.length, kept)
  upload.length = length
}

/** The upload that a `Location` of ours names; only the latest is good, as with docker-registry. */
function findUpload(
  { storage }: Context,
  { url }: Call,
  { name, reference }: Target,
): { readonly repository: StoredRepository; readonly upload: Upload } | Response {
  const repository = storage.repositories.get(name)
  const upload = repository?.uploads.get(reference)
  if (!repository || !upload) return failure(404, 'BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry')
  const state = url.searchParams.get('_state')
  if (state !== null && Number(state) !== upload.length) {
    return failure(404, 'BLOB_UPLOAD_INVALID', 'the address is not the latest of this upload')
  }
  return { repository, upload }
}

function progress(context: Context, call: Call, name: string, upload: Upload, status: number): Response {
  const { minChunkLength } = context.options
  const path = `/v2/${name}/blobs/uploads/${upload.id}?_state=${upload.length}`
  return answer(status, {
    Location: locationOf(context, call, path),
    // distribution tells the same of no byte and of one.
    Range: `0-${Math.max(0, upload.length - 1)}`,
    'Docker-Upload-UUID': upload.id,
    ...(minChunkLength !== undefined && { 'OCI-Chunk-Min-Length': String(minChunkLength) }),
  })
}

function created(context: Context, call: Call, name: string, digest: Digest): Response {
  const location = locationOf(context, call, `/v2/${name}/blobs/${digest}`)
  return answer(201, { Location: location, 'Docker-Content-Digest': digest })
}

/** The bytes of a blob of another repository that the caller may read: "Mounting a blob". */
function findMounted(context: Context, call: Call, digest: string): Uint8Array | undefined {
  const { mount = true } = context.options
  const from = call.url.searchParams.get('from')
  if (mount === false || (from === null && mount !== 'anonymous') || !isDigest(digest)) return undefined
  for (const [name, { blobs }] of context.storage.repositories) {
    const bytes = blobs.get(digest)
    if (bytes && (from === null || from === name) && context.mayPull(call, name)) return bytes
  }
  return undefined
}
