import type { CompressionFormat } from '@bootable/bytes'

/** The media types of image-spec 1.1, "OCI Image Media Types", and their Docker ancestors. */
export const MEDIA_TYPE = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  layerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  layerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  nondistributableLayer: 'application/vnd.oci.image.layer.nondistributable.v1.tar',
  nondistributableLayerGzip: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
  nondistributableLayerZstd: 'application/vnd.oci.image.layer.nondistributable.v1.tar+zstd',
  /** The two bytes `{}`: image-spec 1.1, "Guidance for an Empty Descriptor". */
  empty: 'application/vnd.oci.empty.v1+json',
  dockerManifestList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar',
  dockerLayerGzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  dockerLayerZstd: 'application/vnd.docker.image.rootfs.diff.tar.zstd',
  dockerForeignLayerGzip: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
} as const

const LAYER_COMPRESSION: Readonly<Record<string, CompressionFormat>> = {
  [MEDIA_TYPE.layer]: 'none',
  [MEDIA_TYPE.layerGzip]: 'gzip',
  [MEDIA_TYPE.layerZstd]: 'zstd',
  [MEDIA_TYPE.nondistributableLayer]: 'none',
  [MEDIA_TYPE.nondistributableLayerGzip]: 'gzip',
  [MEDIA_TYPE.nondistributableLayerZstd]: 'zstd',
  [MEDIA_TYPE.dockerLayer]: 'none',
  [MEDIA_TYPE.dockerLayerGzip]: 'gzip',
  [MEDIA_TYPE.dockerLayerZstd]: 'zstd',
  [MEDIA_TYPE.dockerForeignLayerGzip]: 'gzip',
}

/** Whether a media type is that of an index: OCI's or Docker's manifest list. */
export function isIndexMediaType(mediaType: string): boolean {
  return mediaType === MEDIA_TYPE.index || mediaType === MEDIA_TYPE.dockerManifestList
}

/** Whether a media type is that of an image manifest: OCI's or Docker's. */
export function isManifestMediaType(mediaType: string): boolean {
  return mediaType === MEDIA_TYPE.manifest || mediaType === MEDIA_TYPE.dockerManifest
}

/** Whether a media type is that of an image configuration: OCI's or Docker's. */
export function isConfigMediaType(mediaType: string): boolean {
  return mediaType === MEDIA_TYPE.config || mediaType === MEDIA_TYPE.dockerConfig
}

/** How a filesystem layer is compressed; `undefined` for what is not a filesystem layer. */
export function layerCompression(mediaType: string): CompressionFormat | undefined {
  return Object.hasOwn(LAYER_COMPRESSION, mediaType) ? LAYER_COMPRESSION[mediaType] : undefined
}
