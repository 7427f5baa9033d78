import {
  type ByteSource,
  FormatError,
  type FormatErrorCode,
  type SparseExtent,
  sliceSource,
  sparseSource,
} from '@bootable/bytes'
import { BLOCK, GnuSparseExtension, GnuSparseHeader, TarHeader, TYPE } from './format.ts'
import { memberSize } from './header.ts'

/** A regular file in an archive. */
export interface TarMember {
  readonly name: string
  /** The content where it lies; the holes of a sparse file are holes. */
  readonly content: ByteSource
}

/** Members looked at; an appliance has a handful. */
const MAX_MEMBERS = 1000
/** Stretches of a sparse file. */
const MAX_EXTENTS = 2 ** 20

/**
 * The regular files of an archive, in its order; contents are hopped over. Sparse files of GNU's old format
 * are understood, of extended headers only that they are to be hopped over as well.
 *
 * @throws FormatError
 */
export async function listTarFiles(source: ByteSource): Promise<TarMember[]> {
  const members: TarMember[] = []
  const block = new Uint8Array(BLOCK)
  let at = 0
  for (let count = 0; at + BLOCK <= source.size; count++) {
    await source.read(at, block)
    if (block.every((byte) => byte === 0)) return members
    if (count === MAX_MEMBERS) throw tarError('FORMAT_INVALID', 'archive', at, `over ${MAX_MEMBERS} members`)
    checkSum(block, at)
    const { name, typeflag, size: field } = TarHeader.read(block)
    const size = readNumber(field, 'size', at)
    const end = at + memberSize(size)
    if (at + BLOCK + size > source.size) {
      const text = `${size} bytes of content, and the file ends at ${source.size}`
      throw tarError('FORMAT_TRUNCATED', `member ${JSON.stringify(name)}`, at, text)
    }
    if (typeflag === TYPE.gnuSparse) {
      const sparse = await openSparse(source, block.slice(), at, size)
      members.push({ name, content: sparse.content })
      at = sparse.end
      continue
    }
    if (typeflag === TYPE.regular || typeflag === TYPE.regularV7 || typeflag === TYPE.contiguous) {
      members.push({ name, content: sliceSource(source, at + BLOCK, size) })
    }
    at = end
  }
  if (at > 0) return members // the end is often left out
  throw tarError('FORMAT_TRUNCATED', 'archive', at, `the file ends at ${source.size}`)
}

/** Blocks of the map stand between the header and the content, and do not count as either. */
async function openSparse(
  source: ByteSource,
  header: Uint8Array,
  at: number,
  stored: number,
): Promise<{ content: ByteSource; end: number }> {
  const { sp, isextended, realsize } = GnuSparseHeader.read(header)
  const entries = [...sp]
  let start = at + BLOCK
  const block = new Uint8Array(BLOCK)
  for (let more = isextended !== 0; more; start += BLOCK) {
    if (start + BLOCK > source.size || entries.length > MAX_EXTENTS) {
      throw tarError('FORMAT_INVALID', 'sparse map', start, 'it has no end')
    }
    await source.read(start, block)
    const extension = GnuSparseExtension.read(block)
    entries.push(...extension.sp)
    more = extension.isextended !== 0
  }
  const size = readNumber(realsize, 'realsize', at)
  const extents: SparseExtent[] = []
  let position = 0
  let last = 0
  for (const entry of entries) {
    if (entry[0] === 0) break
    const offset = readNumber(entry.subarray(0, 12), 'sparse map', at)
    const length = readNumber(entry.subarray(12), 'sparse map', at)
    if (offset < last || offset + length > size || position + length > stored) {
      throw tarError('FORMAT_INVALID', 'sparse map', at, `${length} bytes at ${offset} of ${size}`)
    }
    if (length > 0) extents.push({ offset, length, source, sourceOffset: start + position })
    position += length
    last = offset + length
  }
  if (position !== stored || start + stored > source.size) {
    throw tarError('FORMAT_INVALID', 'sparse map', at, `it accounts for ${position} of ${stored} bytes`)
  }
  return { content: sparseSource(size, extents), end: start + memberSize(stored) - BLOCK }
}

function checkSum(block: Uint8Array, at: number): void {
  const stored = Number.parseInt(TarHeader.read(block).chksum.trim(), 8)
  let sum = 0
  // The field itself counts as eight blanks.
  for (const [index, byte] of block.entries()) sum += index >= 148 && index < 156 ? 0x20 : byte
  if (stored === sum) return
  throw tarError('FORMAT_CHECKSUM', 'chksum', at, 'not the header of a member')
}

/** Octal digits, or base 256 where the first bit is set (GNU, star). */
function readNumber(field: Uint8Array, structure: string, at: number): number {
  let value: number
  if (((field[0] as number) & 0x80) !== 0) {
    value = (field[0] as number) & 0x7f
    for (const byte of field.subarray(1)) value = value * 256 + byte
  } else {
    const text = String.fromCharCode(...field)
      .replace(/[\0 ]+$/, '')
      .trimStart()
    value = /^[0-7]*$/.test(text) ? Number.parseInt(text || '0', 8) : Number.NaN
  }
  if (Number.isSafeInteger(value)) return value
  throw tarError('FORMAT_INVALID', structure, at, 'not a number')
}

function tarError(code: FormatErrorCode, structure: string, offset: number, message: string): FormatError {
  return new FormatError(code, { format: 'tar', structure, offset }, message)
}
