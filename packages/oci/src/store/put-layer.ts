import type { OperationOptions, RuntimeOptions } from '@bootable/bytes'
import { portableRuntime } from '@bootable/bytes'
import { type Digest, digestOf } from '../wire/digest.ts'
import { MEDIA_TYPE } from '../wire/media-types.ts'
import type { Descriptor } from '../wire/types.ts'
import type { ImageStore } from './store.ts'

/** How new layers are stored. gzip streams carry no time and no name: equal tars give equal blobs. */
export type LayerCompression = 'none' | 'gzip'

/** Options of {@link putLayer}. */
export interface PutLayerOptions extends OperationOptions, RuntimeOptions {
  /** @defaultValue `gzip` */
  readonly compression?: LayerCompression
}

/**
 * Puts an uncompressed tar into a store as a layer, hashed and compressed on its way.
 * @param open is called again where an upload has to start over
 */
export async function putLayer(
  store: ImageStore,
  open: () => AsyncIterable<Uint8Array>,
  options: PutLayerOptions = {},
): Promise<{ readonly descriptor: Descriptor; readonly diffId: Digest }> {
  const { runtime = portableRuntime, compression = 'gzip', ...operation } = options
  let diffId = '' as Digest
  const tar = async function* (): AsyncGenerator<Uint8Array> {
    const hash = runtime.createHash('sha256')
    for await (const chunk of open()) {
      hash.update(chunk)
      yield chunk
    }
    diffId = digestOf('sha256', hash.digest())
  }
  const source = { open: async () => (compression === 'gzip' ? runtime.gzip(tar()) : tar()) }
  const stored = await store.putBlob(source, operation)
  const mediaType = compression === 'gzip' ? MEDIA_TYPE.layerGzip : MEDIA_TYPE.layer
  return { descriptor: { ...stored, mediaType }, diffId }
}
