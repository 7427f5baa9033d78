import type { Descriptor } from '../wire/types.ts'
import { forEachConcurrently } from './concurrency.ts'
import { copyBlob } from './copy-blob.ts'
import { type ImageSource, type ListContentOptions, listContent } from './list-content.ts'
import type { ImageStore } from './store.ts'

/** Options of {@link copyImage}. */
export interface CopyImageOptions extends ListContentOptions {
  /** Blobs under way at once. @defaultValue 4 */
  readonly concurrency?: number
}

/**
 * Copies an image into another store: manifests byte for byte, so that digests stay what they are, blobs
 * that are missing there side by side, the name last. A blob that arrives damaged is fetched once more. Between
 * two repositories of one registry, blobs are mounted where it lets them be.
 *
 * With `platforms` an index loses what was not asked for, so that it becomes another one, with another
 * digest; see {@link ListContentOptions}.
 *
 * @param reference the name that it gets in `target`, or several
 * @returns the descriptor of what now stands under that name
 * @throws BootableError `PLATFORM_MISSING`, `LIMIT_EXCEEDED`, and those of both stores
 */
export async function copyImage(
  source: ImageSource,
  target: ImageStore,
  reference: string | readonly string[],
  options: CopyImageOptions = {},
): Promise<Descriptor> {
  const { concurrency = 4, platforms, referrers, ...operation } = options
  const { root, manifests, blobs } = await listContent(source, options)
  await forEachConcurrently(blobs, concurrency, (blob) => copyBlob(source.store, target, blob, operation))
  for (const { raw, mediaType } of manifests) {
    if (raw !== root.raw) await target.putManifest(raw, { ...operation, mediaType })
  }
  return target.putManifest(root.raw, { ...operation, mediaType: root.mediaType, reference })
}
