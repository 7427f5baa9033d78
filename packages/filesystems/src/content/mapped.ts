import type { ByteRange, ByteSource, GatherPiece } from '@bootable/bytes'
import { checkRead, gather } from '@bootable/bytes'

/** A run of a file's blocks and where it lies on the device. */
export interface MappedExtent {
  /** First block, counted from the start of the file. */
  readonly logical: number
  /** First block on the device. */
  readonly physical: number
  readonly length: number
}

/**
 * The content of a file whose bytes lie in extents of `source`; what lies in none is zero.
 * @param size bytes of the file
 * @param resolve its extents in ascending order, asked for at every read
 */
export function mappedSource(
  source: ByteSource,
  blockSize: number,
  size: number,
  resolve: () => Promise<readonly MappedExtent[]>,
): ByteSource {
  return {
    size,
    async read(offset, target) {
      checkRead(size, offset, target.length, 'file')
      const extents = await resolve()
      target.fill(0)
      const end = offset + target.length
      const pieces: GatherPiece[] = []
      for (let index = firstEndingAfter(extents, offset / blockSize); index < extents.length; index++) {
        const { logical, physical, length } = extents[index] as MappedExtent
        const from = Math.max(offset, logical * blockSize)
        const to = Math.min(end, (logical + length) * blockSize)
        if (logical * blockSize >= end) break
        const piece = target.subarray(from - offset, to - offset)
        pieces.push({ source, offset: physical * blockSize + from - logical * blockSize, target: piece })
      }
      await gather(pieces)
    },
    async *dataRanges(): AsyncGenerator<ByteRange> {
      for (const { logical, length } of await resolve()) {
        const offset = logical * blockSize
        const end = Math.min(offset + length * blockSize, size)
        if (offset < end) yield { offset, length: end - offset }
      }
    },
  }
}

/** Index of the first extent that ends behind a block of the file. */
function firstEndingAfter(extents: readonly MappedExtent[], block: number): number {
  let low = 0
  let high = extents.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const { logical, length } = extents[middle] as MappedExtent
    if (logical + length <= block) low = middle + 1
    else high = middle
  }
  return low
}
