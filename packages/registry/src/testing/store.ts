import { collect, memorySource, type Runtime } from '@bootable/bytes'
import {
  contentStore,
  createManifest,
  type Descriptor,
  digestBytes,
  type ImageStore,
  isTag,
  REF_NAME,
  verifyBytes,
} from '@bootable/oci'
import { registryError } from '../errors.ts'
import type { ManifestDocument, Storage } from './storage.ts'

/** Bytes that a blob may have: they are held in memory. */
const MAX_BLOB = 2 ** 31

/** A repository of the test registry as a store: names are tags. */
export function repositoryView(storage: Storage, name: string, runtime: Runtime): ImageStore {
  const repository = storage.repository(name)
  const { blobs, manifests, tags } = repository
  const roots = (): Descriptor[] =>
    [...tags].flatMap(([tag, digest]) => {
      const manifest = manifests.get(digest)
      if (!manifest) return []
      const { mediaType, raw } = manifest
      return [{ mediaType, digest, size: raw.length, annotations: { [REF_NAME]: tag } }]
    })
  return {
    ...contentStore(
      {
        name: `test-registry:${name}`,
        async open(digest) {
          const bytes = blobs.get(digest) ?? manifests.get(digest)?.raw
          return bytes && memorySource(bytes)
        },
        has: async (digest) => blobs.has(digest) || manifests.has(digest),
        roots: async () => roots(),
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
    async putManifest(raw, { mediaType, reference = [] }) {
      const names = [reference].flat().filter((each) => each !== '')
      const wrong = names.find((each) => !isTag(each))
      if (wrong !== undefined) {
        const details = { reference: wrong.slice(0, 200) }
        throw registryError<'REFERENCE_INVALID'>('REFERENCE_INVALID', 'the name is not a tag', details)
      }
      const { descriptor, value } = createManifest(raw, { mediaType, runtime })
      const { digest } = descriptor
      manifests.set(digest, { raw, mediaType, digest, document: value as ManifestDocument })
      for (const each of names) tags.set(each, digest)
      return descriptor
    },
  }
}
