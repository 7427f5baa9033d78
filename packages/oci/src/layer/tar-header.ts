import { FormatError } from '@bootable/bytes'
import {
  BLOCK_SIZE,
  GNU_MAGIC,
  HEADER,
  type HeaderField,
  POSIX_MAGIC,
  STAR_PREFIX,
  STAR_TRAILER,
} from './tar-format.ts'

/** Which header a block carries; it decides what stands behind the fields of Version 7. */
export type TarDialect = 'v7' | 'posix' | 'gnu' | 'star'

/** The bytes of a text field, up to its first NUL. */
export function textField(block: Uint8Array, { offset, size }: HeaderField): Uint8Array {
  const end = block.indexOf(0, offset)
  return block.subarray(offset, end < 0 || end > offset + size ? offset + size : end)
}

/** Whether these ASCII characters stand at an offset. */
function startsWith(block: Uint8Array, offset: number, text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    if (block[offset + index] !== text.charCodeAt(index)) return false
  }
  return true
}

/** The one character of `typeflag`. */
export function typeFlag(block: Uint8Array): string {
  return String.fromCharCode(block[HEADER.typeFlag.offset] as number)
}

/** Recognises the dialect by its magic. */
export function tarDialect(block: Uint8Array): TarDialect {
  const { offset } = HEADER.magic
  if (startsWith(block, offset, GNU_MAGIC)) return 'gnu'
  // Some writers leave the version out or write another one: what follows the magic is POSIX all the same.
  if (!startsWith(block, offset, POSIX_MAGIC.slice(0, 6))) return 'v7'
  return startsWith(block, STAR_TRAILER.offset, STAR_TRAILER.text) ? 'star' : 'posix'
}

/** The path in the header: `prefix`, a slash and `name`, where the dialect has a prefix. */
export function headerPath(block: Uint8Array): Uint8Array {
  const name = textField(block, HEADER.name)
  const dialect = tarDialect(block)
  if (dialect === 'v7' || dialect === 'gnu') return name
  const prefix = textField(block, dialect === 'star' ? STAR_PREFIX : HEADER.prefix)
  if (prefix.length === 0) return name
  const path = new Uint8Array(prefix.length + 1 + name.length)
  path.set(prefix)
  path[prefix.length] = 0x2f
  path.set(name, prefix.length + 1)
  return path
}

/**
 * A number in octal digits, or in base 256 where the first bit is set (GNU, star).
 *
 * @param at offset of the block, for the error
 * @throws FormatError on anything else, and beyond ±2^53
 */
export function numberField(block: Uint8Array, field: HeaderField, at: number): number {
  const { offset, size } = field
  const end = offset + size
  if ((block[offset] as number) & 0x80) return base256(block, field, at)

  let position = offset
  while (position < end && (block[position] === 0x20 || block[position] === 0)) position++
  let value = 0
  for (; position < end; position++) {
    const byte = block[position] as number
    if (byte === 0x20 || byte === 0) break
    if (byte < 0x30 || byte > 0x37) throw badNumber(block, field, at)
    value = value * 8 + byte - 0x30
  }
  for (; position < end; position++) {
    if (block[position] === 0) break // whatever stands behind the NUL is left over from somewhere
    if (block[position] !== 0x20) throw badNumber(block, field, at)
  }
  return value
}

/** Two's complement over the whole field but its first bit. */
function base256(block: Uint8Array, field: HeaderField, at: number): number {
  const first = block[field.offset] as number
  const negative = (first & 0x40) !== 0
  let value = negative ? (first & 0x7f) - 0x80 : first & 0x7f
  for (let index = 1; index < field.size; index++) {
    value = value * 256 + (block[field.offset + index] as number)
    if (!Number.isSafeInteger(value)) throw badNumber(block, field, at)
  }
  return value
}

function badNumber(block: Uint8Array, { name, offset, size }: HeaderField, at: number): FormatError {
  const actual = String.fromCharCode(...block.subarray(offset, offset + size))
  return new FormatError(
    'FORMAT_INVALID',
    { format: 'tar', structure: `header, ${name}`, offset: at + offset, actual },
    `not a number: ${JSON.stringify(actual)}`,
  )
}

/**
 * Whether the sum in `chksum` is right. Bytes are summed as unsigned (POSIX) or signed (old Sun and
 * Version 7 tars), the field itself as blanks.
 */
export function checksumMatches(block: Uint8Array, at: number): boolean {
  let expected: number
  try {
    expected = numberField(block, HEADER.checksum, at)
  } catch {
    return false
  }
  const { unsigned, signed } = checksums(block)
  return expected === unsigned || expected === signed
}

/** Both sums of a header block. */
export function checksums(block: Uint8Array): { unsigned: number; signed: number } {
  const { offset, size } = HEADER.checksum
  let unsigned = 0
  let high = 0
  for (let index = 0; index < BLOCK_SIZE; index++) {
    const byte = block[index] as number
    unsigned += byte
    high += byte >> 7
  }
  for (let index = offset; index < offset + size; index++) {
    const byte = block[index] as number
    unsigned += 0x20 - byte
    high -= byte >> 7
  }
  return { unsigned, signed: unsigned - 256 * high }
}
