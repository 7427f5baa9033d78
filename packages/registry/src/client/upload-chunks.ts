import { MiB } from '@bootable/bytes'
import { registryError } from '../errors.ts'
import { redactUrl } from '../http/redact.ts'
import type { Backoff } from '../http/retry.ts'
import { createChunkBuffer } from './chunk-buffer.ts'
import { asRetryable, statusOf } from './status.ts'
import type { UploadProgress } from './upload-progress.ts'
import { sendChunk, type Upload, type UploadContext, uploadStatus } from './upload-session.ts'

/** Bytes of the first chunk. Chunks grow as long as they are taken: some registries count requests. */
export const FIRST_CHUNK: number = 8 * MiB
/** Bytes of a chunk, which is held in memory until it has arrived. */
export const MAX_CHUNK: number = 32 * MiB
const MIN_CHUNK = 64 * 1024

/** What is learned of a registry while it is uploaded to. */
export interface ChunkSizes {
  /** Bytes of the next chunk. */
  current: number
  /** Bytes that were refused as too many; chunks stay below. */
  refused: number
}

/** What came of sending a blob in chunks. */
export type ChunksResult =
  /** All of it has arrived; `isSure` when the registry counted as we did. */
  | { readonly type: 'sent'; readonly size: number; readonly isSure: boolean }
  /** The upload is broken: a fresh one may work. It was waited for already. */
  | { readonly type: 'broken' }
  /** The registry has more bytes than it was sent, or takes no chunks at all. */
  | { readonly type: 'unusable'; readonly error: unknown }

/**
 * Sends a stream in chunks, one PATCH each.
 *
 * A chunk that breaks is sent again only where the registry says how much of it has arrived: docker-registry
 * 2.8 refuses every further request of an upload whose chunk was cut, so that a fresh one has to be opened.
 */
export async function uploadChunks(
  context: UploadContext,
  upload: Upload,
  chunks: AsyncIterable<Uint8Array>,
  options: { readonly sizes: ChunkSizes; readonly backoff: Backoff; readonly progress: UploadProgress },
): Promise<ChunksResult> {
  const { sizes, backoff, progress } = options
  const buffer = createChunkBuffer(chunks)
  let offset = 0
  let isSure = true
  progress.advance(0)
  try {
    for (;;) {
      sizes.current = Math.max(sizes.current, upload.minChunk)
      await buffer.fill(sizes.current)
      if (buffer.length === 0) return { type: 'sent', size: offset, isSure }
      const body = buffer.first(sizes.current)
      try {
        const received = await sendChunk(context, upload, body, offset)
        const expected = offset + body.size
        // docker-registry 2.8 appends what stands elsewhere in the blob. The other way round, ECR does not
        // count after its second chunk and Zot has counted too little: the digest will tell.
        if (received !== undefined && received > expected) {
          return { type: 'unusable', error: outOfStep(upload, expected, received) }
        }
        if (received !== undefined && received < expected && isSure) {
          isSure = false
          warnOfRange(context, expected, received)
        }
        buffer.drop(body.size)
        offset = expected
        grow(sizes, body.size)
        // Only for bytes that got further than any before: an upload that starts over must end some time.
        if (progress.advance(offset)) backoff.reset()
      } catch (error) {
        const arrived = await recover(context, upload, error, { offset, size: body.size, ...options })
        if (typeof arrived !== 'number') return arrived
        buffer.drop(arrived - offset)
        offset = arrived
        progress.advance(offset)
      }
    }
  } finally {
    await buffer.close()
  }
}

/** Where an upload whose chunk failed goes on, or what has become of it. */
async function recover(
  context: UploadContext,
  upload: Upload,
  error: unknown,
  chunk: { offset: number; size: number; sizes: ChunkSizes; backoff: Backoff },
): Promise<number | ChunksResult> {
  const { offset, size, sizes, backoff } = chunk
  const status = statusOf(error)
  // GHCR says 416 to a body that is too large, others mean by it that the chunk is out of order.
  if (status === 413 || status === 416) {
    if (!shrink(sizes, size, upload.minChunk)) throw error
  } else if (offset === 0 && (status === 400 || status === 404 || status === 405 || status === 501)) {
    return { type: 'unusable', error }
  } else if (status === 400 || status === 404) {
    // distribution for an upload whose state it does not believe: a fresh one.
    await backoff.failed(asRetryable(error))
    return { type: 'broken' }
  } else {
    await backoff.failed(error)
  }
  const said = await uploadStatus(context, upload)
  // Before the first byte some say `0-0`, which reads as one, and some nothing at all.
  const isFirst = offset === 0 && size > 1
  const arrived = isFirst && (said === 1 || (said === undefined && status !== undefined)) ? 0 : said
  if (arrived !== undefined && arrived >= offset && arrived <= offset + size) return arrived
  return { type: 'broken' }
}

function grow(sizes: ChunkSizes, taken: number): void {
  if (taken < sizes.current) return
  const next = Math.min(sizes.current * 2, Math.max(MAX_CHUNK, sizes.current))
  if (next < sizes.refused) sizes.current = next
}

function shrink(sizes: ChunkSizes, refused: number, minimum: number): boolean {
  sizes.refused = Math.min(sizes.refused, refused)
  const next = Math.floor(refused / 2)
  if (next < Math.max(MIN_CHUNK, minimum)) return false
  sizes.current = next
  return true
}

function outOfStep({ location }: Upload, expected: number, received: number): Error {
  return registryError('PROTOCOL', `sent ${expected} bytes, but the registry has ${received}`, {
    method: 'PATCH',
    url: redactUrl(location),
  })
}

function warnOfRange({ session, name }: UploadContext, expected: number, received: number): void {
  session.emit({
    type: 'warning',
    message: `${name.host} counts ${received} bytes where ${expected} were sent; the digest will tell`,
  })
}
