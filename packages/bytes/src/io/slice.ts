import { checkRead } from './bounds.ts'
import { checkWrite } from './memory.ts'
import type { BlockDevice, ByteRange, ByteSource } from './source.ts'

/** `length` bytes of `source` from `offset` on, as a source of their own. Closing it closes nothing. */
export function sliceSource(source: ByteSource, offset: number, length: number): ByteSource {
  checkRead(source.size, offset, length, 'slice')
  const slice: ByteSource = {
    size: length,
    window: { source, offset },
    async read(position, target) {
      checkRead(length, position, target.length, 'slice')
      await source.read(offset + position, target)
    },
  }
  if (source.dataRanges) slice.dataRanges = () => clipRanges(source, offset, length)
  return slice
}

/** `length` bytes of `device` from `offset` on, as a device of their own: a partition, say. */
export function sliceDevice(device: BlockDevice, offset: number, length: number): BlockDevice {
  checkWrite(device.size, offset, length)
  const slice: BlockDevice = {
    ...sliceSource(device, offset, length),
    async write(position, data) {
      checkWrite(length, position, data.length)
      await device.write(offset + position, data)
    },
    dataRanges: () => clipRanges(device, offset, length),
  }
  if (device.clear) {
    slice.clear = async (position, count) => {
      checkWrite(length, position, count)
      await device.clear?.(offset + position, count)
    }
  }
  return slice
}

/**
 * Sees to it that a range that was never written reads as zero. Writers of filesystems call it for what a
 * checker or a kernel reads and they themselves leave empty (a journal, a table of inodes); it costs nothing
 * but on an encrypted volume.
 */
export async function clearRange(device: BlockDevice, offset: number, length: number): Promise<void> {
  if (length > 0) await device.clear?.(offset, length)
}

async function* clipRanges(source: ByteSource, offset: number, length: number): AsyncIterable<ByteRange> {
  if (!source.dataRanges) return
  for await (const range of source.dataRanges()) {
    const start = Math.max(range.offset, offset)
    const end = Math.min(range.offset + range.length, offset + length)
    if (start < end) yield { offset: start - offset, length: end - start }
  }
}
