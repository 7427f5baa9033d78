import { checkRead } from './bounds.ts'
import { createCoalescingWriter } from './coalesce.ts'
import { memoryDevice } from './memory.ts'
import type { BlockDevice, ByteSource } from './source.ts'

/** Bytes that are written anywhere and whose length is known only at the end: a container format's file. */
export interface ByteSink {
  write(offset: number, data: Uint8Array): Promise<void>
  /** Sets the length; what was never written reads as zero. */
  truncate(size: number): Promise<void>
}

/** A sink in memory that can be read back: `size` grows with what is written. */
export interface MemorySink extends BlockDevice, ByteSink {
  /** What has been written so far; later writes do not change its size. */
  source(): ByteSource
}

/** A sink in memory, for tests and small artifacts. `capacity` in bytes bounds what may be written. */
export function memorySink(capacity = 2 ** 40): MemorySink {
  const pages = memoryDevice(capacity)
  const sink = {
    size: 0,
    async read(offset: number, target: Uint8Array) {
      checkRead(sink.size, offset, target.length, 'memory')
      await pages.read(offset, target)
    },
    async write(offset: number, data: Uint8Array) {
      await pages.write(offset, data)
      sink.size = Math.max(sink.size, offset + data.length)
    },
    async truncate(size: number) {
      sink.size = size
    },
    dataRanges: () => pages.dataRanges(),
    source: () => ({ ...sink }),
  }
  return sink
}

/**
 * Writes a stream to the front of a sink, which then has its length.
 * @param look sees every chunk before it is written
 * @returns the length in bytes
 */
export async function writeChunks(
  target: ByteSink,
  chunks: AsyncIterable<Uint8Array>,
  look: (chunk: Uint8Array) => void = () => {},
): Promise<number> {
  const writer = createCoalescingWriter(target)
  let length = 0
  try {
    for await (const chunk of chunks) {
      look(chunk)
      await writer.write(length, chunk)
      length += chunk.length
    }
    await writer.flush()
  } catch (error) {
    // No write may be under way when the caller takes the sink back.
    await writer.flush().catch(() => {})
    throw error
  }
  await target.truncate(length)
  return length
}
