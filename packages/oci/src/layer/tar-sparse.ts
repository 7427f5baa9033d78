import { FormatError } from '@bootable/bytes'
import { checkLimit, type LayerLimits } from './limits.ts'
import { BLOCK_SIZE, GNU_SPARSE, type SparseRange } from './tar-format.ts'
import { numberField } from './tar-header.ts'
import { type PaxRecords, paxNumber } from './tar-pax.ts'

/** A sparse map as the archive gives it: where in the file the stored stretches belong, one after another. */
export interface SparseMap {
  readonly realSize: number
  /** Pairs of offset and length, in a row. */
  readonly pairs: readonly number[]
}

function invalid(offset: number, message: string, actual?: unknown): FormatError {
  return new FormatError(
    'FORMAT_INVALID',
    { format: 'tar', structure: 'sparse map', offset, actual },
    message,
  )
}

/**
 * Gives every stretch its place in the archive.
 *
 * @param position first stored byte
 * @param stored bytes stored
 * @throws FormatError when stretches overlap, run backwards, pass the file's end or what is stored
 */
export function placeSparse(map: SparseMap, position: number, stored: number): SparseRange[] {
  const ranges: SparseRange[] = []
  let end = 0
  let used = 0
  for (let index = 0; index < map.pairs.length; index += 2) {
    const [offset, length] = [map.pairs[index] as number, map.pairs[index + 1] as number]
    // Writers mark the size of the file with an empty stretch at its end; some repeat it.
    if (length === 0) continue
    if (offset < end || offset + length > map.realSize) {
      throw invalid(position, `${length} bytes at ${offset} do not fit a file of ${map.realSize}`, offset)
    }
    if (used + length > stored) {
      throw invalid(position, `it wants ${used + length} bytes, but ${stored} are stored`)
    }
    ranges.push({ offset, length, position: position + used })
    end = offset + length
    used += length
  }
  return ranges
}

/** Pairs in a header block, or in a block that extends it; they end with the first empty field. */
function blockPairs(block: Uint8Array, first: number, entries: number, at: number): number[] {
  const pairs: number[] = []
  for (let index = 0; index < entries; index++) {
    const offset = first + index * 24
    if (block[offset] === 0 || block[offset + 12] === 0) break
    pairs.push(numberField(block, { name: 'sparse offset', offset, size: 12 }, at))
    pairs.push(numberField(block, { name: 'sparse numbytes', offset: offset + 12, size: 12 }, at))
  }
  return pairs
}

/** The part of an old GNU sparse map (`typeflag` S) that stands in the header itself. */
export function gnuSparseHeader(
  block: Uint8Array,
  at: number,
): { realSize: number; pairs: number[]; extended: boolean } {
  return {
    realSize: numberField(block, GNU_SPARSE.realSize, at),
    pairs: blockPairs(block, GNU_SPARSE.mapOffset, GNU_SPARSE.mapEntries, at),
    extended: block[GNU_SPARSE.isExtended] !== 0,
  }
}

/** The part that stands in a block after the header. */
export function gnuSparseExtension(block: Uint8Array, at: number): { pairs: number[]; extended: boolean } {
  return {
    pairs: blockPairs(block, 0, GNU_SPARSE.extensionEntries, at),
    extended: block[GNU_SPARSE.extensionIsExtended] !== 0,
  }
}

/** How a PAX header says that a file is sparse (tar manual, "Storing Sparse Files"). */
export type PaxSparse =
  /** Formats 0.0 and 0.1: the map is in the header. */
  | { readonly where: 'header'; readonly map: SparseMap }
  /** Format 1.0: the map stands before the data. */
  | { readonly where: 'data'; readonly realSize: number }

/**
 * The sparse file that PAX records describe; `undefined` where they describe none.
 * @throws FormatError
 */
export function paxSparse(records: PaxRecords, at: number): PaxSparse | undefined {
  const numbers = new Map<string, number>()
  let pairs: number[] = []
  let isSparse = false
  for (const [key, value] of records) {
    if (!key.startsWith('GNU.sparse.')) continue
    isSparse = true
    const field = key.slice('GNU.sparse.'.length)
    if (field === 'name') continue
    if (field === 'map') pairs = mapPairs(value, at)
    else if (field === 'offset' || field === 'numbytes') {
      if ((pairs.length % 2 === 0) !== (field === 'offset')) throw invalid(at, `${key} out of turn`)
      pairs.push(paxNumber(key, value, at))
    } else numbers.set(field, paxNumber(key, value, at))
  }
  if (!isSparse) return undefined

  const [major, minor] = [numbers.get('major') ?? 0, numbers.get('minor') ?? 0]
  const realSize = numbers.get('realsize') ?? numbers.get('size')
  if (realSize === undefined) throw invalid(at, 'the size of the file is not given')
  if (major === 1 && minor === 0) return { where: 'data', realSize }
  if (major !== 0 || minor > 1) {
    throw new FormatError(
      'FORMAT_UNSUPPORTED',
      { format: 'tar', structure: 'sparse map', offset: at, actual: `${major}.${minor}` },
      `GNU sparse format ${major}.${minor} is unknown`,
    )
  }
  const count = numbers.get('numblocks')
  if (pairs.length % 2 !== 0 || (count !== undefined && count !== pairs.length / 2)) {
    throw invalid(at, `${pairs.length} numbers for ${count ?? 'a map of'} stretches`)
  }
  return { where: 'header', map: { realSize, pairs } }
}

function mapPairs(value: Uint8Array, at: number): number[] {
  const text = new TextDecoder('latin1').decode(value)
  if (text === '') return []
  if (!/^\d+(?:,\d+)*$/.test(text)) throw invalid(at, 'GNU.sparse.map is not a list of numbers')
  const pairs = text.split(',').map(Number)
  if (!pairs.every(Number.isSafeInteger)) throw invalid(at, 'GNU.sparse.map holds a number beyond 2^53')
  return pairs
}

/** Reads the map of format 1.0: decimal numbers, a line each, the count first, padded to whole blocks. */
export interface SparseMapReader {
  /** Takes one block; answers with the pairs when the map is complete. @throws FormatError */
  push(block: Uint8Array, at: number): number[] | undefined
}

export function createSparseMapReader(limits: Required<LayerLimits>): SparseMapReader {
  const pairs: number[] = []
  let wanted: number | undefined
  let number = -1
  return {
    push(block, at) {
      for (let index = 0; index < BLOCK_SIZE; index++) {
        const byte = block[index] as number
        if (byte >= 0x30 && byte <= 0x39) {
          number = Math.max(number, 0) * 10 + byte - 0x30
          if (Number.isSafeInteger(number)) continue
        }
        if (byte !== 0x0a || number < 0) throw invalid(at + index, 'not a number and a newline')
        if (wanted === undefined) {
          wanted = number * 2
          checkLimit('the map of a sparse file', wanted * 8, 'metadata', limits.metadata)
        } else pairs.push(number)
        number = -1
        if (pairs.length === wanted) return pairs
      }
      return undefined
    },
  }
}
