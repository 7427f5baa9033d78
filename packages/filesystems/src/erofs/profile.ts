/**
 * What libcomposefs and an ordinary filesystem do differently with one layout. Everything else is the same
 * in both: order, numbers and sizes of inodes, packing of directories, the table of shared attributes.
 */
export interface ErofsProfile {
  /**
   * The time of the superblock, in seconds since 1970. Inodes of that very time may be compact, because
   * compact inodes have none of their own.
   */
  readonly buildTime: number
  /** Whether files keep their content elsewhere: their chunks are holes, only the size is told. */
  readonly externalFiles: boolean
  /** Whether names of attributes that no index covers are kept whole, where Linux does not show them. */
  readonly wholeXattrNames: boolean
}

/** Whatever libcomposefs 1.0 chose where EROFS leaves a choice. */
export const COMPOSEFS: ErofsProfile = { buildTime: 0, externalFiles: true, wholeXattrNames: true }

/** A filesystem that holds its files. */
export function ordinaryProfile(buildTime: number): ErofsProfile {
  return { buildTime, externalFiles: false, wholeXattrNames: false }
}
