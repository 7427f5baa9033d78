/** Largest container with framing offsets of 1, 2, 4 and 8 bytes. */
const LIMITS: readonly [width: number, limit: number][] = [
  [1, 0xff],
  [2, 0xffff],
  [4, 0xffff_ffff],
  [8, Number.MAX_SAFE_INTEGER],
]

/**
 * Bytes of each framing offset of a container that is written: the fewest with which all of it, offsets
 * included, can be counted.
 *
 * @param body bytes without the offsets
 * @param count how many offsets there are; without any there is no width
 */
export function framingWidth(body: number, count: number): number {
  if (count === 0) return 0
  return LIMITS.find(([width, limit]) => body + count * width <= limit)?.[0] ?? 8
}

/** Bytes of each framing offset in a container of `size` bytes that is read. */
export function storedWidth(size: number): number {
  return LIMITS.find(([, limit]) => size <= limit)?.[0] ?? 8
}

/** A framing offset. One above 2^53 comes out inexact, far behind the end of anything. */
export function readFraming(bytes: Uint8Array, position: number, width: number): number {
  let value = 0
  for (let index = width - 1; index >= 0; index--) value = value * 256 + (bytes[position + index] ?? 0)
  return value
}

export function writeFraming(bytes: Uint8Array, position: number, width: number, value: number): void {
  let rest = value
  for (let index = 0; index < width; index++) {
    bytes[position + index] = rest % 256
    rest = Math.floor(rest / 256)
  }
}
