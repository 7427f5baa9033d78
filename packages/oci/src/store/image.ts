import type { CompressionFormat } from '@bootable/bytes'
import type { Digest } from '../wire/digest.ts'
import type { Descriptor, ImageConfig, ImageManifest, Platform } from '../wire/types.ts'
import type { ImageStore, Manifest } from './store.ts'

/** One filesystem layer of an image. */
export interface LayerDescriptor {
  /** Of the blob, compressed as it is stored. */
  readonly descriptor: Descriptor
  /** Of the uncompressed tar. */
  readonly diffId: Digest
  readonly compression: CompressionFormat
}

/** The configuration of an image: its bytes and the document in them. */
export interface Config {
  readonly raw: Uint8Array
  readonly descriptor: Descriptor
  readonly value: ImageConfig
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
