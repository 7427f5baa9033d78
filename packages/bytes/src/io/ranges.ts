import type { ByteRange } from './source.ts'

/** A set of byte positions, kept as ascending ranges that neither overlap nor touch. */
export interface RangeSet {
  add(offset: number, length: number): void
  /** Whether any of these positions is in the set. */
  overlaps(offset: number, length: number): boolean
  ranges(): ByteRange[]
}

export function createRangeSet(): RangeSet {
  // Writers mostly append, so the last range is looked at before the binary search.
  const starts: number[] = []
  const ends: number[] = []

  /** Index of the first range that ends at or after `position`. */
  function find(position: number): number {
    let low = 0
    let high = ends.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((ends[middle] as number) < position) low = middle + 1
      else high = middle
    }
    return low
  }

  return {
    add(offset, length) {
      if (length === 0) return
      let start = offset
      let end = offset + length
      const last = ends.length - 1
      const first = last < 0 || (ends[last] as number) < start ? ends.length : find(start)
      let after = first
      while (after < starts.length && (starts[after] as number) <= end) {
        start = Math.min(start, starts[after] as number)
        end = Math.max(end, ends[after] as number)
        after++
      }
      if (after === first + 1) {
        starts[first] = start
        ends[first] = end
        return
      }
      starts.splice(first, after - first, start)
      ends.splice(first, after - first, end)
    },
    overlaps(offset, length) {
      const index = find(offset + 1)
      return length > 0 && index < starts.length && (starts[index] as number) < offset + length
    },
    ranges() {
      return starts.map((offset, index) => ({ offset, length: (ends[index] as number) - offset }))
    },
  }
}
