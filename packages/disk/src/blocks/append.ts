import { type ByteSink, createCoalescingWriter } from '@bootable/bytes'

/** The growing end of a file: written without a gap, so that the target sees large writes only. */
export interface Appender {
  /** Bytes of the file so far. */
  readonly end: number
  /** Writes at `offset`, not before the end; what lies between becomes zero. */
  put(offset: number, data: Uint8Array): Promise<void> | undefined
  flush(): Promise<void>
}

/** Longest gap between two pieces of a file. */
const ZEROS = new Uint8Array(65_536)

/** @param start where the file goes on; everything before is the caller's */
export function createAppender(target: ByteSink, start: number): Appender {
  const writer = createCoalescingWriter(target)
  let end = start

  async function putAfterGap(offset: number, data: Uint8Array): Promise<void> {
    await writer.write(end, ZEROS.subarray(0, offset - end))
    end = offset + data.length
    await writer.write(offset, data)
  }

  return {
    get end() {
      return end
    },
    put(offset, data) {
      if (offset > end) return putAfterGap(offset, data)
      end = offset + data.length
      return writer.write(offset, data)
    },
    flush: () => writer.flush(),
  }
}
