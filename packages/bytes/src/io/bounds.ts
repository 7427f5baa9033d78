import { FormatError } from '../errors.ts'

/** Refuses a read past the end; every source calls it first. */
export function checkRead(size: number, offset: number, length: number, what = 'source'): void {
  if (offset >= 0 && offset + length <= size) return
  throw new FormatError(
    'FORMAT_TRUNCATED',
    { format: what, structure: 'bytes', offset, expected: offset + length, actual: size },
    `${length} bytes are needed, but the data ends at ${size}`,
  )
}
