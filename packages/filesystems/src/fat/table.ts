import type { FatType } from './format.ts'
import { END_MARK, FIRST_CLUSTER, MEDIA_FIXED } from './format.ts'

const CHUNK = 1_048_576

/**
 * The used part of a file allocation table, in pieces of at most 1 MiB that follow each other.
 *
 * @param chains lengths of chains of neighbouring clusters, the first starting at cluster 2
 */
export function* encodeTable(
  type: FatType,
  chains: readonly number[],
): Generator<Uint8Array, void, undefined> {
  if (type === 12) {
    yield encodeTable12(chains)
    return
  }
  const width = type / 8
  let chunk = new Uint8Array(CHUNK)
  let view = new DataView(chunk.buffer)
  let at = 0
  for (const value of entries(type, chains)) {
    if (at === CHUNK) {
      yield chunk
      chunk = new Uint8Array(CHUNK)
      view = new DataView(chunk.buffer)
      at = 0
    }
    if (width === 2) view.setUint16(at, value, true)
    else view.setUint32(at, value, true)
    at += width
  }
  yield chunk.subarray(0, at)
}

/** Two entries of twelve bits share three bytes. The largest such table has 6 KiB. */
function encodeTable12(chains: readonly number[]): Uint8Array {
  const values = [...entries(12, chains)]
  const table = new Uint8Array(Math.ceil((values.length * 3) / 2))
  for (const [cluster, value] of values.entries()) {
    const at = Math.floor((cluster * 3) / 2)
    const shifted = cluster % 2 === 0 ? value : value << 4
    table[at] = (table[at] ?? 0) | (shifted & 0xff)
    table[at + 1] = (table[at + 1] ?? 0) | (shifted >> 8)
  }
  return table
}

function* entries(type: FatType, chains: readonly number[]): Generator<number, void, undefined> {
  const end = END_MARK[type]
  // Entry 0 repeats the media byte; entry 1 has the "clean" and "no error" bits set.
  yield (end & ~0xff) | MEDIA_FIXED
  yield end
  let cluster = FIRST_CLUSTER
  for (const length of chains) {
    for (let left = length; left > 1; left--) yield ++cluster
    yield end
    cluster++
  }
}
