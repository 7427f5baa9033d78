import { BootableError } from '@bootable/bytes'
import type { ImageLayer } from '@bootable/oci'
import type { OstreeErrorCode } from '../errors.ts'

/** A layer of an image and its place in it, which stands in front of every message about it. */
export interface NumberedLayer extends ImageLayer {
  /** 0 for the base. */
  readonly index: number
}

/** An entry of a layer that cannot be taken. */
export function layerError(
  code: OstreeErrorCode,
  layer: NumberedLayer,
  path: string,
  message: string,
  more: { readonly details?: Readonly<Record<string, unknown>>; readonly hint?: string } = {},
): BootableError<OstreeErrorCode> {
  const { digest } = layer.descriptor.descriptor
  return new BootableError(code, `layer ${layer.index} (${digest}): ${JSON.stringify(path)}: ${message}`, {
    ...more,
    details: { layer: layer.index, digest, path, ...more.details },
  })
}
