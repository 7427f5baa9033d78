import { gather } from './gather.ts'
import type { ByteRange, ByteSource } from './source.ts'
import { ZERO_CHUNK } from './zeros.ts'

const CHUNK = ZERO_CHUNK.length

/**
 * The bytes of a source in order, in chunks of 1 MiB, the last one shorter. Holes are not read: a chunk that
 * is nothing but hole is {@link ZERO_CHUNK} itself, or its beginning.
 */
export async function* streamSparse(
  source: ByteSource,
  options: { readonly signal?: AbortSignal } = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const ranges = (source.dataRanges?.() ?? [{ offset: 0, length: source.size }]) as AsyncIterable<ByteRange>
  const chunks = chunksOfRanges(ranges, source.size)
  const read = async (): Promise<Uint8Array | undefined> => {
    const { done, value } = await chunks.next()
    if (done) return undefined
    options.signal?.throwIfAborted()
    const { offset, length, parts } = value
    if (parts.length === 0) return length === CHUNK ? ZERO_CHUNK : ZERO_CHUNK.subarray(0, length)
    const chunk = new Uint8Array(length)
    await gather(
      parts.map(({ start, end }) => ({
        source,
        offset: start,
        target: chunk.subarray(start - offset, end - offset),
      })),
    )
    return chunk
  }
  let pending = read()
  try {
    for (let chunk = await pending; chunk; chunk = await pending) {
      pending = read()
      yield chunk
    }
  } finally {
    // The read ahead must not become an unhandled rejection when the consumer stops early.
    await pending.catch(() => {})
  }
}

/** A chunk and the parts of it that are data, by their positions in the source. */
interface PlannedChunk {
  readonly offset: number
  readonly length: number
  readonly parts: { readonly start: number; readonly end: number }[]
}

async function* chunksOfRanges(
  ranges: AsyncIterable<ByteRange>,
  size: number,
): AsyncGenerator<PlannedChunk, void, undefined> {
  const chunkAt = (offset: number): PlannedChunk => ({
    offset,
    length: Math.min(CHUNK, size - offset),
    parts: [],
  })
  let chunk = chunkAt(0)
  for await (const { offset, length } of ranges) {
    const stop = Math.min(size, offset + length)
    for (let start = offset; start < stop; ) {
      while (start >= chunk.offset + chunk.length) {
        yield chunk
        chunk = chunkAt(chunk.offset + chunk.length)
      }
      const end = Math.min(stop, chunk.offset + chunk.length)
      chunk.parts.push({ start, end })
      start = end
    }
  }
  for (; chunk.length > 0; chunk = chunkAt(chunk.offset + chunk.length)) yield chunk
}
