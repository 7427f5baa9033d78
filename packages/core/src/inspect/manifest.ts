import type { OperationOptions } from '@bootable/bytes'
import {
  type Annotations,
  type Descriptor,
  formatPlatform,
  type ImageManifest,
  type ImageStore,
  isConfigMediaType,
  isIndex,
  type Manifest,
  openImage,
  type Platform,
} from '@bootable/oci'
import { type ImageReport, inspectImage } from './image.ts'

/** One entry of an index. Sizes in bytes. */
export interface IndexEntry {
  readonly digest: string
  readonly mediaType: string
  /** Of the manifest. */
  readonly size: number
  readonly platform?: string
  readonly artifactType?: string
}

/** What an index says, as plain data. */
export interface IndexReport {
  readonly kind: 'index'
  readonly digest: string
  readonly mediaType: string
  readonly annotations: Annotations
  readonly manifests: readonly IndexEntry[]
}

/** An artifact that is no container image: files, a signature, a bill of materials. */
export interface ArtifactReport {
  readonly kind: 'artifact'
  readonly digest: string
  readonly mediaType: string
  /** `artifactType`, or where it is missing the media type of the configuration, as image-spec 1.1 has it. */
  readonly artifactType: string
  /** The digest of the manifest that it is about. */
  readonly subject?: string
  readonly annotations: Annotations
  readonly layers: readonly {
    readonly digest: string
    readonly mediaType: string
    readonly size: number
    /** The name of the file: `org.opencontainers.image.title`. */
    readonly title?: string
  }[]
}

/** Options of {@link inspectManifest}. */
export interface InspectManifestOptions extends OperationOptions {
  /** Describes the image for this platform where the reference is an index. */
  readonly platform?: Platform | string
}

/**
 * Describes what a reference stands for: an index, an image, or an artifact. Layers are not read.
 *
 * @throws BootableError `PLATFORM_MISSING`, and those of the store
 */
export async function inspectManifest(
  store: ImageStore,
  reference: string,
  options: InspectManifestOptions = {},
): Promise<IndexReport | ImageReport | ArtifactReport> {
  const { platform, ...operation } = options
  if (platform !== undefined) return inspectImage(await openImage(store, reference, options), operation)
  const manifest = await store.getManifest(reference, operation)
  if (isIndex(manifest)) {
    const { digest } = manifest.descriptor
    const { mediaType, value } = manifest
    return {
      kind: 'index',
      digest,
      mediaType,
      annotations: value.annotations ?? {},
      manifests: value.manifests.map(entryOf),
    }
  }
  const single = manifest as Manifest<ImageManifest>
  if (!isConfigMediaType(single.value.config.mediaType)) return describeArtifact(single)
  return inspectImage(await openImage(store, manifest.descriptor.digest, operation), operation)
}

function entryOf({ digest, mediaType, size, platform, artifactType }: Descriptor): IndexEntry {
  return {
    digest,
    mediaType,
    size,
    ...(platform && { platform: formatPlatform(platform) }),
    ...(artifactType !== undefined && { artifactType }),
  }
}

function describeArtifact({ descriptor, mediaType, value }: Manifest<ImageManifest>): ArtifactReport {
  const { artifactType, config, subject, annotations = {}, layers } = value
  return {
    kind: 'artifact',
    digest: descriptor.digest,
    mediaType,
    artifactType: artifactType ?? config.mediaType,
    ...(subject && { subject: subject.digest }),
    annotations,
    layers: layers.map((layer) => {
      const title = layer.annotations?.['org.opencontainers.image.title']
      return {
        digest: layer.digest,
        mediaType: layer.mediaType,
        size: layer.size,
        ...(title !== undefined && { title }),
      }
    }),
  }
}
