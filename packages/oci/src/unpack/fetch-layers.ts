import { BootableError, type OperationOptions, portableRuntime, type RuntimeOptions } from '@bootable/bytes'
import { type CachedLayer, type LayerCache, memoryLayerCache } from '../layer/cache.ts'
import { checkLimit, DEFAULT_LAYER_LIMITS, type LayerLimits } from '../layer/limits.ts'
import type { Image, LayerDescriptor } from '../store/image.ts'
import { createLayerBudget, fetchLayer } from './fetch-layer.ts'

/** Options of {@link fetchLayers}. */
export interface FetchLayersOptions extends OperationOptions, RuntimeOptions {
  /**
   * Where uncompressed layers are kept. File contents are read from it: leave it open as long.
   * @defaultValue `memoryLayerCache()`
   */
  readonly cache?: LayerCache
  /** Layers that are fetched and decompressed at the same time. @defaultValue 4 */
  readonly concurrency?: number
  readonly limits?: LayerLimits
}

/** A layer of an image, decompressed, verified and indexed. */
export interface ImageLayer extends CachedLayer {
  readonly descriptor: LayerDescriptor
}

/**
 * The layers of an image, the base first, each one decompressed once: what `unpackImage` applies, for those
 * who need to know which layer said what.
 *
 * Layers that the cache holds are not opened in the store and are told as `skip`; the others are decompressed
 * in parallel, the largest first, progress counting their compressed bytes. One failed layer cancels the
 * others; the cache keeps those that were complete.
 *
 * @throws BootableError `DIGEST_MISMATCH` (blob or diff id), `SIZE_MISMATCH`, `BLOB_UNKNOWN`,
 *   `LIMIT_EXCEEDED`, and the `FORMAT_…` codes for a tar or compressed stream that is none; the message
 *   names the layer
 */
export async function fetchLayers(image: Image, options: FetchLayersOptions = {}): Promise<ImageLayer[]> {
  const limits = { ...DEFAULT_LAYER_LIMITS, ...options.limits }
  checkLimit('layers of the image', image.layers.length, 'layers', limits.layers)
  const { cache = memoryLayerCache(), runtime = portableRuntime, concurrency = 4, onProgress } = options
  const failure = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, failure.signal]) : failure.signal
  const budget = createLayerBudget(limits)
  const fetched = new Map<string, CachedLayer>()
  // An image may hold a layer twice; it is fetched once.
  const distinct = new Map([...image.layers.entries()].map((entry) => [entry[1].diffId, entry]))
  const queue = [...distinct.values()].sort((a, b) => b[1].descriptor.size - a[1].descriptor.size)

  async function work(): Promise<void> {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const [index, layer] = next
      try {
        signal.throwIfAborted()
        const fetchOptions = { cache, runtime, limits, budget, signal, ...(onProgress && { onProgress }) }
        fetched.set(layer.diffId, await fetchLayer(image.store, layer, fetchOptions))
      } catch (error) {
        const named = signal.aborted ? signal.reason : nameLayer(error, index, layer)
        failure.abort(named)
        throw named
      }
    }
  }

  const workers = Array.from({ length: Math.max(1, Math.min(concurrency, queue.length)) }, work)
  // Waits for all, so that nothing is written any more when the call has failed.
  await Promise.allSettled(workers)
  options.signal?.throwIfAborted()
  failure.signal.throwIfAborted()
  return image.layers.map((descriptor) => ({
    ...(fetched.get(descriptor.diffId) as CachedLayer),
    descriptor,
  }))
}

/** Puts the layer in front of what is said about it. Errors that are not ours pass. */
export function nameLayer(error: unknown, index: number, { descriptor }: LayerDescriptor): unknown {
  if (!BootableError.is(error)) return error
  return new BootableError(error.code, `layer ${index} (${descriptor.digest}): ${error.message}`, {
    details: { ...error.details, layer: index, digest: descriptor.digest },
    ...(error.hint !== undefined && { hint: error.hint }),
    cause: error,
  })
}
