import type { ByteRange, ByteSource } from './source.ts'
import { type SparseExtent, sparseSource } from './sparse.ts'

/** Sources one behind the other as one; their holes stay holes. Closing it closes nothing. */
export function concatSources(sources: readonly ByteSource[]): ByteSource {
  const extents: SparseExtent[] = []
  let size = 0
  for (const source of sources) {
    extents.push({ offset: size, length: source.size, source, sourceOffset: 0 })
    size += source.size
  }
  return {
    ...sparseSource(size, extents),
    async *dataRanges() {
      for (const { offset: start, source } of extents) {
        const whole: ByteRange[] = source.size > 0 ? [{ offset: 0, length: source.size }] : []
        for await (const { offset, length } of source.dataRanges?.() ?? whole) {
          yield { offset: start + offset, length }
        }
      }
    },
  }
}
