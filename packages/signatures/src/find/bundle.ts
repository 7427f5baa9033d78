import type { OperationOptions } from '@bootable/bytes'
import { collect, decodeUtf8 } from '@bootable/bytes'
import {
  type Descriptor,
  type Digest,
  type ImageManifest,
  type ImageStore,
  isIndex,
  type Manifest,
  MEDIA_TYPE,
  splitDigest,
} from '@bootable/oci'
import { decodeBase64 } from '../payload/base64.ts'
import { type ParsedClaim, parseStatement } from '../payload/claim.ts'
import { getIfPresent } from './absent.ts'
import { MAX_BUNDLE, MAX_SIGNATURES } from './limits.ts'
import type { FoundSignature } from './signature.ts'

/** Of a bundle since 0.3 and before: cosign's specification of bundles. */
const BUNDLE_TYPE = /^application\/vnd\.dev\.sigstore\.bundle(?:\.v\d+\.\d+)?\+json$/
const IN_TOTO_TYPE = 'application/vnd.in-toto+json'

/**
 * The tag under which the referrers of a manifest are listed where the registry does not do it:
 * distribution-spec, "Referrers Tag Schema".
 */
export function referrersTag(subject: Digest): string {
  const { algorithm, encoded } = splitDigest(subject)
  return `${algorithm.slice(0, 32)}-${encoded.slice(0, 64)}`
}

/** The bundles that refer to a manifest. */
export async function findBundles(
  store: ImageStore,
  subject: Manifest,
  options: OperationOptions,
): Promise<FoundSignature[]> {
  const { digest } = subject.descriptor
  const found: FoundSignature[] = []
  for (const descriptor of await listReferrers(store, subject.descriptor, options)) {
    const manifest = await getIfPresent(store, descriptor, options)
    if (!manifest || isIndex(manifest)) continue
    const { layers, subject: named } = manifest.value as ImageManifest
    // GitLab resolves the tag to the subject itself (oras-go#1396), and anybody may list anything.
    if (named?.digest !== digest) continue
    for (const layer of layers.filter(({ mediaType }) => BUNDLE_TYPE.test(mediaType)).slice(0, 1)) {
      const content = await readBundle(store, layer, subject, options)
      found.push({ kind: 'bundle', digest: layer.digest, subject: digest, content })
    }
  }
  return found
}

/**
 * What the store says refers to the manifest, and what its list for registries without that API says: cosign
 * may have written the latter where a copy of the image did not tell the store. Old versions of cosign left
 * out or mistook `artifactType` in the list (cosign#4641), so it only rules out.
 */
async function listReferrers(
  store: ImageStore,
  subject: Descriptor,
  options: OperationOptions,
): Promise<Descriptor[]> {
  const listed = new Map<Digest, Descriptor>()
  const take = (descriptor: Descriptor): void => {
    const { artifactType, digest } = descriptor
    const mayBe =
      artifactType === undefined || artifactType === MEDIA_TYPE.empty || BUNDLE_TYPE.test(artifactType)
    if (mayBe && listed.size < MAX_SIGNATURES) listed.set(digest, descriptor)
  }
  for await (const descriptor of store.referrers?.(subject, options) ?? []) {
    take(descriptor)
    if (listed.size >= MAX_SIGNATURES) break
  }
  const index = await getIfPresent(store, referrersTag(subject.digest), options)
  for (const descriptor of index && isIndex(index) ? index.value.manifests : []) take(descriptor)
  return [...listed.values()]
}

async function readBundle(
  store: ImageStore,
  layer: Descriptor,
  subject: Manifest,
  { signal }: OperationOptions,
): Promise<FoundSignature['content']> {
  if (layer.size > MAX_BUNDLE) return { reason: `it has ${layer.size} bytes; ${MAX_BUNDLE} are allowed` }
  const raw = await collect(await store.openBlob(layer, signal ? { signal } : {}), MAX_BUNDLE)
  let bundle: unknown
  try {
    bundle = JSON.parse(decodeUtf8(raw) ?? '')
  } catch {
    return { reason: 'it is not JSON' }
  }
  return { signed: { bundle, message: subject.raw }, claim: claimOf(bundle, subject.descriptor.digest) }
}

/** A DSSE envelope holds a statement; a bare signature is made over the manifest and so is for it alone. */
function claimOf(bundle: unknown, subject: Digest): ParsedClaim {
  const { dsseEnvelope, messageSignature } = (bundle ?? {}) as Record<string, unknown>
  if (messageSignature && dsseEnvelope) return { reason: 'it holds two kinds of signature' }
  if (messageSignature) return { claim: { digests: [subject] } }
  const { payloadType, payload } = (dsseEnvelope ?? {}) as Record<string, unknown>
  if (payloadType !== IN_TOTO_TYPE) return { reason: 'it holds no in-toto statement' }
  const bytes = typeof payload === 'string' ? decodeBase64(payload) : undefined
  return bytes ? parseStatement(bytes) : { reason: 'its payload is not base64' }
}
