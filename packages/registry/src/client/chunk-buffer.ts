import type { RequestBody } from '../http/transport.ts'

/** What was read of a stream and is not known to have arrived: it may have to be sent again. */
export interface ChunkBuffer {
  /** Bytes held. */
  readonly length: number
  /** Whether the stream has ended, so that nothing more will come. */
  readonly ended: boolean
  /** Reads until `length` bytes are held, or the stream ends. */
  fill(length: number): Promise<void>
  /** The first bytes, as a body that can be sent any number of times. */
  first(length: number): RequestBody
  /** Lets go of the first bytes. */
  drop(length: number): void
  /** Gives up the stream. */
  close(): Promise<void>
}

/** Keeps the chunks as they come: nothing is copied. */
export function createChunkBuffer(chunks: AsyncIterable<Uint8Array>): ChunkBuffer {
  const iterator = chunks[Symbol.asyncIterator]()
  let pieces: Uint8Array[] = []
  let length = 0
  let ended = false

  function* take(count: number): Generator<Uint8Array> {
    let left = count
    for (const piece of pieces) {
      if (left <= 0) return
      yield piece.length > left ? piece.subarray(0, left) : piece
      left -= piece.length
    }
  }

  return {
    get length() {
      return length
    },
    get ended() {
      return ended
    },
    async fill(wanted) {
      while (length < wanted && !ended) {
        const { done, value } = await iterator.next()
        if (done) ended = true
        else if (value.length > 0) {
          pieces.push(value)
          length += value.length
        }
      }
    },
    first(count) {
      const size = Math.min(count, length)
      return {
        size,
        open: async () =>
          (async function* () {
            yield* take(size)
          })(),
      }
    },
    drop(count) {
      let left = count
      const rest: Uint8Array[] = []
      for (const piece of pieces) {
        if (left < piece.length) rest.push(left > 0 ? piece.subarray(left) : piece)
        left = Math.max(0, left - piece.length)
      }
      pieces = rest
      length -= count
    },
    async close() {
      if (!ended) await iterator.return?.()
    },
  }
}
