import type { OperationOptions } from '@bootable/bytes'
import { shortDigest } from '../store/blob.ts'
import { forEachConcurrently } from '../store/concurrency.ts'
import { copyBlob } from '../store/copy-blob.ts'
import type { ImageStore } from '../store/store.ts'
import type { Descriptor } from '../wire/types.ts'

/** Blobs under way at once. */
const CONCURRENCY = 4

/** Brings blobs into a store that lacks them; those that are there are told as `skip`. */
export async function copyBlobs(
  from: ImageStore,
  to: ImageStore,
  blobs: readonly Descriptor[],
  options: OperationOptions = {},
): Promise<void> {
  if (from === to) {
    for (const { digest } of blobs) {
      options.onProgress?.({ type: 'skip', id: digest, label: `blob ${shortDigest(digest)}` })
    }
    return
  }
  await forEachConcurrently(blobs, CONCURRENCY, (blob) => copyBlob(from, to, blob, options))
}
