import { type Image, type ImageManifest, MEDIA_TYPE } from '@bootable/oci'
import type { Metadata } from '../object/metadata.ts'
import { canonicalConfig, canonicalManifest } from './canonical-json.ts'

/** Key of the version of the importer, in the commits of layers and of images. */
export const IMPORTER_VERSION = 'ostree.importer.version'

/**
 * What is said about a merge commit, in ostree-ext's order. `bootc upgrade` compares the digest with that of
 * the manifest that a registry serves for the platform; `bootc status` reads the documents.
 */
export function mergeMetadata({ manifest, config }: Image, importerVersion: string): Metadata {
  return new Map([
    ['ostree.container.image-config', canonicalConfig(config.value)],
    [IMPORTER_VERSION, importerVersion],
    ['ostree.manifest', canonicalManifest(ociManifest(manifest.value, manifest.mediaType))],
    ['ostree.manifest-digest', manifest.descriptor.digest],
  ])
}

const OCI_MEDIA_TYPES: Readonly<Record<string, string>> = {
  [MEDIA_TYPE.dockerManifest]: MEDIA_TYPE.manifest,
  [MEDIA_TYPE.dockerConfig]: MEDIA_TYPE.config,
  [MEDIA_TYPE.dockerLayer]: MEDIA_TYPE.layer,
  [MEDIA_TYPE.dockerLayerGzip]: MEDIA_TYPE.layerGzip,
  [MEDIA_TYPE.dockerLayerZstd]: MEDIA_TYPE.layerZstd,
  [MEDIA_TYPE.dockerForeignLayerGzip]: MEDIA_TYPE.nondistributableLayerGzip,
}

/** Docker's schema 2 has the shape of an OCI manifest; its media types have twins there. */
function ociManifest(value: ImageManifest, mediaType: string): ImageManifest {
  if (mediaType !== MEDIA_TYPE.dockerManifest) return value
  const convert = (type: string): string => OCI_MEDIA_TYPES[type] ?? type
  return {
    ...value,
    mediaType: convert(mediaType),
    config: { ...value.config, mediaType: convert(value.config.mediaType) },
    layers: value.layers.map((layer) => ({ ...layer, mediaType: convert(layer.mediaType) })),
  }
}

/** image-spec, "Pre-Defined Annotation Keys". */
const CREATED = 'org.opencontainers.image.created'

const RFC3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/

/**
 * The time of an image in seconds since 1970: the annotation of its manifest, else what the configuration
 * says. `undefined` where the first of them that is there is no time of RFC 3339, or neither is.
 */
export function imageTimestamp({ manifest, config }: Image): number | undefined {
  const text = manifest.value.annotations?.[CREATED] ?? config.value.created
  if (text === undefined || !RFC3339.test(text)) return undefined
  const milliseconds = Date.parse(text.toUpperCase().replace(' ', 'T'))
  return Number.isNaN(milliseconds) ? undefined : Math.max(0, Math.floor(milliseconds / 1000))
}
