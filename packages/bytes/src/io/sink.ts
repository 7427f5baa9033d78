import { checkRead } from './bounds.ts'
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
