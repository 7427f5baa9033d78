import type { OperationOptions } from '@bootable/bytes'
import { BootableError, formatSize, MiB } from '@bootable/bytes'
import type { OciErrorCode } from '../wire/errors.ts'
import { isIndexMediaType, isManifestMediaType } from '../wire/media-types.ts'
import type { Descriptor, ImageManifest, Platform } from '../wire/types.ts'
import type { Image } from './image.ts'
import { isIndex } from './manifest.ts'
import { choosePlatforms } from './platforms.ts'
import type { ImageStore, Manifest } from './store.ts'

/** What to copy: one image that was opened, or whatever a reference stands for, all platforms included. */
export type ImageSource = Image | { readonly store: ImageStore; readonly reference: string }

/** Everything that hangs below one manifest, and what refers to it where that was asked for. */
export interface ImageContent {
  readonly root: Manifest
  /** Children before the indexes that name them; the root is last, after what refers to it. */
  readonly manifests: readonly Manifest[]
  /** Configurations and layers, each once. */
  readonly blobs: readonly Descriptor[]
}

/** Options of {@link listContent}. */
export interface ListContentOptions extends OperationOptions {
  /**
   * Platforms wanted of an index, such as `linux/arm64`: for each the entry that fits best, with BuildKit's
   * attestations of it. When that leaves out an entry, the index is written anew without it: an index that
   * names what is not there would be refused by most registries. The new one has another digest, so that
   * signatures of the old one are not about it; those of its images are what they were.
   * @defaultValue all
   */
  readonly platforms?: readonly (Platform | string)[]
  /**
   * Whether what refers to the image comes along (signatures, SBOMs), to its parts, and to what refers to it;
   * or which of them. A store without `referrers` has none.
   * @defaultValue `false`
   */
  readonly referrers?: boolean | ((referrer: Descriptor) => boolean)
}

const MAX_DEPTH = 8
const MAX_MANIFESTS = 1000
/** Bytes of all manifests together: they are held until the copy is complete. */
const MAX_MANIFEST_BYTES = 256 * MiB

/** Referrers of referrers. */
const MAX_REFERRER_DEPTH = 8

/**
 * Finds out what an image consists of; manifests are read, blobs are not.
 * @throws BootableError `LIMIT_EXCEEDED`, `MEDIA_TYPE_UNSUPPORTED`, `PLATFORM_MISSING`
 */
export async function listContent(
  source: ImageSource,
  options: ListContentOptions = {},
): Promise<ImageContent> {
  const { platforms, referrers = false, ...operation } = options
  const { store } = source
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
        if (!isDocument(entry)) blobs.set(entry.digest, entry)
        else if (!manifests.has(entry.digest)) {
          await visit(await store.getManifest(entry, operation), depth + 1)
        }
      }
    } else {
      const { config, layers } = manifest.value as ImageManifest
      for (const descriptor of [config, ...layers]) blobs.set(descriptor.digest, descriptor)
    }
    manifests.set(digest, manifest)
  }

  async function visitReferrers(subjects: readonly Manifest[], depth: number): Promise<void> {
    if (depth > MAX_REFERRER_DEPTH) throw tooMuch(`${MAX_REFERRER_DEPTH} levels of referrers`)
    const found: Manifest[] = []
    for (const { descriptor } of subjects) {
      for await (const referrer of store.referrers?.(descriptor, operation) ?? []) {
        if (manifests.has(referrer.digest) || !isDocument(referrer)) continue
        if (typeof referrers === 'function' && !referrers(referrer)) continue
        const { mediaType, digest, size } = referrer
        const known = new Set(manifests.keys())
        await visit(await store.getManifest({ mediaType, digest, size }, operation), 0)
        for (const [each, manifest] of manifests) if (!known.has(each)) found.push(manifest)
      }
    }
    if (found.length > 0) await visitReferrers(found, depth + 1)
  }

  const whole = 'manifest' in source ? source.manifest : await store.getManifest(source.reference, operation)
  const isChosen = platforms !== undefined && platforms.length > 0
  const root = isChosen ? await choosePlatforms(store, whole, platforms, operation) : whole
  await visit(root, 0)
  if (referrers !== false) await visitReferrers([...manifests.values()], 1)
  manifests.delete(root.descriptor.digest)
  return { root, manifests: [...manifests.values(), root], blobs: [...blobs.values()] }
}

function isDocument({ mediaType }: Descriptor): boolean {
  return isIndexMediaType(mediaType) || isManifestMediaType(mediaType)
}

function tooMuch(limit: string): BootableError<OciErrorCode> {
  return new BootableError('LIMIT_EXCEEDED', `the image has more than ${limit}`)
}
