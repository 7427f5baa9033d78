import type { OperationOptions } from '@bootable/bytes'
import { findAttachments } from './attachment.ts'
import { findBundles } from './bundle.ts'
import type { FoundSignature } from './signature.ts'
import { type SignedImage, signedSubjects } from './subjects.ts'

/**
 * Every signature of an image that its store holds: bundles and attachments, of its manifest and of the index
 * that its reference stands for. Nothing about them has been verified.
 * @throws BootableError of the store; a signature that cannot be fetched is not taken for absent
 */
export async function findSignatures(
  image: SignedImage,
  options: OperationOptions = {},
): Promise<readonly FoundSignature[]> {
  const { signal } = options
  const operation = signal ? { signal } : {}
  const found: FoundSignature[] = []
  for (const subject of await signedSubjects(image, operation)) {
    found.push(...(await findBundles(image.store, subject, operation)))
    found.push(...(await findAttachments(image.store, subject.descriptor.digest, operation)))
  }
  return found
}
