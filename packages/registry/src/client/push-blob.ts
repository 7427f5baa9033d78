import {
  type BlobSource,
  type Descriptor,
  digestOf,
  hashAlgorithm,
  type PutBlobOptions,
  splitDigest,
} from '@bootable/oci'
import type { Backoff } from '../http/retry.ts'
import type { RepositoryName } from './name.ts'
import type { Session } from './session.ts'
import { asRetryable, isDigestRefused, statusOf } from './status.ts'
import { type ChunkSizes, FIRST_CHUNK, MAX_CHUNK, uploadChunks } from './upload-chunks.ts'
import { type UploadProgress, uploadProgress } from './upload-progress.ts'
import { beginUpload, cancelUpload, finishUpload, type Upload, type UploadContext } from './upload-session.ts'
import { openVerified, uploadWhole } from './upload-whole.ts'

/** What is known of one blob on its way, over all tries. */
interface Push {
  readonly source: BlobSource
  descriptor: Descriptor | undefined
  readonly progress: UploadProgress
  readonly backoff: Backoff
  readonly sizes: ChunkSizes
  /** Ways that this registry has refused; `digest` when it said that the bytes are others. */
  readonly refused: Set<'mount' | 'whole' | 'chunks' | 'digest'>
}

/** What each server takes, so that the next blob need not find out. */
const knownSizes = new WeakMap<Session, Map<string, ChunkSizes>>()

/**
 * Pushes a blob: distribution-spec, "Pushing blobs". One that is there is not read; one that another
 * repository of the registry has is mounted; the rest goes in one PUT, or in chunks where the registry names
 * their least size, refuses large bodies, or the digest is known only at the end.
 */
export async function putBlob(
  session: Session,
  name: RepositoryName,
  source: BlobSource,
  options: PutBlobOptions = {},
): Promise<Descriptor> {
  const { descriptor, signal } = options
  // Before a byte is sent: nobody could check it later.
  if (descriptor) hashAlgorithm(descriptor.digest)
  const context = { session, name, signal }
  const backoff = decisive(session.backoff(signal, () => 0))
  const push: Push = {
    source,
    descriptor,
    progress: uploadProgress(descriptor, options),
    backoff,
    sizes: sizesOf(session, name.server),
    refused: new Set(),
  }
  for (;;) {
    signal?.throwIfAborted()
    try {
      const done = await attempt(context, push)
      if (done) return done
    } catch (error) {
      // The source has given what it should, or it would have failed: a bit was turned over on the way.
      const isDamaged = isDigestRefused(error) && !push.refused.has('digest')
      if (isDamaged) push.refused.add('digest')
      await backoff.failed(isDamaged ? asRetryable(error) : error)
    }
  }
}

/** A backoff whose word is final: what it has given up once it does not count again. */
function decisive({ failed, reset }: Backoff): Backoff {
  const given = new Set<unknown>()
  return {
    reset,
    async failed(error) {
      if (given.has(error)) throw error
      await failed(error).catch((last: unknown) => {
        given.add(last)
        throw last
      })
    },
  }
}

/** One try; `undefined` when another one, on another way, may succeed at once. */
async function attempt(context: UploadContext, push: Push): Promise<Descriptor | undefined> {
  const { descriptor, progress } = push
  if (descriptor && descriptor.size > 0 && (await exists(context, descriptor))) {
    progress.skip('exists')
    return descriptor
  }
  const upload = await open(context, push)
  if (!upload) {
    progress.skip('mounted')
    return descriptor
  }
  let isComplete = false
  try {
    // Nobody holds such chunks in memory.
    if (upload.minChunk > MAX_CHUNK) push.descriptor ??= await measure(context, push.source)
    const done = isWhole(push, upload)
      ? await sendWhole(context, push, upload, push.descriptor as Descriptor)
      : await sendInChunks(context, push, upload)
    isComplete = done !== undefined
    if (done) progress.end()
    return done
  } finally {
    if (!isComplete) await cancelUpload(context, upload)
  }
}

/** A HEAD that is answered with anything but 200 or 404 says nothing: Artifactory has a 403 for it. */
async function exists({ session, name, signal }: UploadContext, { digest }: Descriptor): Promise<boolean> {
  const response = await session.ask(name, {
    method: 'HEAD',
    path: `blobs/${digest}`,
    // Of a push: one token does for all of it.
    action: 'push',
    expected: [200, 400, 403, 404, 405],
    signal,
  })
  await response.cancel()
  return response.status === 200
}

