import type { CompressionFormat, OperationOptions } from '@bootable/bytes'
import { BootableError, FormatError } from '@bootable/bytes'
import type { Digest } from '../wire/digest.ts'
import type { OciErrorCode } from '../wire/errors.ts'
import { layerCompression } from '../wire/media-types.ts'
import { parsePlatform } from '../wire/platform.ts'
import type { Descriptor, ImageConfig, ImageManifest, Platform } from '../wire/types.ts'
import type { Config } from './config.ts'
import { findImage } from './find.ts'
import type { ImageStore, Manifest } from './store.ts'

/** One filesystem layer of an image. */
export interface LayerDescriptor {
  /** Of the blob, compressed as it is stored. */
  readonly descriptor: Descriptor
  /** Of the uncompressed tar. */
  readonly diffId: Digest
  readonly compression: CompressionFormat
}

/** An image whose manifest and configuration were fetched and verified; its layers were not yet. */
export interface Image {
  readonly store: ImageStore
  /** The name or digest under which it was asked for. */
  readonly reference: string
  readonly manifest: Manifest<ImageManifest>
  readonly config: Config
  /** The base first. */
  readonly layers: readonly LayerDescriptor[]
  readonly platform: Platform
}

/** Options of {@link openImage}. */
export interface OpenImageOptions extends OperationOptions {
  /**
   * Which image of an index is wanted, as text or taken apart.
   * @defaultValue `linux/amd64` where there is a choice; a reference to a single image is taken as it is
   */
  readonly platform?: Platform | string
}

/** Layers of one image; Docker's overlay driver stops at 127. */
const MAX_LAYERS = 500

/**
 * Finds an image in a store: follows indexes to the manifest of the platform, and fetches, verifies and
 * checks manifest and configuration. Layers are not touched.
 *
 * @param reference as {@link ImageStore} understands it
 * @throws BootableError `PLATFORM_MISSING`, `MEDIA_TYPE_UNSUPPORTED`, `LIMIT_EXCEEDED`, and those of
 *   {@link ImageStore.getManifest}; FormatError
 */
export async function openImage(
  store: ImageStore,
  reference: string,
  options: OpenImageOptions = {},
): Promise<Image> {
  const { signal } = options
  const platform = typeof options.platform === 'string' ? parsePlatform(options.platform) : options.platform
  const { manifest, config } = await findImage(store, reference, platform, signal)
  const { architecture, os, variant } = config.value
  return {
    store,
    reference,
    manifest,
    config,
    layers: pairLayers(manifest.value, config.value),
    platform: variant === undefined ? { architecture, os } : { architecture, os, variant },
  }
}

/** Puts layers and diff ids together. */
function pairLayers({ layers }: ImageManifest, { rootfs }: ImageConfig): readonly LayerDescriptor[] {
  if (layers.length > MAX_LAYERS) {
    throw new BootableError<OciErrorCode>(
      'LIMIT_EXCEEDED',
      `the image has ${layers.length} layers; ${MAX_LAYERS} are allowed`,
      { details: { layers: layers.length, limit: MAX_LAYERS } },
    )
  }
  return layers.map((descriptor, index) => {
    const compression = layerCompression(descriptor.mediaType)
    if (compression === undefined) {
      throw new BootableError<OciErrorCode>(
        'MEDIA_TYPE_UNSUPPORTED',
        `layer ${index + 1} of ${layers.length} is ${descriptor.mediaType}, which is not a filesystem layer`,
        { details: { mediaType: descriptor.mediaType, layer: index } },
      )
    }
    const diffId = rootfs.diff_ids[index]
    if (diffId === undefined || rootfs.diff_ids.length !== layers.length) {
      throw new FormatError(
        'FORMAT_INVALID',
        {
          format: 'image configuration',
          structure: 'rootfs.diff_ids',
          expected: layers.length,
          actual: rootfs.diff_ids.length,
        },
        `there are ${rootfs.diff_ids.length}, but the manifest has ${layers.length} layers`,
      )
    }
    return { descriptor, diffId, compression }
  })
}
