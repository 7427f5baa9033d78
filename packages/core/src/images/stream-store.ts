import {
  BootableError,
  type OperationOptions,
  portableRuntime,
  type RuntimeOptions,
  utf8,
} from '@bootable/bytes'
import {
  createManifest,
  type Descriptor,
  type Digest,
  digestOf,
  type ImageManifest,
  type ImageStore,
  readOnly,
  verifyBlob,
} from '@bootable/oci'

/** An image that is not stored anywhere yet: `copyImage({ store, reference }, target, name)` puts it somewhere. */
export interface ComposedImage {
  /** Makes its blobs when they are asked for. */
  readonly store: ImageStore
  /** The digest of the manifest. */
  readonly reference: Digest
  readonly descriptor: Descriptor
}

/** Content that can be made any number of times. */
export type BlobMaker = () => AsyncIterable<Uint8Array>

/** Collects the parts of an image; nothing of them is kept in memory. */
export interface ImageComposer {
  /** Makes the content once to learn its digest and length. */
  add(mediaType: string, make: BlobMaker): Promise<Descriptor>
  finish(manifest: ImageManifest): ComposedImage
}

/**
 * Puts an image together of content that is made when it is needed: to hash it, and to store it.
 * @param name for messages
 */
export function composeImage(name: string, options: OperationOptions & RuntimeOptions = {}): ImageComposer {
  const { runtime = portableRuntime, signal } = options
  const makers = new Map<Digest, BlobMaker>()
  return {
    async add(mediaType, make) {
      const hash = runtime.createHash('sha256')
      let size = 0
      for await (const chunk of make()) {
        signal?.throwIfAborted()
        hash.update(chunk)
        size += chunk.length
      }
      const digest = digestOf('sha256', hash.digest())
      makers.set(digest, make)
      return { mediaType, digest, size }
    },
    finish(value) {
      const manifest = createManifest(utf8(JSON.stringify(value)), { runtime })
      const { descriptor } = manifest
      const unknown = (what: string): Error =>
        new BootableError('BLOB_UNKNOWN', `${name} has no ${what}`, { details: { store: name } })
      const store: ImageStore = {
        name,
        ...readOnly(name),
        resolve: async () => descriptor,
        getManifest: async () => manifest,
        hasBlob: async ({ digest }) => makers.has(digest),
        async openBlob(wanted, opening = {}) {
          const make = makers.get(wanted.digest)
          if (!make) throw unknown(wanted.digest)
          return verifyBlob(skip(make(), opening.offset ?? 0), wanted, { ...opening, runtime })
        },
      }
      return { store, reference: descriptor.digest, descriptor }
    },
  }
}

/** What was sent before a connection broke is made again, and dropped. */
async function* skip(chunks: AsyncIterable<Uint8Array>, offset: number): AsyncGenerator<Uint8Array> {
  let left = offset
  for await (const chunk of chunks) {
    const dropped = Math.min(left, chunk.length)
    left -= dropped
    if (dropped < chunk.length) yield dropped > 0 ? chunk.subarray(dropped) : chunk
  }
}
