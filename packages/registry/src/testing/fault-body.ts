import type { TestFaultPosition } from './fault.ts'

type Chunks = AsyncIterable<Uint8Array>

/** How a connection breaks, told by the error that its body throws. */
export function connectionError(how: 'reset' | 'end'): Error {
  const [code, message] =
    how === 'reset' ? ['ECONNRESET', 'connection reset'] : ['EARLY_END', 'connection closed early']
  return Object.assign(new Error(message), { code })
}

/** The byte that a position means in a body of `length` bytes; of an unknown length, a share is none. */
export function offsetOf(position: TestFaultPosition, length: number | undefined): number {
  if (typeof position === 'number') return position
  return Math.floor(((length ?? 0) * Number(position.slice(0, -1))) / 100)
}

/** The first `offset` bytes; then whatever `end` does. */
async function* upTo(chunks: Chunks, offset: number, end: () => Promise<void>): AsyncGenerator<Uint8Array> {
  let rest = offset
  if (rest === 0) await end()
  for await (const chunk of chunks) {
    if (chunk.length < rest) {
      rest -= chunk.length
      yield chunk
      continue
    }
    yield chunk.subarray(0, rest)
    await end()
    return
  }
  await end()
}

export function cutBody(chunks: Chunks, offset: number, how: 'reset' | 'end'): Chunks {
  return upTo(chunks, offset, async () => {
    throw connectionError(how)
  })
}

export function stallBody(chunks: Chunks, offset: number): Chunks {
  return upTo(chunks, offset, () => new Promise(() => {}))
}

export async function* flipBody(chunks: Chunks, offset: number): AsyncGenerator<Uint8Array> {
  let position = 0
  for await (const chunk of chunks) {
    const at = offset - position
    position += chunk.length
    if (at < 0 || at >= chunk.length) {
      yield chunk
      continue
    }
    const copy = chunk.slice()
    copy[at] = (copy[at] ?? 0) ^ 0xff
    yield copy
  }
}

export async function* appendBody(chunks: Chunks, more: Uint8Array): AsyncGenerator<Uint8Array> {
  yield* chunks
  yield more
}