async function open(context: UploadContext, push: Push): Promise<Upload | undefined> {
  const { descriptor, source, refused } = push
  const { host, repository } = source.repository ?? {}
  const algorithm = descriptor && splitDigest(descriptor.digest).algorithm
  const plain = algorithm === undefined ? {} : { algorithm }
  const isElsewhere = host === context.name.host && repository !== context.name.repository
  if (descriptor && repository !== undefined && isElsewhere && !refused.has('mount')) {
    // Whatever comes of it, once is enough.
    refused.add('mount')
    try {
      return await beginUpload(context, { ...plain, mount: { digest: descriptor.digest, from: repository } })
    } catch (error) {
      // Not allowed to read the source, or not able to mount: Docker Hub and Quay have answered 400.
      if (statusOf(error) === undefined) throw error
    }
  }
  return (await beginUpload(context, plain)) as Upload
}

function isWhole({ descriptor, refused, sizes }: Push, upload: Upload): boolean {
  if (!descriptor || refused.has('whole')) return false
  const { size } = descriptor
  if (refused.has('chunks') || size === 0 || upload.minChunk > MAX_CHUNK) return true
  return size < sizes.refused && (upload.minChunk === 0 || size <= upload.minChunk)
}

function sizesOf(session: Session, server: string): ChunkSizes {
  const servers = knownSizes.get(session) ?? new Map<string, ChunkSizes>()
  knownSizes.set(session, servers)
  const sizes = servers.get(server) ?? { current: FIRST_CHUNK, refused: Number.POSITIVE_INFINITY }
  servers.set(server, sizes)
  return sizes
}

async function sendWhole(
  context: UploadContext,
  push: Push,
  upload: Upload,
  descriptor: Descriptor,
): Promise<Descriptor | undefined> {
  try {
    await uploadWhole(context, upload, push.source, descriptor, push.progress)
    return descriptor
  } catch (error) {
    const status = statusOf(error)
    if (status === 404) return startOver(push, error)
    // A proxy in front of the registry says 413; GHCR is reported to say 416.
    if ((status !== 413 && status !== 416) || push.refused.has('chunks')) throw error
    push.refused.add('whole')
    push.sizes.refused = Math.min(push.sizes.refused, descriptor.size)
    push.sizes.current = Math.min(push.sizes.current, Math.ceil(descriptor.size / 2))
    return undefined
  }
}

/**
 * `BLOB_UPLOAD_UNKNOWN`: the upload was forgotten, by a restart or for another instance behind one name. A
 * fresh one may last.
 */
async function startOver({ backoff }: Push, error: unknown): Promise<undefined> {
  await backoff.failed(asRetryable(error))
}

async function sendInChunks(
  context: UploadContext,
  push: Push,
  upload: Upload,
): Promise<Descriptor | undefined> {
  const { source, refused } = push
  const { session, signal } = context
  const hash = session.runtime.createHash('sha256')
  const chunks = push.descriptor
    ? await openVerified(context, source, push.descriptor)
    : follow(await source.open(signal ? { signal } : {}), (chunk) => hash.update(chunk))
  const result = await uploadChunks(context, upload, chunks, push)
  if (result.type === 'broken') return undefined
  if (result.type === 'unusable') return otherwise(result.error)
  const { size, isSure } = result
  const descriptor = push.descriptor ?? {
    mediaType: 'application/octet-stream',
    digest: digestOf('sha256', hash.digest()),
    size,
  }
  try {
    await finishUpload(context, upload, descriptor.digest, { size })
    return descriptor
  } catch (error) {
    // It did not count as we did, and it was right.
    if (!isSure && statusOf(error) !== undefined) return otherwise(error)
    if (statusOf(error) === 404) return startOver(push, error)
    throw error
  }

  /** The registry takes no chunks (Google's, ECR's after the second): the way of one body is left. */
  async function otherwise(error: unknown): Promise<undefined> {
    if (refused.has('whole') || refused.has('chunks')) throw error
    refused.add('chunks')
    push.descriptor ??= await measure(context, source)
  }
}

async function* follow(
  chunks: AsyncIterable<Uint8Array>,
  look: (chunk: Uint8Array) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of chunks) {
    look(chunk)
    yield chunk
  }
}

/** Reads everything once, to learn what it is. */
async function measure({ session, signal }: UploadContext, source: BlobSource): Promise<Descriptor> {
  const hash = session.runtime.createHash('sha256')
  let size = 0
  for await (const chunk of await source.open(signal ? { signal } : {})) {
    hash.update(chunk)
    size += chunk.length
  }
  return { mediaType: 'application/octet-stream', digest: digestOf('sha256', hash.digest()), size }
}
