import type { OperationOptions } from '@bootable/bytes'
import { shortDigest } from '../store/blob.ts'
import type { ImageStore } from '../store/store.ts'
import type { Descriptor } from '../wire/types.ts'

/** Brings blobs into a store that lacks them; those that are there are told as `skip`. */
export async function copyBlobs(
  from: ImageStore,
  to: ImageStore,
  blobs: readonly Descriptor[],
  options: OperationOptions = {},
): Promise<void> {
  for (const descriptor of blobs) {
    const { digest, size } = descriptor
    if (from === to || (await to.hasBlob(descriptor, options))) {
      options.onProgress?.({ type: 'skip', id: digest, label: `blob ${shortDigest(digest)}` })
      continue
    }
    const open = (opening = {}) => from.openBlob(descriptor, { ...options, ...opening })
    await to.putBlob({ size, open }, { descriptor, ...(options.signal && { signal: options.signal }) })
  }
}
