import type { OperationOptions, RuntimeOptions } from '@bootable/bytes'
import { memorySource, portableRuntime, utf8 } from '@bootable/bytes'
import { type Digest, digestBytes } from '../wire/digest.ts'
import { MEDIA_TYPE } from '../wire/media-types.ts'
import { DEFAULT_PLATFORM } from '../wire/platform.ts'
import type { Descriptor, ExecutionConfig, ImageConfig, ImageManifest, Platform } from '../wire/types.ts'
import { blobOf } from './blob.ts'
import { type LayerCompression, putLayer } from './put-layer.ts'
import type { ImageStore } from './store.ts'

/** What an image is made of. */
export interface ImageParts {
  /** Uncompressed tars, the base first: `() => writeLayerTar(tree)`. */
  readonly layers: readonly (() => AsyncIterable<Uint8Array>)[]
  /** @defaultValue `linux/amd64` */
  readonly platform?: Platform
  /** Labels and what a container would run. */
  readonly config?: ExecutionConfig
  /** RFC 3339. Left out, the image has no time. */
  readonly created?: string
}

/** Options of {@link putImage}. */
export interface PutImageOptions extends OperationOptions, RuntimeOptions {
  /** The name of the image in the store; the empty one is none. */
  readonly reference: string
  /** @defaultValue `gzip` */
  readonly compression?: LayerCompression
}

/**
 * Makes an OCI image of layers and puts it into a store: layers are hashed and compressed on their way,
 * configuration and manifest are made for them. Equal parts give an equal image, as far as the compressor
 * of the runtime does.
 */
export async function putImage(
  store: ImageStore,
  parts: ImageParts,
  options: PutImageOptions,
): Promise<Descriptor> {
  const { runtime = portableRuntime, reference, compression = 'gzip', ...operation } = options
  const layers: Descriptor[] = []
  const diffIds: Digest[] = []
  for (const open of parts.layers) {
    const { descriptor, diffId } = await putLayer(store, open, { runtime, compression, ...operation })
    layers.push(descriptor)
    diffIds.push(diffId)
  }

  const { platform = DEFAULT_PLATFORM, config, created } = parts
  const imageConfig: ImageConfig = {
    ...(created !== undefined && { created }),
    ...platform,
    ...(config && { config }),
    rootfs: { type: 'layers', diff_ids: diffIds },
  }
  const raw = utf8(JSON.stringify(imageConfig))
  const descriptor = { mediaType: MEDIA_TYPE.config, digest: digestBytes(raw, { runtime }), size: raw.length }
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    config: await store.putBlob(blobOf(memorySource(raw)), { ...operation, descriptor }),
    layers,
  }
  return store.putManifest(utf8(JSON.stringify(manifest)), {
    ...operation,
    mediaType: MEDIA_TYPE.manifest,
    reference,
  })
}
