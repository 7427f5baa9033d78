import { memoryDevice } from './memory.ts'
import type { BlockDevice, ByteSource } from './source.ts'

/** Bytes that are written anywhere and whose length is known only at the end: a container format's file. */
export interface ByteSink {
  write(offset: number, data: Uint8Array): Promise<void>
  /** Sets the length; what was never written reads as zero. */
  truncate(size: number): Promise<void>
}

/** A sink in memory, with what was written as a source. For tests and small artifacts. */
export function memorySink(capacity = 2 ** 40): ByteSink & { source(): ByteSource } {
  const device: BlockDevice = memoryDevice(capacity)
  let size = 0
  return {
    async write(offset, data) {
      await device.write(offset, data)
      size = Math.max(size, offset + data.length)
    },
    async truncate(length) {
      size = length
    },
    source: () => ({ ...device, size }),
  }
}
