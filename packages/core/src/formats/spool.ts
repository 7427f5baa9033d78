import {
  type ByteSource,
  type CompressionFormat,
  GiB,
  isZero,
  limitOutput,
  memorySink,
  type OperationOptions,
  portableRuntime,
  type RuntimeOptions,
} from '@bootable/bytes'
import type { PendingOutput } from '../pipeline/output.ts'

/** Where a compressed disk is decompressed to, and how large it may become. */
export interface SpoolOptions extends OperationOptions, RuntimeOptions {
  /** Where the bytes go. @defaultValue memory, of which at most 4 GiB are taken */
  readonly scratch?: () => Promise<PendingOutput>
  /** Bytes after which the disk is refused, holes included. @defaultValue 256 GiB */
  readonly maxSize?: number
}

/** Bytes that were spooled. Closing them throws them away. */
export interface SpooledSource extends ByteSource {
  close(): Promise<void>
}

const DEFAULT_MAX_SIZE = 256 * GiB
const MAX_MEMORY = 4 * GiB
/** Stretches that are looked at for zeros. */
const GRAIN = 64 * 1024

/**
 * Decompresses a stream to where it can be read anywhere. Zeros become holes, so a disk takes the room of
 * its data.
 *
 * @throws FormatError; BootableError `LIMIT_EXCEEDED`, and those of the scratch
 */
export async function spool(
  input: AsyncIterable<Uint8Array>,
  compression: CompressionFormat,
  options: SpoolOptions = {},
): Promise<SpooledSource> {
  const { runtime = portableRuntime, maxSize = DEFAULT_MAX_SIZE, signal } = options
  const { scratch = memoryScratch } = options
  const { device, discard } = await scratch()
  const data = limitOutput({
    maxOutput: options.scratch ? maxSize : MAX_MEMORY,
    maxRatio: Number.POSITIVE_INFINITY,
  })
  let size = 0

  async function write(chunk: Uint8Array): Promise<void> {
    // One write for each run of grains that are not zero.
    let start = 0
    for (let at = 0; at < chunk.length; ) {
      const end = Math.min(chunk.length, at + GRAIN - ((size + at) % GRAIN))
      if (isZero(chunk.subarray(at, end))) {
        if (at > start) await put(chunk, start, at)
        start = end
      }
      at = end
    }
    if (start < chunk.length) await put(chunk, start, chunk.length)
    size += chunk.length
  }
  async function put(chunk: Uint8Array, start: number, end: number): Promise<void> {
    data.output(end - start)
    await device.write(size + start, chunk.subarray(start, end))
  }

  const limits = { maxOutput: maxSize, maxRatio: Number.POSITIVE_INFINITY, ...(signal && { signal }) }
  try {
    for await (const chunk of runtime.decompress(compression, input, limits)) {
      signal?.throwIfAborted()
      await write(chunk)
    }
    await device.truncate(size)
  } catch (error) {
    await discard()
    throw error
  }
  return {
    size,
    read: (offset, target) => device.read(offset, target),
    dataRanges: () => device.dataRanges(),
    close: discard,
  }
}

async function memoryScratch(): Promise<Pick<PendingOutput, 'device' | 'discard'>> {
  return { device: memorySink(), discard: async () => {} }
}
