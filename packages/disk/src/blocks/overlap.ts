/**
 * The first two pieces of a file that share bytes: each starts at one of `positions` and has `length` bytes or
 * sectors, whichever is counted. Positions of 0 stand for nothing. A table of many entries for one piece
 * would let a small file pose as a disk full of data.
 */
export function findOverlap(
  positions: Uint32Array | Float64Array,
  length: number,
): readonly [number, number] | undefined {
  const sorted = positions.slice().sort()
  for (let index = 1; index < sorted.length; index++) {
    const [before, after] = [sorted[index - 1] as number, sorted[index] as number]
    if (before !== 0 && after - before < length) return [before, after]
  }
  return undefined
}
