import type { ByteSource } from '@bootable/bytes'
import { erofsFormatError } from './errors.ts'
import type { VolumeSuperblock } from './superblock.ts'

/** A volume that is being read. */
export interface Volume {
  readonly source: ByteSource
  readonly superblock: VolumeSuperblock
}

/** Refuses what lies outside of the volume. @param structure the name of what claims to be there */
export function checkRange({ source }: Volume, offset: number, length: number, structure: string): void {
  if (offset >= 0 && offset + length <= source.size) return
  const message = `${length} bytes at ${offset} are outside of ${source.size}`
  throw erofsFormatError('FORMAT_INVALID', structure, message, offset)
}

/**
 * Counts what is read before anyone asks for it: names, targets, attributes. Each stands in the volume once,
 * so together they are no larger than it; what claims to be has them overlap, to have them read over and
 * over.
 */
export interface ReadBudget {
  /** @throws FormatError */
  spend(length: number, structure: string): void
}

export function createReadBudget({ source }: Volume): ReadBudget {
  let left = source.size
  return {
    spend(length, structure) {
      left -= length
      if (left >= 0) return
      const message = `${length} bytes more of metadata than the ${source.size} bytes hold`
      throw erofsFormatError('FORMAT_INVALID', structure, message)
    },
  }
}
