/** `size` bytes none of which is zero. */
export function patternOf(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => (index % 251) + 1)
}
