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
    for (let index = start; index < end; index++) {
      a += data[index] as number
      b += a
    }
    a %= BASE
    b %= BASE
  }
  return ((b << 16) | a) >>> 0
}
