import { BootableError } from '../errors.ts'
import type { ByteSource } from './source.ts'

/** Options of {@link streamSource}. */
export interface StreamSourceOptions {
  /** First byte. @defaultValue 0 */
  readonly offset?: number
  /** Bytes to read. @defaultValue up to the end */
  readonly length?: number
  /** Bytes of a chunk. @defaultValue 1 MiB */
  readonly chunkSize?: number
  readonly signal?: AbortSignal
}

/** The bytes of a source in order, one fresh buffer a chunk; the next read runs while one is used. */
export async function* streamSource(
  source: ByteSource,
  options: StreamSourceOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const { offset = 0, length = source.size - offset, chunkSize = 1_048_576, signal } = options
  const end = offset + length
  const read = async (position: number): Promise<Uint8Array | undefined> => {
    if (position >= end) return undefined
    const chunk = new Uint8Array(Math.min(chunkSize, end - position))
    await source.read(position, chunk)
    return chunk
  }
  let pending = read(offset)
  try {
    for (let position = offset; position < end; ) {
      signal?.throwIfAborted()
      const chunk = (await pending) as Uint8Array
      position += chunk.length
      pending = read(position)
      yield chunk
    }
  } finally {
    // The read ahead must not become an unhandled rejection when the consumer stops early.
    pending.catch(() => {})
  }
}

/**
 * All bytes of a source in one array, refused above `limit` bytes.
 * @throws BootableError `LIMIT_EXCEEDED`
 */
export async function readAll(source: ByteSource, limit = 64 * 1_048_576): Promise<Uint8Array> {
  if (source.size > limit) {
    throw new BootableError(
      'LIMIT_EXCEEDED',
      `${source.size} bytes are more than the ${limit} allowed here`,
      {
        details: { size: source.size, limit },
      },
    )
  }
  const bytes = new Uint8Array(source.size)
  await source.read(0, bytes)
  return bytes
}

/** All bytes of a stream in one array, refused above `limit` bytes. */
export async function collect(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  limit = 64 * 1_048_576,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const chunk of chunks) {
    length += chunk.length
    if (length > limit) {
      throw new BootableError('LIMIT_EXCEEDED', `the data is longer than the ${limit} bytes allowed here`, {
        details: { limit },
      })
    }
    parts.push(chunk)
  }
  return concatBytes(parts)
}

/** One array from many. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.length
  }
  return bytes
}
