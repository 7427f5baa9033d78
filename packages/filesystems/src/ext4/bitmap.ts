/** Sets the bits from `from` to before `to`; bit 0 is the lowest of byte 0. */
export function setBits(bitmap: Uint8Array, from: number, to: number): void {
  if (from >= to) return
  const first = from >>> 3
  const last = to >>> 3
  const head = 0xff << (from & 7)
  const tail = (1 << (to & 7)) - 1
  if (first === last) {
    bitmap[first] = (bitmap[first] as number) | (head & tail)
    return
  }
  bitmap[first] = (bitmap[first] as number) | head
  bitmap.fill(0xff, first + 1, last)
  if (tail !== 0) bitmap[last] = (bitmap[last] as number) | tail
}
