import { collect, memorySource, portableRuntime, type RuntimeOptions } from '@bootable/bytes'
import { type Digest, digestBytes, isDigest } from '../wire/digest.ts'
import type { Descriptor } from '../wire/types.ts'
import { verifyBytes } from './blob.ts'
import { contentStore, noSuchName, unknown } from './content.ts'
import { nameRoot, namesFrom } from './layout.ts'
import { createManifest } from './manifest.ts'
import type { ImageStore } from './store.ts'

/** Blobs that memory takes; a store of files is the place for larger ones. */
const MAX_BLOB = 2 ** 31

/** Options of {@link memoryStore}. */
export interface MemoryStoreOptions extends RuntimeOptions {
  /** For messages. @defaultValue `memory` */
  readonly name?: string
}

/** A store that keeps everything in memory: for tests, and for small images on their way. */
export function memoryStore(options: MemoryStoreOptions = {}): ImageStore {
  const { name = 'memory', runtime = portableRuntime } = options
  const blobs = new Map<Digest, Uint8Array>()
  const roots = new Map<string, Descriptor>()
  const manifests = new Map<Digest, Descriptor>()

  return {
    ...contentStore(
      {
        name,
        async open(digest) {
          const bytes = blobs.get(digest)
          return bytes && memorySource(bytes)
        },
        has: async (digest) => blobs.has(digest),
        roots: async () => [...roots.values()],
        manifests: async () => [...roots.values(), ...manifests.values()],
      },
      { runtime },
    ),
    async putBlob(source, { descriptor, ...options } = {}) {
      if (descriptor && blobs.has(descriptor.digest)) return descriptor
      const bytes = await collect(await source.open(options), descriptor?.size ?? MAX_BLOB)
      if (descriptor) verifyBytes(bytes, descriptor, { runtime })
      const digest = descriptor?.digest ?? digestBytes(bytes, { runtime })
      blobs.set(digest, bytes)
      return descriptor ?? { mediaType: 'application/octet-stream', digest, size: bytes.length }
    },
    async putManifest(raw, { mediaType, reference }) {
      const { descriptor } = createManifest(raw, { mediaType, runtime })
      blobs.set(descriptor.digest, raw)
      manifests.set(descriptor.digest, descriptor)
      for (const each of namesFrom(reference)) roots.set(each, nameRoot(descriptor, each))
      return descriptor
    },
    async delete(target) {
      if (typeof target === 'string' && !isDigest(target)) {
        if (!roots.delete(target)) throw noSuchName(name, target, [...roots.values()])
        return
      }
      const digest = typeof target === 'string' ? target : target.digest
      if (!manifests.delete(digest)) throw unknown('MANIFEST_UNKNOWN', 'manifest', name, digest)
      blobs.delete(digest)
      for (const [each, root] of roots) if (root.digest === digest) roots.delete(each)
    },
  }
}
