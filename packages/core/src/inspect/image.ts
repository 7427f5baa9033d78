import { BootableError, type OperationOptions, portableRuntime, type RuntimeOptions } from '@bootable/bytes'
import { type Image, type LayerCache, unpackImage } from '@bootable/oci'
import { findKernels, readOsRelease } from '@bootable/system'

/** What an image says about itself, as plain data. */
export interface ImageReport {
  readonly kind: 'image'
  readonly digest: string
  readonly platform: string
  readonly created?: string
  /** Bytes of all layers as they are stored. */
  readonly compressedSize: number
  readonly layers: readonly { readonly digest: string; readonly mediaType: string; readonly size: number }[]
  readonly labels: Readonly<Record<string, string>>
  /** The labels say that it is bootable. */
  readonly bootable: boolean
  /** Known only when the layers were read. */
  readonly osRelease?: Readonly<Record<string, string>>
  readonly kernels?: readonly string[]
}

/** Options of {@link inspectImage}. */
export interface InspectImageOptions extends OperationOptions, RuntimeOptions {
  /** Reads the layers as well, into this cache, for os-release and kernels. @defaultValue not read */
  readonly cache?: LayerCache
}

/** Describes an image. */
export async function inspectImage(image: Image, options: InspectImageOptions = {}): Promise<ImageReport> {
  const { cache, runtime = portableRuntime } = options
  const { manifest, config, layers, platform } = image
  const labels = config.value.config?.Labels ?? {}
  const { created } = config.value
  return {
    kind: 'image',
    digest: manifest.descriptor.digest,
    platform: [platform.os, platform.architecture, platform.variant].filter(Boolean).join('/'),
    ...(created !== undefined && { created }),
    compressedSize: layers.reduce((sum, { descriptor }) => sum + descriptor.size, 0),
    layers: layers.map(({ descriptor: { digest, mediaType, size } }) => ({ digest, mediaType, size })),
    labels,
    bootable: isBootable(labels),
    ...(cache && (await readContents(image, { ...options, cache, runtime }))),
  }
}
