import type { OperationOptions } from '@bootable/bytes'
import { BootableError } from '@bootable/bytes'
import { parseConfig } from '../wire/documents.ts'
import type { OciErrorCode } from '../wire/errors.ts'
import { isConfigMediaType } from '../wire/media-types.ts'
import type { Descriptor, ImageConfig, ImageManifest } from '../wire/types.ts'
import { readDocument } from './manifest.ts'
import type { ImageStore } from './store.ts'

/** The configuration of an image: its bytes and the document in them. */
export interface Config {
  readonly raw: Uint8Array
  readonly descriptor: Descriptor
  readonly value: ImageConfig
}

/**
 * Fetches and checks the configuration of a manifest.
 * @throws BootableError `MEDIA_TYPE_UNSUPPORTED` when the manifest is of an artifact that is no image
 */
export async function getConfig(
  store: ImageStore,
  manifest: ImageManifest,
  options: OperationOptions = {},
): Promise<Config> {
  const { config: descriptor } = manifest
  if (!isConfigMediaType(descriptor.mediaType)) {
    throw new BootableError<OciErrorCode>(
      'MEDIA_TYPE_UNSUPPORTED',
      `the configuration is ${descriptor.mediaType}: this is an artifact, not a container image`,
      { details: { mediaType: descriptor.mediaType } },
    )
  }
  const raw = await readDocument(await store.openBlob(descriptor, options), descriptor)
  return { raw, descriptor, value: parseConfig(raw) }
}
