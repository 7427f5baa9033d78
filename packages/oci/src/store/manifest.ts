import type { RuntimeOptions } from '@bootable/bytes'
import { BootableError, collect, FormatError, formatSize, MiB } from '@bootable/bytes'
import { parseJson } from '../wire/check.ts'
import { type Digest, digestBytes } from '../wire/digest.ts'
import { parseIndex, parseManifest } from '../wire/documents.ts'
import type { OciErrorCode } from '../wire/errors.ts'
import { isIndexMediaType, isManifestMediaType, MEDIA_TYPE } from '../wire/media-types.ts'
import type { Descriptor, ImageIndex, ImageManifest } from '../wire/types.ts'
import { verifyBytes } from './blob.ts'
import type { Manifest } from './store.ts'

/** Bytes of a manifest or configuration whose size nobody promised: what registries accept at most. */
export const MAX_DOCUMENT = 4 * MiB
/** Bytes of one whose descriptor promises more. */
const MAX_PROMISED = 32 * MiB

/** Options of {@link createManifest}. */
export interface CreateManifestOptions extends RuntimeOptions {
  /** What whoever handed the bytes over calls them: the `Content-Type`, without parameters. */
  readonly mediaType?: string
  /** What the bytes must be. */
  readonly descriptor?: Descriptor
  /** What they must hash to, where that is all that is known. */
  readonly digest?: Digest
}

/**
 * Bytes that somebody calls a manifest, verified and parsed: what every store returns them through.
 *
 * The media type of the descriptor, the one that came with the bytes, the one inside the document and the
 * shape of the document must all say the same (CVE-2021-41190).
 * @throws BootableError `DIGEST_MISMATCH`, `SIZE_MISMATCH`, `MEDIA_TYPE_UNSUPPORTED`; FormatError
 */
export function createManifest(raw: Uint8Array, options: CreateManifestOptions = {}): Manifest {
  const { descriptor, digest } = options
  if (descriptor) verifyBytes(raw, descriptor, options)
  if (digest) verifyBytes(raw, { digest, size: raw.length }, options)
  const mediaType = options.mediaType ?? descriptor?.mediaType ?? inferMediaType(raw)
  const value = parseAs(raw, mediaType)
  for (const other of [descriptor?.mediaType, value.mediaType]) {
    if (other !== undefined && other !== mediaType) {
      throw new FormatError(
        'FORMAT_INVALID',
        { format: 'manifest', structure: 'mediaType', expected: mediaType, actual: other },
        `it is ${other} in one place and ${mediaType} in another`,
      )
    }
  }
  const own = { mediaType, digest: digest ?? digestBytes(raw, options), size: raw.length }
  return { raw, mediaType, descriptor: descriptor ?? own, value }
}

function parseAs(raw: Uint8Array, mediaType: string): ImageIndex | ImageManifest {
  if (isIndexMediaType(mediaType)) return parseIndex(raw)
  if (isManifestMediaType(mediaType)) return parseManifest(raw)
  throw new BootableError<OciErrorCode>('MEDIA_TYPE_UNSUPPORTED', `${mediaType} is not an image manifest`, {
    details: { mediaType },
    ...(mediaType.includes('manifest.v1+') && {
      hint: 'this is the schema 1 of old Docker registries: push the image again with a newer tool',
    }),
  })
}

function inferMediaType(raw: Uint8Array): string {
  const value = parseJson(raw, 'manifest') as Record<string, unknown> | null
  if (typeof value?.mediaType === 'string') return value.mediaType
  const isIndex = typeof value === 'object' && value !== null && Object.hasOwn(value, 'manifests')
  return isIndex ? MEDIA_TYPE.index : MEDIA_TYPE.manifest
}

/** Whether a manifest is an index: its value then is an {@link ImageIndex}. */
export function isIndex(manifest: Manifest): manifest is Manifest<ImageIndex> {
  return isIndexMediaType(manifest.mediaType)
}

/**
 * All bytes of a small document, refused when there are more than its descriptor promises, or more than
 * {@link MAX_DOCUMENT} without one.
 * @throws BootableError `LIMIT_EXCEEDED`
 */
export async function readDocument(
  chunks: AsyncIterable<Uint8Array>,
  descriptor?: Descriptor,
): Promise<Uint8Array> {
  if (descriptor) checkDocumentSize(descriptor)
  return collect(chunks, descriptor?.size ?? MAX_DOCUMENT)
}

/** Refuses a manifest or configuration whose promised size is absurd. @throws BootableError `LIMIT_EXCEEDED` */
export function checkDocumentSize({ digest, size }: Descriptor): void {
  if (size <= MAX_PROMISED) return
  throw new BootableError<OciErrorCode>(
    'LIMIT_EXCEEDED',
    `${digest} should be a small document but has ${formatSize(size)}; ${formatSize(MAX_PROMISED)} are allowed`,
    { details: { digest, size, limit: MAX_PROMISED } },
  )
}
