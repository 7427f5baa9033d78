import type { FileTree } from '@bootable/tree'
import { DEFAULT_LAYER_LIMITS } from '../layer/limits.ts'
import type { Image } from '../store/image.ts'
import { createLayeredTree } from './apply-layer.ts'
import { type FetchLayersOptions, fetchLayers, nameLayer } from './fetch-layers.ts'

/** Options of {@link unpackImage}. The tree reads file contents from the cache: leave it open as long. */
export type UnpackImageOptions = FetchLayersOptions

/**
 * The tree that a container of the image would see, made in memory from the indexes of its layers. Nothing
 * is unpacked to the host: contents stay in the layer cache and are read when a writer asks for them.
 *
 * Layers that the cache holds are not opened in the store and are told as `skip`; the others are decompressed
 * in parallel, progress counting their compressed bytes.
 *
 * Errors name the layer. One failed layer cancels the others; the cache keeps those that were complete.
 *
 * @throws BootableError `DIGEST_MISMATCH` (blob or diff id), `SIZE_MISMATCH`, `BLOB_UNKNOWN`,
 *   `LAYER_INVALID`, `LIMIT_EXCEEDED`, and the `FORMAT_…` codes for a tar or compressed stream that is none
 */
export async function unpackImage(image: Image, options: UnpackImageOptions = {}): Promise<FileTree> {
  const limits = { ...DEFAULT_LAYER_LIMITS, ...options.limits }
  const layered = createLayeredTree(limits)
  for (const [index, layer] of (await fetchLayers(image, options)).entries()) {
    options.signal?.throwIfAborted()
    try {
      await layered.apply(layer, options.signal)
    } catch (error) {
      throw nameLayer(error, index, layer.descriptor)
    }
  }
  return layered.tree
}
