import { BootableError } from '@bootable/bytes'
import type { OciErrorCode } from '../wire/errors.ts'
import { MEDIA_TYPE } from '../wire/media-types.ts'
import type { ImageManifest } from '../wire/types.ts'

/** Whose media types the documents of an image have. */
export type MediaTypeFamily = 'oci' | 'docker'

/** Media types that mean the same: OCI's and Docker's. */
const PAIRS: readonly (readonly [oci: string, docker: string])[] = [
  [MEDIA_TYPE.index, MEDIA_TYPE.dockerManifestList],
  [MEDIA_TYPE.manifest, MEDIA_TYPE.dockerManifest],
  [MEDIA_TYPE.config, MEDIA_TYPE.dockerConfig],
  [MEDIA_TYPE.layer, MEDIA_TYPE.dockerLayer],
  [MEDIA_TYPE.layerGzip, MEDIA_TYPE.dockerLayerGzip],
  [MEDIA_TYPE.layerZstd, MEDIA_TYPE.dockerLayerZstd],
  [MEDIA_TYPE.nondistributableLayerGzip, MEDIA_TYPE.dockerForeignLayerGzip],
]

/**
 * The media type of the other family that means the same; one of the family asked for stays.
 * @throws BootableError `MEDIA_TYPE_UNSUPPORTED` where that family has none
 */
export function convertMediaType(mediaType: string, to: MediaTypeFamily): string {
  const [own, other] = to === 'oci' ? [0, 1] : [1, 0]
  const pair =
    PAIRS.find((each) => each[own] === mediaType) ?? PAIRS.find((each) => each[other] === mediaType)
  if (pair) return pair[own] as string
  const family = to === 'oci' ? 'OCI' : 'Docker'
  throw new BootableError<OciErrorCode>(
    'MEDIA_TYPE_UNSUPPORTED',
    `${mediaType} has no ${family} counterpart`,
    {
      details: { mediaType, family: to },
    },
  )
}

/** Whose media types a manifest has. */
export function familyOf(mediaType: string): MediaTypeFamily {
  return mediaType === MEDIA_TYPE.dockerManifest || mediaType === MEDIA_TYPE.dockerManifestList
    ? 'docker'
    : 'oci'
}

/**
 * A manifest in the media types of the other family. The blobs stay what they are, but the document changes,
 * and so does the digest of the image. Annotations, of which Docker's manifests know nothing, are left out.
 *
 * @throws BootableError `MEDIA_TYPE_UNSUPPORTED`, also of artifacts and referrers, which Docker has not
 */
export function convertManifest(manifest: ImageManifest, to: MediaTypeFamily): ImageManifest {
  const { annotations, ...rest } = manifest
  if (to === 'docker' && (manifest.artifactType !== undefined || manifest.subject !== undefined)) {
    throw new BootableError<OciErrorCode>(
      'MEDIA_TYPE_UNSUPPORTED',
      'a Docker manifest cannot be an artifact or refer to another manifest',
      { details: { artifactType: manifest.artifactType, subject: manifest.subject?.digest } },
    )
  }
  return {
    ...rest,
    mediaType: to === 'oci' ? MEDIA_TYPE.manifest : MEDIA_TYPE.dockerManifest,
    config: { ...rest.config, mediaType: convertMediaType(rest.config.mediaType, to) },
    layers: rest.layers.map((layer) => ({ ...layer, mediaType: convertMediaType(layer.mediaType, to) })),
    ...(to === 'oci' && annotations !== undefined && { annotations }),
  }
}
