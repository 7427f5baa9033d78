import type { BlockDevice, ByteSource, GatherPiece } from '@bootable/bytes'
import { gather } from '@bootable/bytes'

/** Bytes with their place on the device; `span` counts the zeros that fill the last block. */
export interface Piece {
  /** First byte on the device. */
  readonly position: number
  /** Bytes taken on the device, from there on. */
  readonly span: number
  readonly content:
    | Uint8Array
    /** `length` bytes of `source` from `offset` on. */
    | { readonly source: ByteSource; readonly offset: number; readonly length: number }
}

/** Bytes of one write. Two such buffers are all the memory that content takes. */
const CAPACITY = 4 * 1_048_576

/** Options of {@link emitPieces}. */
export interface EmitOptions {
  readonly signal?: AbortSignal | undefined
  /** Sees the bytes of every write before the device does, in the order of the pieces: for checksums. */
  readonly inspect?: (bytes: Uint8Array) => void
  /** Told after every write how many bytes have been handed to the device. */
  readonly onWritten?: (bytes: number) => void
}

/**
 * Writes pieces to a device. Neighbours become one write, the contents of one write are gathered in one
 * go, and the next buffer fills while one is being written: no file costs awaited I/O of its own.
 */
export async function emitPieces(
  device: BlockDevice,
  pieces: Iterable<Piece>,
  { signal, inspect, onWritten }: EmitOptions = {},
): Promise<void> {
  let buffer = new Uint8Array(CAPACITY)
  let spare = new Uint8Array(CAPACITY)
  let start = 0
  let filled = 0
  let reads: GatherPiece[] = []
  let pending: Promise<void> = Promise.resolve()

  async function flush(): Promise<void> {
    if (filled === 0) return
    signal?.throwIfAborted()
    await gather(reads)
    inspect?.(buffer.subarray(0, filled))
    await pending
    signal?.throwIfAborted()
    pending = device.write(start, buffer.subarray(0, filled))
    // It is awaited before the next one; until then it must not count as unhandled.
    pending.catch(() => {})
    onWritten?.(filled)
    ;[buffer, spare] = [spare, buffer]
    start += filled
    filled = 0
    reads = []
  }

  async function append({ position, span, content }: Piece): Promise<void> {
    if (start + filled !== position) {
      await flush()
      start = position
    }
    for (let done = 0; done < span; ) {
      if (filled === CAPACITY) await flush()
      const part = Math.min(span - done, CAPACITY - filled)
      const target = buffer.subarray(filled, filled + part)
      const data = Math.max(0, Math.min(part, content.length - done))
      if (content instanceof Uint8Array) target.set(content.subarray(done, done + data))
      else if (data > 0) {
        reads.push({
          source: content.source,
          offset: content.offset + done,
          target: target.subarray(0, data),
        })
      }
      // The buffer has been used before.
      target.fill(0, data)
      filled += part
      done += part
    }
  }

  try {
    for (const piece of pieces) await append(piece)
    await flush()
  } finally {
    // No write may be under way any more when the caller closes the device.
    await pending
  }
}
