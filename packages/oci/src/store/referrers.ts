import { type Digest, splitDigest } from '../wire/digest.ts'
import { isIndexMediaType, isManifestMediaType } from '../wire/media-types.ts'
import type { Descriptor, ImageManifest } from '../wire/types.ts'
import { isIndex } from './manifest.ts'
import type { Manifest } from './store.ts'

/**
 * The tag whose index lists the referrers of a manifest where there is no referrers API: distribution-spec,
 * "Referrers Tag Schema". A sha512 digest is cut, since a tag has at most 128 characters.
 */
export function referrersTag(digest: Digest): string {
  const { algorithm, encoded } = splitDigest(digest)
  return `${algorithm.slice(0, 32)}-${encoded.slice(0, 64)}`.replaceAll(/[^\w.-]/g, '-')
}

/** Whether a name is a {@link referrersTag}: nobody's name for an image. */
export function isReferrersTag(name: string): boolean {
  return /^(?:sha256|sha512|blake3)-[0-9a-f]{64}$/.test(name)
}

/**
 * How a manifest stands in a list of referrers: distribution-spec, "Listing Referrers". What it calls itself,
 * or else what its configuration is, and its annotations stand beside the descriptor.
 */
export function referrerEntry(manifest: Manifest): Descriptor {
  const { mediaType, digest, size } = manifest.descriptor
  const { annotations } = manifest.value
  const config = isIndex(manifest) ? undefined : (manifest.value as ImageManifest).config
  const artifactType = manifest.value.artifactType ?? config?.mediaType
  return {
    mediaType,
    digest,
    size,
    ...(artifactType !== undefined && { artifactType }),
    ...(annotations && { annotations }),
  }
}

/** Where {@link scanReferrers} looks. */
export interface ReferrersScan {
  /** Manifests that may refer to something, and the names that they have. */
  readonly candidates: readonly { readonly descriptor: Descriptor; readonly names: readonly string[] }[]
  /** `undefined` for what an index lists but nobody has. */
  read(descriptor: Descriptor): Promise<Manifest | undefined>
}

/**
 * Finds what refers to a manifest by looking at all manifests, those included that an index under the
 * {@link referrersTag} lists, as regctl writes layouts. Each is believed for its `subject` alone.
 */
export async function* scanReferrers(
  subject: Descriptor,
  scan: ReferrersScan,
  artifactType?: string,
): AsyncGenerator<Descriptor, void, undefined> {
  const tag = referrersTag(subject.digest)
  const seen = new Set<Digest>()
  for (const { descriptor, names } of scan.candidates) {
    const listed = names.includes(tag) ? await entriesOf(scan, descriptor) : [descriptor]
    for (const each of listed) {
      if (seen.has(each.digest) || !isDocument(each)) continue
      seen.add(each.digest)
      const manifest = await scan.read(each)
      if (manifest?.value.subject?.digest !== subject.digest) continue
      const entry = referrerEntry(manifest)
      if (artifactType === undefined || entry.artifactType === artifactType) yield entry
    }
  }
}

async function entriesOf(scan: ReferrersScan, descriptor: Descriptor): Promise<readonly Descriptor[]> {
  const index = isDocument(descriptor) ? await scan.read(descriptor) : undefined
  return index && isIndex(index) ? index.value.manifests : [descriptor]
}

function isDocument({ mediaType }: Descriptor): boolean {
  return isIndexMediaType(mediaType) || isManifestMediaType(mediaType)
}
