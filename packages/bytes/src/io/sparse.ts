import { checkRead } from './bounds.ts'
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
      for (const extent of extents) {
        const from = Math.max(offset, extent.offset)
        const to = Math.min(end, extent.offset + extent.length)
        if (from >= to) continue
        const part = target.subarray(from - offset, to - offset)
        await extent.source.read(extent.sourceOffset + from - extent.offset, part)
      }
    },
    async *dataRanges() {
      for (const { offset, length } of extents) if (length > 0) yield { offset, length }
    },
  }
}
