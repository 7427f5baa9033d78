import { BootableError, type OperationOptions } from '@bootable/bytes'
import {
  type CopyImageOptions,
  type CopyPlan,
  type Descriptor,
  formatReference,
  type ImageManifest,
  type ImageStore,
  isDigest,
  isIndex,
  listContent,
  type Manifest,
  openImage,
  parseReference,
} from '@bootable/oci'
import type { Policy, SignaturesErrorCode } from '@bootable/signatures'
import { formatImageSource, type ImageSource, parseImageSource, storeReference } from '../source.ts'
import { enforceImagePolicy, readPolicy } from './image-policy.ts'
import { type ImageTarget, imageTarget, type NamedSource, type PutSource } from './image-target.ts'
import { type OpenImageSourceOptions, openStoreOf } from './open-image.ts'

/** Options of {@link copyImageFiles}. */
export interface CopyImageFilesOptions extends CopyImageOptions, OpenImageSourceOptions {
  /**
   * The name in the target where its address has none.
   * @defaultValue the tag of the source; in a docker-archive the whole name, as Docker wants it
   */
  readonly name?: string
  /**
   * One image: the one for `platform`, or the one that `openImage` takes without it.
   * @defaultValue whether there is a `platform`; else everything that the name stands for goes over
   */
  readonly single?: boolean
}

/** An image that was copied. */
export interface CopiedImage {
  /** Whole addresses. */
  readonly source: string
  readonly target: string
  /** What stands in the target now. */
  readonly descriptor: Descriptor
}

/** A copy that was planned. */
export interface PlannedCopy {
  /** Whole addresses. */
  readonly source: string
  readonly target: string
  readonly plan: CopyPlan
}

/**
 * Copies an image from one address to another, bytes as they are, so that digests stay: between registries,
 * layouts and archives.
 *
 * @param from as `openImageSource` reads it
 * @param to as `imageTarget` reads it
 * @throws BootableError of the addresses, the stores and the image; of `enforcePolicy`, before a layer is read
 */
export async function copyImageFiles(
  from: string,
  to: string,
  options: CopyImageFilesOptions = {},
): Promise<CopiedImage> {
  return betweenAddresses(from, to, options, async (subject, target, copying) => {
    const { descriptor } = await target.put(subject, copying)
    return { descriptor }
  })
}

/** What {@link copyImageFiles} would move; nothing is written. */
export async function planImageCopy(
  from: string,
  to: string,
  options: CopyImageFilesOptions = {},
): Promise<PlannedCopy> {
  return betweenAddresses(from, to, options, async (subject, target, copying) => ({
    plan: await target.plan(subject, copying),
  }))
}

async function betweenAddresses<Result>(
  from: string,
  to: string,
  options: CopyImageFilesOptions,
  work: (subject: PutSource, target: ImageTarget, copying: CopyImageOptions) => Promise<Result>,
): Promise<Result & { readonly source: string; readonly target: string }> {
  const { platform, name, registry, single = platform !== undefined, policy: asked, ...copying } = options
  // A policy that cannot be read is no reason to ask a registry first.
  const policy = await readPolicy(asked)
  const { store, source } = await openStoreOf(from, options)
  try {
    const known = name ?? nameIn(parseImageSource(to).transport, source)
    const target = imageTarget(to, {
      ...(registry && { registry }),
      ...(known !== undefined && { name: known }),
    })
    const reference = storeReference(source)
    const one = single || target.transport === 'docker-archive'
    const subject = one ? await openImage(store, reference, options) : await pin(store, reference, options)
    if (policy) await enforceOn(subject, source, policy, copying)
    const result = await work(subject, target, copying)
    return { source: formatImageSource(source), target: target.address, ...result }
  } finally {
    await store.close?.()
  }
}

/** What a name stands for now: a tag that moves while it is judged or copied moves nothing. */
async function pin(store: ImageStore, reference: string, { signal }: OperationOptions): Promise<NamedSource> {
  const { descriptor } = await store.getManifest(reference, signal ? { signal } : {})
  return { store, reference: descriptor.digest }
}

/** The layers of what BuildKit puts beside an image to say how it was built. */
const ATTESTATION = 'application/vnd.in-toto+json'

/** Everything that goes over has to be accepted: each manifest below an index, whatever it calls itself. */
async function enforceOn(
  subject: PutSource,
  source: ImageSource,
  policy: Policy,
  { signal, platforms }: CopyImageOptions,
): Promise<void> {
  if ('manifest' in subject) return enforceImagePolicy(subject, source, policy, signal)
  const { manifests } = await listContent(subject, {
    ...(signal && { signal }),
    ...(platforms && { platforms }),
  })
  let judged = 0
  for (const manifest of manifests) {
    if (isIndex(manifest) || isAttestation(manifest.value as ImageManifest)) continue
    const image = { ...subject, manifest: manifest as Manifest<ImageManifest> }
    await enforceImagePolicy(image, source, policy, signal)
    judged++
  }
  if (judged > 0) return
  throw new BootableError<SignaturesErrorCode>(
    'POLICY_REJECTED',
    `${formatImageSource(source)} has nothing in it that the policy could accept`,
    { details: { source: formatImageSource(source), manifests: manifests.length } },
  )
}

function isAttestation({ layers }: ImageManifest): boolean {
  return layers.length > 0 && layers.every(({ mediaType }) => mediaType === ATTESTATION)
}

function nameIn(transport: ImageSource['transport'], source: ImageSource): string | undefined {
  if (source.transport !== 'docker') return isDigest(source.reference) ? undefined : source.reference
  const {
    digest,
    tag = digest === undefined ? 'latest' : undefined,
    ...name
  } = parseReference(source.reference)
  if (transport !== 'docker-archive' || tag === undefined) return tag
  return formatReference({ ...name, tag })
}
