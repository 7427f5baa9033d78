import { type ByteSource, checkRead } from '@bootable/bytes'
import type { Digest } from '../wire/digest.ts'
import type { TarMember } from './tar-format.ts'

/** A layer that was decompressed and verified. */
export interface CachedLayer {
  /** The uncompressed tar. Readable until the cache is closed. */
  readonly content: ByteSource
  /** What is in it, in its order. */
  readonly members: readonly TarMember[]
}

/** A layer on its way into a cache. `commit` ends it, or `abort`, also after a commit that failed. */
export interface LayerCacheWriter {
  /**
   * Appends to the uncompressed tar. The chunk is kept as it is: the caller must not write to it again.
   * @returns a promise to wait for before the next chunk, where there is need to
   */
  write(chunk: Uint8Array): Promise<void> | undefined
  /** Makes the layer known, once its diff id is verified. */
  commit(members: readonly TarMember[]): Promise<CachedLayer>
  /** Leaves nothing behind. */
  abort(): Promise<void>
}

/**
 * Uncompressed layers under their diff ids. A layer is decompressed once; file contents of a tree that
 * `unpackImage` returns are windows into it, so a cache stays open as long as its trees are read.
 *
 * Concurrent writers of one diff id are harmless: the content is the same, and the last one wins.
 */
export interface LayerCache {
  /** `undefined` where the layer is missing or was damaged. */
  open(diffId: Digest): Promise<CachedLayer | undefined>
  create(diffId: Digest): Promise<LayerCacheWriter>
  close(): Promise<void>
}

/** A cache in memory: for small images, tests, and hosts without files. */
export function memoryLayerCache(): LayerCache {
  const layers = new Map<Digest, CachedLayer>()
  return {
    async open(diffId) {
      return layers.get(diffId)
    },
    async create(diffId) {
      const chunks: Uint8Array[] = []
      return {
        write(chunk) {
          chunks.push(chunk)
          return undefined
        },
        async commit(members) {
          const layer = { content: chunkSource(chunks), members }
          layers.set(diffId, layer)
          return layer
        },
        async abort() {
          chunks.length = 0
        },
      }
    },
    async close() {
      layers.clear()
    },
  }
}

/** Chunks in a row as one source, none of them copied. */
function chunkSource(chunks: readonly Uint8Array[]): ByteSource {
  const starts: number[] = []
  let size = 0
  for (const chunk of chunks) {
    starts.push(size)
    size += chunk.length
  }

  /** The chunk that holds a byte, by bisection. */
  function find(offset: number): number {
    let low = 0
    let high = starts.length
    while (high - low > 1) {
      const middle = (low + high) >>> 1
      if ((starts[middle] as number) <= offset) low = middle
      else high = middle
    }
    return low
  }

  return {
    size,
    async read(offset, target) {
      checkRead(size, offset, target.length, 'layer')
      for (let done = 0, index = find(offset); done < target.length; index++) {
        const within = offset + done - (starts[index] as number)
        const part = (chunks[index] as Uint8Array).subarray(within, within + target.length - done)
        target.set(part, done)
        done += part.length
      }
    },
  }
}
