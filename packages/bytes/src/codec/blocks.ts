import { ZERO_CHUNK } from '../io/zeros.ts'

/** Bytes that are compressed on their own, and so at the same time as others. */
export const BLOCK_SIZE: number = ZERO_CHUNK.length

/**
 * A stream in blocks of {@link BLOCK_SIZE}, the last one shorter; none for an empty stream. A chunk that is a
 * whole block passes as it is.
 */
export async function* cutBlocks(
  input: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let block = new Uint8Array(BLOCK_SIZE)
  let length = 0
  for await (const chunk of input) {
    let at = 0
    while (at < chunk.length) {
      if (length === 0 && chunk.length - at >= BLOCK_SIZE) {
        yield at === 0 && chunk.length === BLOCK_SIZE ? chunk : chunk.subarray(at, at + BLOCK_SIZE)
        at += BLOCK_SIZE
        continue
      }
      const part = chunk.subarray(at, at + BLOCK_SIZE - length)
      block.set(part, length)
      length += part.length
      at += part.length
      if (length < BLOCK_SIZE) continue
      yield block
      block = new Uint8Array(BLOCK_SIZE)
      length = 0
    }
  }
  if (length > 0) yield block.subarray(0, length)
}

/**
 * Compresses blocks side by side; the results come in the order of the blocks, so that the output does not
 * depend on how many are under way. {@link ZERO_CHUNK} is compressed once.
 */
export async function* compressBlocks(
  blocks: AsyncIterable<Uint8Array>,
  concurrency: number,
  compress: (block: Uint8Array) => Promise<Uint8Array>,
): AsyncGenerator<{ readonly block: Uint8Array; readonly packed: Uint8Array }, void, undefined> {
  let zeros: Promise<Uint8Array> | undefined
  const start = (block: Uint8Array): Promise<Uint8Array> => {
    if (block !== ZERO_CHUNK) return compress(block)
    zeros ??= compress(block)
    return zeros
  }
  const running: { readonly block: Uint8Array; readonly packed: Promise<Uint8Array> }[] = []
  try {
    for await (const block of blocks) {
      const packed = start(block)
      packed.catch(() => {}) // told by the await below
      running.push({ block, packed })
      if (running.length < concurrency) continue
      const [first] = running.splice(0, 1) as [(typeof running)[number]]
      yield { block: first.block, packed: await first.packed }
    }
    for (const { block, packed } of running) yield { block, packed: await packed }
  } finally {
    await Promise.allSettled(running.map(({ packed }) => packed))
  }
}
