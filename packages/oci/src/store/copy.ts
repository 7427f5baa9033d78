import type { OperationOptions } from '@bootable/bytes'
import { BootableError, formatSize, MiB } from '@bootable/bytes'
import type { OciErrorCode } from '../wire/errors.ts'
import { isIndexMediaType, isManifestMediaType } from '../wire/media-types.ts'
import type { Descriptor, ImageManifest } from '../wire/types.ts'
import { shortDigest } from './blob.ts'
import type { Image } from './image.ts'
import { isIndex } from './manifest.ts'
import type { BlobSource, ImageStore, Manifest } from './store.ts'

/** What to copy: one image that was opened, or whatever a reference stands for, all platforms included. */
export type ImageSource = Image | { readonly store: ImageStore; readonly reference: string }

/** Everything that hangs below one manifest. */
export interface ImageContent {
  readonly root: Manifest
  /** Children before the indexes that name them; the root is last. */
  readonly manifests: readonly Manifest[]
  /** Configurations and layers, each once. */
  readonly blobs: readonly Descriptor[]
}

/** Options of {@link copyImage}. */
export interface CopyImageOptions extends OperationOptions {
  /** Blobs under way at once. @defaultValue 4 */
  readonly concurrency?: number
}

const MAX_DEPTH = 8
const MAX_MANIFESTS = 1000
/** Bytes of all manifests together: they are held until the copy is complete. */
const MAX_MANIFEST_BYTES = 256 * MiB

/**
 * Copies an image into another store: manifests byte for byte, so that digests stay what they are, blobs
 * that are missing there side by side, the name last.
 *
 * @param reference the name that it gets in `target`
 * @returns the descriptor of what now stands under that name
 */
export async function copyImage(
  source: ImageSource,
  target: ImageStore,
  reference: string,
  options: CopyImageOptions = {},
): Promise<Descriptor> {
  const { concurrency = 4, ...operation } = options
  const { root, manifests, blobs } = await listContent(source, operation)
  await forEachConcurrently(blobs, concurrency, async (descriptor) => {
    // A registry asks itself before it takes a blob, and tells how far it is; elsewhere the source does.
    const asks = target.repository !== undefined
    if (!asks && (await target.hasBlob(descriptor, operation))) {
      operation.onProgress?.({
        type: 'skip',
        id: descriptor.digest,
        label: `blob ${shortDigest(descriptor.digest)}`,
      })
      return
    }
    const quiet = operation.signal ? { signal: operation.signal } : {}
    const blob: BlobSource = {
      size: descriptor.size,
      open: (opening = {}) =>
        source.store.openBlob(descriptor, { ...(asks ? quiet : operation), ...opening }),
      ...(source.store.repository && { repository: source.store.repository }),
      isVerified: true,
    }
    await target.putBlob(blob, { ...(asks ? operation : quiet), descriptor })
  })
  for (const { raw, mediaType } of manifests) {
    if (raw !== root.raw) await target.putManifest(raw, { ...operation, mediaType })
  }
  return target.putManifest(root.raw, { ...operation, mediaType: root.mediaType, reference })
}

/**
 * Finds out what an image consists of; manifests are read, blobs are not.
 * @throws BootableError `LIMIT_EXCEEDED`, `MEDIA_TYPE_UNSUPPORTED`
 */
export async function listContent(
  source: ImageSource,
  options: OperationOptions = {},
): Promise<ImageContent> {
  const manifests = new Map<string, Manifest>()
  const blobs = new Map<string, Descriptor>()
  let bytes = 0

  async function visit(manifest: Manifest, depth: number): Promise<void> {
    const { digest } = manifest.descriptor
    if (manifests.has(digest)) return
    bytes += manifest.raw.length
    if (depth > MAX_DEPTH) throw tooMuch(`${MAX_DEPTH} levels of indexes`)
    if (manifests.size >= MAX_MANIFESTS) throw tooMuch(`${MAX_MANIFESTS} manifests`)
    if (bytes > MAX_MANIFEST_BYTES) throw tooMuch(`${formatSize(MAX_MANIFEST_BYTES)} of manifests`)
    if (isIndex(manifest)) {
      for (const entry of manifest.value.manifests) {
        if (!isIndexMediaType(entry.mediaType) && !isManifestMediaType(entry.mediaType)) {
          blobs.set(entry.digest, entry)
        } else if (!manifests.has(entry.digest)) {
          await visit(await source.store.getManifest(entry, options), depth + 1)
        }
      }
    } else {
      const { config, layers } = manifest.value as ImageManifest
      for (const descriptor of [config, ...layers]) blobs.set(descriptor.digest, descriptor)
    }
    manifests.set(digest, manifest)
  }

  const root =
    'manifest' in source ? source.manifest : await source.store.getManifest(source.reference, options)
  await visit(root, 0)
  return { root, manifests: [...manifests.values()], blobs: [...blobs.values()] }
}

function tooMuch(limit: string): BootableError<OciErrorCode> {
  return new BootableError('LIMIT_EXCEEDED', `the image has more than ${limit}`)
}

/** Works on `concurrency` items at once. The first failure stops new ones and is what rejects. */
async function forEachConcurrently<T>(
  items: readonly T[],
  concurrency: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const pending = items[Symbol.iterator]()
  let failed = false
  const worker = async (): Promise<void> => {
    for (let next = pending.next(); !next.done && !failed; next = pending.next()) {
      await work(next.value).catch((error: unknown) => {
        failed = true
        throw error
      })
    }
  }
  // All are waited for, so that nothing goes on in the background after the call has rejected.
  const results = await Promise.allSettled(Array.from({ length: Math.max(1, concurrency) }, worker))
  for (const result of results) if (result.status === 'rejected') throw result.reason
}
