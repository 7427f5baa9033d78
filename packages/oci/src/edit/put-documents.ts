import {
  memorySource,
  type OperationOptions,
  portableRuntime,
  type RuntimeOptions,
  utf8,
} from '@bootable/bytes'
import { blobOf } from '../store/blob.ts'
import type { ImageStore } from '../store/store.ts'
import { digestBytes } from '../wire/digest.ts'
import { parseConfig, parseManifest } from '../wire/documents.ts'
import { MEDIA_TYPE } from '../wire/media-types.ts'
import type { Descriptor, ImageConfig, ImageManifest } from '../wire/types.ts'
import { convertManifest, type MediaTypeFamily } from './convert-media-types.ts'

/** Options of {@link putDocuments}. */
export interface PutDocumentsOptions extends OperationOptions, RuntimeOptions {
  /** The name of the image in the store; without one it is known by its digest. */
  readonly reference?: string
}

/**
 * Serialises configuration and manifest and puts them into a store that has the layers.
 *
 * What comes from callers is checked as if it had come from elsewhere.
 * @param manifest with OCI's media types; its `config` is replaced
 * @throws FormatError
 */
export async function putDocuments(
  store: ImageStore,
  config: ImageConfig,
  manifest: ImageManifest,
  family: MediaTypeFamily,
  options: PutDocumentsOptions,
): Promise<Descriptor> {
  const { runtime = portableRuntime, reference, ...operation } = options
  const configBytes = utf8(JSON.stringify(config))
  parseConfig(configBytes)
  const descriptor = {
    mediaType: MEDIA_TYPE.config,
    digest: digestBytes(configBytes, { runtime }),
    size: configBytes.length,
  }
  const { schemaVersion, mediaType: _, config: __, ...rest } = manifest
  const whole = { schemaVersion, mediaType: MEDIA_TYPE.manifest, config: descriptor, ...rest }
  const converted = convertManifest(whole, family)
  const raw = utf8(JSON.stringify(converted))
  parseManifest(raw)
  await store.putBlob(blobOf(memorySource(configBytes)), { ...operation, descriptor: converted.config })
  return store.putManifest(raw, {
    ...operation,
    mediaType: converted.mediaType as string,
    ...(reference !== undefined && { reference }),
  })
}
