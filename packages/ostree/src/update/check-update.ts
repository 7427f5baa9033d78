import { BootableError, type OperationOptions } from '@bootable/bytes'
import { type Digest, type Image, type ImageStore, openImage, type Platform } from '@bootable/oci'
import type { OstreeErrorCode } from '../errors.ts'
import type { Deployment } from '../inspect/deployment.ts'
import { type ImageFacts, imageCreated, imageVersion, type LayerFacts } from '../inspect/image-facts.ts'
import { formatTargetImage } from '../sysroot/target-reference.ts'

/** An image that a machine runs, and where it looks for the next one. */
export interface DeployedImage
  extends Pick<ImageFacts, 'manifestDigest' | 'configDigest' | 'platform' | 'version' | 'created'> {
  /** For people: `docker://quay.io/example/os:latest`. */
  readonly reference: string
  /** Those that the machine holds. */
  readonly layers: readonly Pick<LayerFacts, 'digest' | 'diffId'>[]
}

/** Options of {@link checkUpdate}. */
export interface CheckUpdateOptions extends OperationOptions {
  /**
   * Under which name the store knows the image.
   * @defaultValue empty: the tag that a registry's store was opened with, or its only image
   */
  readonly reference?: string
  /** @defaultValue that of the deployed image */
  readonly platform?: Platform | string
  /** Further layers that the machine holds, of other images: `Sysroot.storedLayers`. */
  readonly storedLayers?: Iterable<Digest>
}

/** What is known of one side of an update. */
export interface UpdateSide {
  /** Of the platform's manifest. */
  readonly digest: Digest
  readonly version?: string
  /** RFC 3339. */
  readonly created?: string
}

/** What `bootc upgrade --check` would find out, as plain data. */
export interface UpdateCheck {
  readonly reference: string
  readonly deployed: UpdateSide
  readonly available: UpdateSide
  /** Whether there is anything to update to. */
  readonly changed: boolean
  /** Of the available image. */
  readonly layers: {
    readonly total: number
    /** Those that the machine does not hold; a layer that stands in the image twice counts once. */
    readonly missing: number
  }
  /** Of the missing layers as they are stored, which is what an update fetches. */
  readonly bytes: number
}

/**
 * Compares what is deployed with what a store has now, as `bootc upgrade --check` does: the digest of the
 * platform's manifest decides; a manifest that differs but has the same configuration is the same image. A
 * layer is there if the machine knows its digest or, when it was compressed anew, its diff id.
 *
 * Layers are not fetched: only index, manifest and configuration are.
 *
 * @param deployed a deployment that follows a container image, or what is known of one
 * @throws BootableError `OSTREE_NO_IMAGE`, and those of `openImage`
 */
export async function checkUpdate(
  deployed: Deployment | DeployedImage,
  store: ImageStore,
  options: CheckUpdateOptions = {},
): Promise<UpdateCheck> {
  const current = 'manifestDigest' in deployed ? deployed : requireDeployedImage(deployed)
  const { reference = '', storedLayers = [], platform = current.platform, ...operation } = options
  const image = await openImage(store, reference, {
    ...operation,
    ...(platform !== undefined && { platform }),
  })

  const { manifest, config } = image
  const changed =
    manifest.descriptor.digest !== current.manifestDigest && config.descriptor.digest !== current.configDigest
  const missing = changed ? missingLayers(image, current.layers, storedLayers) : []
  return {
    reference: current.reference,
    deployed: describe(current.manifestDigest, current.version, current.created),
    available: describe(manifest.descriptor.digest, imageVersion(config.value), imageCreated(config.value)),
    changed,
    layers: { total: image.layers.length, missing: missing.length },
    bytes: missing.reduce((sum, size) => sum + size, 0),
  }
}

/**
 * The image of a deployment, and where it comes from next.
 * @throws BootableError `OSTREE_NO_IMAGE` for a deployment that does not follow a container image
 */
export function requireDeployedImage({ path, origin, image }: Deployment): DeployedImage {
  if (origin?.image && image) {
    const layers = image.layers.filter(({ stored }) => stored)
    return { ...image, layers, reference: formatTargetImage(origin.image) }
  }
  const reason = image ? 'its origin names no container image' : 'it was not made from a container image'
  throw new BootableError<OstreeErrorCode>('OSTREE_NO_IMAGE', `${path} cannot be checked: ${reason}`, {
    details: { path, ...(origin?.refspec !== undefined && { refspec: origin.refspec }) },
    hint: 'machines made by bootc follow a container image; "bootc switch" makes one follow another',
  })
}

function describe(digest: Digest, version: string | undefined, created: string | undefined): UpdateSide {
  return { digest, ...(version !== undefined && { version }), ...(created !== undefined && { created }) }
}

/** Sizes of the distinct layers that have to be fetched. */
function missingLayers(
  image: Image,
  present: DeployedImage['layers'],
  storedLayers: Iterable<Digest>,
): readonly number[] {
  const digests = new Set([...storedLayers, ...present.map(({ digest }) => digest)])
  const diffIds = new Set(present.map(({ diffId }) => diffId))
  const missing = new Map<Digest, number>()
  for (const { descriptor, diffId } of image.layers) {
    if (!digests.has(descriptor.digest) && !diffIds.has(diffId))
      missing.set(descriptor.digest, descriptor.size)
  }
  return [...missing.values()]
}
