import type { BlobSource, Descriptor } from '@bootable/oci'
import { verifyBlob } from '@bootable/oci'
import type { UploadProgress } from './upload-progress.ts'
import { finishUpload, type Upload, type UploadContext } from './upload-session.ts'

/**
 * Sends a blob in the body of one PUT. The body is opened anew each time that it has to be sent again: after
 * a challenge, along a redirect.
 */
export async function uploadWhole(
  context: UploadContext,
  upload: Upload,
  source: BlobSource,
  descriptor: Descriptor,
  progress: UploadProgress,
): Promise<void> {
  const { digest, size } = descriptor
  const open = async (): Promise<AsyncIterable<Uint8Array>> =>
    progress.follow(await openVerified(context, source, descriptor))
  await finishUpload(context, upload, digest, { size, ...(size > 0 && { body: { size, open } }) })
}

/** The bytes of a source that end with an error unless they are what they should be. */
export async function openVerified(
  { session, signal }: UploadContext,
  source: BlobSource,
  descriptor: Descriptor,
): Promise<AsyncIterable<Uint8Array>> {
  const chunks = await source.open(signal ? { signal } : {})
  if (source.isVerified) return chunks
  return verifyBlob(chunks, descriptor, { runtime: session.runtime, ...(signal && { signal }) })
}
