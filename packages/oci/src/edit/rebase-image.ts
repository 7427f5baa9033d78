import { BootableError, type OperationOptions, type RuntimeOptions } from '@bootable/bytes'
import type { Image } from '../store/image.ts'
import type { ImageStore } from '../store/store.ts'
import { type Digest, isDigest } from '../wire/digest.ts'
import type { OciErrorCode } from '../wire/errors.ts'
import { formatPlatform } from '../wire/platform.ts'
import type { Annotations, Descriptor, ImageConfig } from '../wire/types.ts'
import { convertMediaType, familyOf } from './convert-media-types.ts'
import { copyBlobs } from './copy-blobs.ts'
import { extendHistory, historyAfter } from './history.ts'
import { putDocuments } from './put-documents.ts'

/** image-spec, "Pre-Defined Annotation Keys". */
const BASE_NAME = 'org.opencontainers.image.base.name'
const BASE_DIGEST = 'org.opencontainers.image.base.digest'

/** What an image says that it stands on. */
export interface BaseAnnotations {
  readonly name?: string
  readonly digest?: Digest
}

/** The base that an image names in its annotations; empty where it names none. */
export function baseOf({ manifest }: Image): BaseAnnotations {
  const { [BASE_NAME]: name, [BASE_DIGEST]: digest } = manifest.value.annotations ?? {}
  return { ...(name !== undefined && { name }), ...(isDigest(digest) && { digest }) }
}

/** Options of {@link rebaseImage}. */
export interface RebaseImageOptions extends OperationOptions, RuntimeOptions {
  /** The name of the new image in the store; without one it is known by its digest. */
  readonly reference?: string
  /** What the annotation `org.opencontainers.image.base.name` becomes. @defaultValue what it was */
  readonly baseName?: string
}

/**
 * Puts the layers that an image has above its base on top of another base, without looking into them:
 * right for bases that are updates of each other. The configuration stays that of the image, but what it
 * runs on, and the beginning of its history, are those of the new base.
 *
 * @returns the descriptor of the new manifest
 * @throws BootableError `REBASE_IMPOSSIBLE` when the layers of `oldBase` are not the lowest of the image, or
 *   `newBase` is for another platform; those of the stores
 */
export async function rebaseImage(
  image: Image,
  oldBase: Image,
  newBase: Image,
  target: ImageStore,
  options: RebaseImageOptions = {},
): Promise<Descriptor> {
  const { reference, baseName, ...operation } = options
  checkBase(image, oldBase)
  checkPlatform(image, newBase)
  const upper = image.layers.slice(oldBase.layers.length)
  for (const { store, layers } of [newBase, { store: image.store, layers: upper }]) {
    await copyBlobs(
      store,
      target,
      layers.map(({ descriptor }) => descriptor),
      operation,
    )
  }
  const layers = [...newBase.layers, ...upper]

  const {
    architecture,
    os,
    variant,
    'os.version': version,
    'os.features': features,
    ...own
  } = image.config.value
  const { value: base } = newBase.config
  const platform = {
    architecture: base.architecture,
    os: base.os,
    ...(base.variant !== undefined && { variant: base.variant }),
    ...(base['os.version'] !== undefined && { 'os.version': base['os.version'] }),
    ...(base['os.features'] !== undefined && { 'os.features': base['os.features'] }),
  }
  const { history: _, ...rest } = own
  const config: ImageConfig = {
    ...rest,
    ...platform,
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    ...extendHistory(
      { history: base.history, layers: newBase.layers.length, created: base.created },
      historyAfter(image.config.value.history ?? [], oldBase.layers.length),
    ),
  }
  const { value: manifest, mediaType } = image.manifest
  const family = familyOf(mediaType)
  const annotations: Annotations = {
    ...manifest.annotations,
    ...(baseName !== undefined && { [BASE_NAME]: baseName }),
    [BASE_DIGEST]: newBase.manifest.descriptor.digest,
  }
  const rebased = {
    ...manifest,
    annotations,
    layers: layers.map(({ descriptor }) => ({
      ...descriptor,
      mediaType: convertMediaType(descriptor.mediaType, 'oci'),
    })),
  }
  return putDocuments(target, config, rebased, family, {
    ...operation,
    ...(reference !== undefined && { reference }),
  })
}

function checkBase(image: Image, oldBase: Image): void {
  const at = oldBase.layers.findIndex(({ diffId }, index) => image.layers[index]?.diffId !== diffId)
  if (at < 0) return
  const { name, digest } = baseOf(image)
  const known = name ?? digest
  throw new BootableError<OciErrorCode>(
    'REBASE_IMPOSSIBLE',
    `layer ${at + 1} of the ${oldBase.layers.length} of the old base is not layer ${at + 1} of the image, which has ${image.layers.length}`,
    {
      details: { layer: at, baseLayers: oldBase.layers.length, imageLayers: image.layers.length },
      hint:
        known === undefined
          ? 'give the very image that it was built on, as it was then'
          : `the image says that it was built on ${known}${name !== undefined && digest ? `@${digest}` : ''}`,
    },
  )
}

function checkPlatform(image: Image, newBase: Image): void {
  const [own, other] = [image.platform, newBase.platform]
  if (own.architecture === other.architecture && own.os === other.os) return
  throw new BootableError<OciErrorCode>(
    'REBASE_IMPOSSIBLE',
    `the image is for ${formatPlatform(own)}, the new base for ${formatPlatform(other)}`,
    {
      details: { image: formatPlatform(own), base: formatPlatform(other) },
      hint: 'open the base with the platform of the image',
    },
  )
}
