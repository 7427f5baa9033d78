import type { OperationOptions, Runtime } from '@bootable/bytes'
import { BootableError, concatBytes, detectCompression, FormatError } from '@bootable/bytes'
import type { CachedLayer, LayerCache } from '../layer/cache.ts'
import { checkLimit, type LayerErrorCode, type LayerLimits } from '../layer/limits.ts'
import type { TarMember } from '../layer/tar-format.ts'
import { createTarParser } from '../layer/tar-parser.ts'
import { shortDigest } from '../store/blob.ts'
import type { LayerDescriptor } from '../store/image.ts'
import { refetchOnce } from '../store/refetch.ts'
import type { ImageStore } from '../store/store.ts'
import { digestOf, hashAlgorithm } from '../wire/digest.ts'

/** Bytes that tell how a layer is compressed: the longest of the magic numbers. */
const MAGIC = 4

/** Options of {@link fetchLayer}. */
export interface FetchLayerOptions extends OperationOptions {
  readonly cache: LayerCache
  readonly runtime: Runtime
  readonly limits: Required<LayerLimits>
  /** Counts what all layers of the image have together. */
  readonly budget: LayerBudget
}

/** Limits that hold for an image as a whole, whichever of its layers comes first. */
export interface LayerBudget {
  /** Less than nothing takes back what was counted. @throws BootableError `LIMIT_EXCEEDED` */
  addBytes(length: number): void
  addMembers(count: number): void
}

export function createLayerBudget(limits: Required<LayerLimits>): LayerBudget {
  let bytes = 0
  let members = 0
  return {
    addBytes(length) {
      bytes += length
      checkLimit('the uncompressed layers', bytes, 'uncompressedSize', limits.uncompressedSize)
    },
    addMembers(count) {
      members += count
      checkLimit('members of all layers', members, 'entries', limits.entries)
    },
  }
}

/**
 * A layer out of the cache or, decompressed, verified and indexed in one pass, into it.
 *
 * Every chunk is hashed compressed by the store, inflated, hashed for the diff id, parsed, and handed to
 * the cache: it is in memory once.
 */
export async function fetchLayer(
  store: ImageStore,
  layer: LayerDescriptor,
  options: FetchLayerOptions,
): Promise<CachedLayer> {
  const { cache, budget, onProgress } = options
  const { diffId, descriptor } = layer
  const cached = await cache.open(diffId)
  if (!cached) {
    const decompress = (): Promise<CachedLayer> => decompressLayer(store, layer, options)
    // What was damaged on its way over a network is whole the next time; a file is what it is.
    return store.repository ? refetchOnce(options, decompress) : decompress()
  }
  budget.addBytes(cached.content.size)
  budget.addMembers(cached.members.length)
  onProgress?.({ type: 'skip', id: descriptor.digest, label: `blob ${shortDigest(descriptor.digest)}` })
  return cached
}

async function decompressLayer(
  store: ImageStore,
  layer: LayerDescriptor,
  options: FetchLayerOptions,
): Promise<CachedLayer> {
  const { cache, runtime, limits, budget, signal, onProgress } = options
  const { diffId, descriptor } = layer
  const operation = { ...(signal && { signal }), ...(onProgress && { onProgress }) }
  const hash = runtime.createHash(hashAlgorithm(diffId))
  const members: TarMember[] = []
  let length = 0
  const parser = createTarParser({
    limits,
    onMember(member) {
      budget.addMembers(1)
      members.push(member)
    },
  })
  const blob = openStream(await store.openBlob(descriptor, operation))
  const writer = await cache.create(diffId).catch(async (error: unknown) => {
    await blob.close()
    throw error
  })
  try {
    const head = await blob.peek(MAGIC)
    // What the bytes are counts for more than the media type, as in every engine: both lie at times.
    const format = head.length > 0 ? detectCompression(head) : layer.compression
    const chunks = runtime.decompress(format, blob.chunks, {
      maxOutput: limits.uncompressedSize,
      maxRatio: limits.ratio,
      ...(signal && { signal }),
    })
    for await (const chunk of chunks) {
      signal?.throwIfAborted()
      budget.addBytes(chunk.length)
      length += chunk.length
      hash.update(chunk)
      parser.push(chunk)
      const busy = writer.write(chunk)
      if (busy) await busy
    }
    parser.end()
    const actual = digestOf(hashAlgorithm(diffId), hash.digest())
    if (actual !== diffId) throw diffIdMismatch(diffId, actual)
    if (parser.trailing > 0) {
      const message = `layer ${descriptor.digest}: ${parser.trailing} bytes after the end of the archive are ignored`
      onProgress?.({ type: 'warning', message })
    }
    return await writer.commit(members)
  } catch (error) {
    await writer.abort()
    budget.addBytes(-length)
    budget.addMembers(-members.length)
    throw error instanceof FormatError && !signal?.aborted ? ((await blob.failure()) ?? error) : error
  } finally {
    await blob.close()
  }
}

function diffIdMismatch(expected: string, actual: string): BootableError<LayerErrorCode> {
  return new BootableError(
    'DIGEST_MISMATCH',
    `its uncompressed bytes have the digest ${actual}, but the configuration promises ${expected}`,
    {
      details: { expected, actual },
      hint: 'the configuration and the layers do not belong together: ask whoever built the image',
    },
  )
}

/** The bytes of a blob, which stay open when the decompressor gives up on them. */
interface BlobStream {
  readonly chunks: AsyncIterable<Uint8Array>
  /** At least so many of the first bytes; fewer of a blob that is shorter. To be called before the rest. */
  peek(length: number): Promise<Uint8Array>
  /**
   * What the store has to say against the blob, once it has seen all of it. A damaged or cut blob shows as
   * nonsense in the compressed stream first; that its digest is wrong is the better thing to tell.
   */
  failure(): Promise<unknown>
  close(): Promise<void>
}

function openStream(source: AsyncIterable<Uint8Array>): BlobStream {
  const iterator = source[Symbol.asyncIterator]()
  let head: Uint8Array | undefined
  const next = async (): Promise<IteratorResult<Uint8Array, unknown>> => {
    const value = head
    head = undefined
    return value ? { done: false, value } : iterator.next()
  }
  return {
    // No `return` here: whoever stops reading early must not close it.
    chunks: { [Symbol.asyncIterator]: () => ({ next }) },
    async peek(length) {
      let bytes: Uint8Array = new Uint8Array(0)
      // The first chunk as it comes is nearly always long enough; a network may cut it anywhere.
      while (bytes.length < length) {
        const { done, value } = await iterator.next()
        if (done) break
        bytes = bytes.length === 0 ? value : concatBytes([bytes, value])
      }
      head = bytes
      return bytes
    },
    async failure() {
      try {
        while (!(await next()).done);
        return undefined
      } catch (error) {
        return error
      }
    },
    async close() {
      await iterator.return?.()
    },
  }
}
