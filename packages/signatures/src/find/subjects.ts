import type { OperationOptions } from '@bootable/bytes'
import { type Image, isIndex, isIndexMediaType, type Manifest } from '@bootable/oci'

/** What is looked at of an image. */
export type SignedImage = Pick<Image, 'store' | 'reference' | 'manifest'>

/** As deep as `openImage` follows indexes, and as many documents. */
const MAX_DEPTH = 8
const MAX_VISITS = 100

/**
 * The manifests whose signatures are signatures of an image: its own, which is what podman and skopeo look
 * at, and the index that its reference stands for, which is what cosign signs. An index signs every manifest
 * that it names by digest, so a tag that has moved on meanwhile signs nothing.
 */
export async function signedSubjects(
  { store, reference, manifest }: SignedImage,
  options: OperationOptions,
): Promise<Manifest[]> {
  const { digest } = manifest.descriptor
  const top = await store.resolve(reference, options)
  if (top.digest === digest || !isIndexMediaType(top.mediaType)) return [manifest]
  const index = await store.getManifest(top, options)
  let visits = 0
  async function holds(node: Manifest, depth: number): Promise<boolean> {
    if (!isIndex(node) || depth > MAX_DEPTH || ++visits > MAX_VISITS) return false
    if (node.value.manifests.some((entry) => entry.digest === digest)) return true
    for (const entry of node.value.manifests.filter(({ mediaType }) => isIndexMediaType(mediaType))) {
      if (visits < MAX_VISITS && (await holds(await store.getManifest(entry, options), depth + 1)))
        return true
    }
    return false
  }
  return (await holds(index, 0)) ? [manifest, index] : [manifest]
}
