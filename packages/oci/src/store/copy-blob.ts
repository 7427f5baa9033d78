import type { OperationOptions } from '@bootable/bytes'
import type { Descriptor } from '../wire/types.ts'
import { shortDigest } from './blob.ts'
import { refetchOnce } from './refetch.ts'
import type { BlobSource, ImageStore } from './store.ts'

/**
 * Brings a blob into a store that lacks it: mounted where both are repositories of one registry, fetched once
 * more where it arrives damaged.
 */
export async function copyBlob(
  source: ImageStore,
  target: ImageStore,
  descriptor: Descriptor,
  operation: OperationOptions,
): Promise<void> {
  // A registry asks itself before it takes a blob, and tells how far it is; elsewhere the source does.
  const asks = target.repository !== undefined
  if (!asks && (await target.hasBlob(descriptor, operation))) {
    const label = `blob ${shortDigest(descriptor.digest)}`
    operation.onProgress?.({ type: 'skip', id: descriptor.digest, label })
    return
  }
  const quiet = operation.signal ? { signal: operation.signal } : {}
  const blob: BlobSource = {
    size: descriptor.size,
    open: (opening = {}) => source.openBlob(descriptor, { ...(asks ? quiet : operation), ...opening }),
    ...(source.repository && { repository: source.repository }),
    isVerified: true,
  }
  await refetchOnce(operation, () => target.putBlob(blob, { ...(asks ? operation : quiet), descriptor }))
}
