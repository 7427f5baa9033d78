import { checkRead } from './bounds.ts'
import { type GatherPiece, gather } from './gather.ts'
import type { ByteRange, ByteSource } from './source.ts'

/** A stretch of data in a sparse file: `length` bytes at `offset` come from `source` at `sourceOffset`. */
export interface SparseExtent extends ByteRange {
  readonly source: ByteSource
  readonly sourceOffset: number
}

/**
 * A file of `size` bytes with holes: only the given extents hold data, the rest reads as zero.
 * Extents stand in ascending order and do not overlap.
 */
export function sparseSource(size: number, extents: readonly SparseExtent[]): ByteSource {
  return {
    size,
    async read(offset, target) {
      checkRead(size, offset, target.length, 'sparse file')
      target.fill(0)
      const end = offset + target.length
      const pieces: GatherPiece[] = []
      for (let index = firstAfter(extents, offset); index < extents.length; index++) {
        const extent = extents[index] as SparseExtent
        const from = Math.max(offset, extent.offset)
        const to = Math.min(end, extent.offset + extent.length)
        if (extent.offset >= end) break
        const part = target.subarray(from - offset, to - offset)
        pieces.push({
          source: extent.source,
          offset: extent.sourceOffset + from - extent.offset,
          target: part,
        })
      }
      await gather(pieces)
    },
    async *dataRanges() {
      for (const { offset, length } of extents) if (length > 0) yield { offset, length }
    },
  }
}

/** Index of the first extent that ends after `offset`: a file in pieces has very many. */
function firstAfter(extents: readonly SparseExtent[], offset: number): number {
  let low = 0
  let high = extents.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const { offset: start, length } = extents[middle] as SparseExtent
    if (start + length <= offset) low = middle + 1
    else high = middle
  }
  return low
}
