import type { Clock } from '../clock.ts'

/** Bytes that are handed on at once: a larger piece would make long pauses. */
const PIECE = 64 * 1024
/** The part of a second whose bytes may come at once after a rest. */
const BURST = 0.1

/** Holds bytes back so that no more than so many pass in a second, all bodies together. */
export interface Throttle {
  pace(chunks: AsyncIterable<Uint8Array>, signal?: AbortSignal): AsyncIterable<Uint8Array>
}

/**
 * A token bucket. Whoever takes bytes that are not there yet waits until they would be, in the order of
 * asking; so many streams share the rate without knowing each other.
 * @throws RangeError when the rate is not above zero
 */
export function createThrottle(bytesPerSecond: number, clock: Clock): Throttle {
  if (!(bytesPerSecond > 0)) throw new RangeError(`not a rate of bytes: ${bytesPerSecond}`)
  const capacity = bytesPerSecond * BURST
  let tokens = capacity
  let filledAt = clock.now()

  function take(length: number): number {
    const now = clock.now()
    tokens = Math.min(capacity, tokens + ((now - filledAt) * bytesPerSecond) / 1000)
    filledAt = now
    tokens -= length
    return tokens < 0 ? (-tokens * 1000) / bytesPerSecond : 0
  }

  return {
    async *pace(chunks, signal) {
      for await (const chunk of chunks) {
        for (let offset = 0; offset < chunk.length; offset += PIECE) {
          const piece = chunk.subarray(offset, offset + PIECE)
          const delay = take(piece.length)
          if (delay > 0) await clock.sleep(delay, signal)
          yield piece
        }
      }
    },
  }
}
