import { BootableError, formatSize, GiB, KiB, MiB } from '@bootable/bytes'

/** What a layer may at most ask of its reader. Everything in it is written by whoever made the image. */
export interface LayerLimits {
  /** Layers of an image. @defaultValue 500 */
  readonly layers?: number
  /** Bytes that all layers of an image may have once decompressed. @defaultValue 64 GiB */
  readonly uncompressedSize?: number
  /** Uncompressed for each compressed byte, after the first 16 MiB. @defaultValue 1200 */
  readonly ratio?: number
  /** Members of one layer, and of all layers of an image together. @defaultValue 5 000 000 */
  readonly entries?: number
  /** Bytes of a path or a link target: `PATH_MAX` of Linux. @defaultValue 4096 */
  readonly pathLength?: number
  /** Names in a path, also after its links were followed. @defaultValue 512 */
  readonly depth?: number
  /** Bytes of one PAX extended header or GNU long name. @defaultValue 1 MiB */
  readonly extendedHeader?: number
  /** Bytes of one extended attribute: `XATTR_SIZE_MAX` of Linux. @defaultValue 64 KiB */
  readonly xattrSize?: number
  /** Bytes of all names, link targets, xattrs and sparse maps of one layer. @defaultValue 512 MiB */
  readonly metadata?: number
}

export const DEFAULT_LAYER_LIMITS: Required<LayerLimits> = {
  layers: 500,
  uncompressedSize: 64 * GiB,
  ratio: 1200,
  entries: 5_000_000,
  pathLength: 4096,
  depth: 512,
  extendedHeader: MiB,
  xattrSize: 64 * KiB,
  metadata: 512 * MiB,
}

/** The cases of a layer that is well-formed, verified, and still cannot be taken. */
export type LayerErrorCode =
  /** Its entries contradict each other or the layers below: a hard link to nothing, a bare `.wh.`. */
  | 'LAYER_INVALID'
  /** The uncompressed bytes are not those that the configuration promises. */
  | 'DIGEST_MISMATCH'
  /** A limit of {@link LayerLimits} is passed. */
  | 'LIMIT_EXCEEDED'
  /** Something that no layer can hold, such as a socket. */
  | 'LAYER_UNREPRESENTABLE'

/** Refuses what passes a limit. `what` reads as the subject of a sentence: `"a/b": the path`. */
export function checkLimit(what: string, actual: number, limit: keyof LayerLimits, most: number): void {
  if (actual <= most) return
  const isSize = limit !== 'layers' && limit !== 'entries' && limit !== 'depth' && limit !== 'ratio'
  const [found, allowed] = isSize ? [formatSize(actual), formatSize(most)] : [actual, most]
  throw new BootableError<LayerErrorCode>('LIMIT_EXCEEDED', `${what}: ${found}, but ${allowed} is the most`, {
    details: { limit, actual, most },
    hint: `where this is wanted, allow more with the limit ${JSON.stringify(limit)}`,
  })
}
