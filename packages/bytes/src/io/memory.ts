import { BootableError } from '../errors.ts'
import { checkRead } from './bounds.ts'
import { createRangeSet } from './ranges.ts'
import type { BlockDevice, ByteSource } from './source.ts'

/** The bytes of an array as a source. The array is not copied. */
export function memorySource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    async read(offset, target) {
      checkRead(bytes.length, offset, target.length, 'memory')
      target.set(bytes.subarray(offset, offset + target.length))
    },
  }
}

/** A source of `size` bytes that are all zero and none of which is data. */
export function zeroSource(size: number): ByteSource {
  return {
    size,
    async read(offset, target) {
      checkRead(size, offset, target.length, 'memory')
      target.fill(0)
    },
    async *dataRanges() {},
  }
}

const PAGE = 65_536

/** A device in memory that keeps only the pages that were written. `size` in bytes. */
export function memoryDevice(size: number): BlockDevice {
  const pages = new Map<number, Uint8Array>()
  const written = createRangeSet()

  return {
    size,
    async read(offset, target) {
      checkRead(size, offset, target.length, 'memory')
      for (let done = 0; done < target.length; ) {
        const within = (offset + done) % PAGE
        const length = Math.min(PAGE - within, target.length - done)
        const page = pages.get((offset + done - within) / PAGE)
        if (page) target.set(page.subarray(within, within + length), done)
        else target.fill(0, done, done + length)
        done += length
      }
    },
    async write(offset, data) {
      checkWrite(size, offset, data.length)
      for (let done = 0; done < data.length; ) {
        const within = (offset + done) % PAGE
        const length = Math.min(PAGE - within, data.length - done)
        const index = (offset + done - within) / PAGE
        let page = pages.get(index)
        if (!page) {
          page = new Uint8Array(PAGE)
          pages.set(index, page)
        }
        page.set(data.subarray(done, done + length), within)
        done += length
      }
      written.add(offset, data.length)
    },
    async *dataRanges() {
      yield* written.ranges()
    },
  }
}

/** Refuses a write past the end; every device calls it first. */
export function checkWrite(size: number, offset: number, length: number): void {
  if (offset >= 0 && offset + length <= size) return
  throw new BootableError(
    'DEVICE_OUT_OF_BOUNDS',
    `cannot write ${length} bytes at ${offset}: the device has ${size} bytes`,
    { details: { offset, length, size } },
  )
}
