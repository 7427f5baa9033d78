import type { OperationOptions } from '@bootable/bytes'
import { collect } from '@bootable/bytes'
import {
  type Descriptor,
  type Digest,
  type ImageManifest,
  type ImageStore,
  isIndex,
  isTag,
  splitDigest,
} from '@bootable/oci'
import { parseSimpleSigning } from '../payload/claim.ts'
import { getIfPresent } from './absent.ts'
import { attachedBundle } from './attached-bundle.ts'
import { MAX_ANNOTATION, MAX_PAYLOAD, MAX_SIGNATURES } from './limits.ts'
import type { FoundSignature } from './signature.ts'

/** Every layer of the manifest is a payload: cosign's specification of signatures, "OCI Image Manifest V1". */
const PAYLOAD_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json'

/** The tag beside an image under which cosign up to 2, podman and skopeo keep its signatures. */
export function attachmentTag(subject: Digest): string {
  const { algorithm, encoded } = splitDigest(subject)
  return `${algorithm}-${encoded}.sig`
}

/** The signatures that are attached to a manifest. */
export async function findAttachments(
  store: ImageStore,
  subject: Digest,
  options: OperationOptions,
): Promise<FoundSignature[]> {
  const tag = attachmentTag(subject)
  // With a sha512 digest it is too long for a tag, so there can be none.
  if (!isTag(tag)) return []
  const manifest = await getIfPresent(store, tag, options)
  if (!manifest || isIndex(manifest)) return []
  const { layers } = manifest.value as ImageManifest
  const payloads = layers.filter(({ mediaType }) => mediaType === PAYLOAD_TYPE).slice(0, MAX_SIGNATURES)
  const found: FoundSignature[] = []
  for (const layer of payloads) {
    const content = await readAttachment(store, layer, options)
    found.push({ kind: 'attachment', digest: layer.digest, subject, content })
  }
  return found
}

async function readAttachment(
  store: ImageStore,
  layer: Descriptor,
  options: OperationOptions,
): Promise<FoundSignature['content']> {
  if (layer.size > MAX_PAYLOAD) {
    return { reason: `its payload has ${layer.size} bytes; ${MAX_PAYLOAD} are allowed` }
  }
  const annotations = layer.annotations ?? {}
  if (Object.values(annotations).some((value) => value.length > MAX_ANNOTATION)) {
    return { reason: `an annotation has more than ${MAX_ANNOTATION} characters` }
  }
  const { signal } = options
  const payload = await collect(await store.openBlob(layer, signal ? { signal } : {}), MAX_PAYLOAD)
  const bundle = attachedBundle(annotations, layer.digest)
  if ('reason' in bundle) return bundle
  return { signed: { ...bundle, message: payload }, claim: parseSimpleSigning(payload) }
}
