import type { OperationOptions, RuntimeOptions } from '@bootable/bytes'
import { formatPlatform, type Image, type LayerCache, unpackImage } from '@bootable/oci'
import { isLabelledBootable } from '@bootable/system'
import { inspectSystem, type SystemReport } from './system.ts'

/** What an image says about itself, as plain data. Sizes in bytes. */
export interface ImageReport {
  readonly kind: 'image'
  readonly digest: string
  readonly platform: string
  /** RFC 3339, as the image's configuration has it. */
  readonly created?: string
  /** Of all layers as they are stored. */
  readonly size: number
  readonly layers: readonly { readonly digest: string; readonly mediaType: string; readonly size: number }[]
  readonly labels: Readonly<Record<string, string>>
  /** What the labels say; whether there is a kernel shows in `system`. */
  readonly bootable: boolean
  /** Known when the layers were read. */
  readonly system?: SystemReport
}

/** Options of {@link inspectImage}. */
export interface InspectImageOptions extends OperationOptions, RuntimeOptions {
  /** Reads the layers as well, into this cache, to describe the system in them. @defaultValue not read */
  readonly cache?: LayerCache
}

/** Describes an image; its layers are read only if a cache is given. */
export async function inspectImage(image: Image, options: InspectImageOptions = {}): Promise<ImageReport> {
  const { manifest, config, layers, platform } = image
  const { created } = config.value
  const labels = config.value.config?.Labels ?? {}
  return {
    kind: 'image',
    digest: manifest.descriptor.digest,
    platform: formatPlatform(platform),
    ...(created !== undefined && { created }),
    size: layers.reduce((sum, { descriptor }) => sum + descriptor.size, 0),
    layers: layers.map(({ descriptor: { digest, mediaType, size } }) => ({ digest, mediaType, size })),
    labels,
    bootable: isLabelledBootable(labels),
    ...(options.cache && { system: await inspectSystem(await unpackImage(image, options)) }),
  }
}
