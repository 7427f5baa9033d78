import type { BlockDevice } from './source.ts'

/** Collects neighbouring small writes, so that the device sees few and large ones. */
export interface CoalescingWriter {
  /** Adds bytes at `offset`; they are copied. Cheap when they continue the previous write. */
  write(offset: number, data: Uint8Array): Promise<void> | undefined
  /** Hands everything collected to the device. */
  flush(): Promise<void>
}

/**
 * @param capacity bytes collected before the device is written, at least 256 KiB in good use
 */
export function createCoalescingWriter(
  device: Pick<BlockDevice, 'write'>,
  capacity = 1_048_576,
): CoalescingWriter {
  let buffer = new Uint8Array(capacity)
  /** Taken in turns with `buffer`: fresh memory for every write costs more than the copying. */
  let other: Uint8Array<ArrayBuffer> | undefined
  let start = 0
  let length = 0
  let pending: Promise<void> | undefined

  /** One write is under way while the next buffer fills. */
  async function drain(): Promise<void> {
    if (length === 0) return
    const data = buffer.subarray(0, length)
    length = 0
    await pending
    pending = device.write(start, data)
    pending.catch(() => {})
    // The write before this one has ended, so its buffer is free.
    const free = other ?? new Uint8Array(capacity)
    other = buffer
    buffer = free
  }

  async function writeSlowly(offset: number, data: Uint8Array): Promise<void> {
    await drain()
    if (data.length >= capacity) {
      await pending
      pending = undefined
      return device.write(offset, data)
    }
    start = offset
    buffer.set(data)
    length = data.length
  }

  return {
    write(offset, data) {
      const continues = length > 0 && start + length === offset && length + data.length <= capacity
      if (!continues) return writeSlowly(offset, data)
      buffer.set(data, length)
      length += data.length
      return undefined
    },
    async flush() {
      await drain()
      await pending
      pending = undefined
    },
  }
}
