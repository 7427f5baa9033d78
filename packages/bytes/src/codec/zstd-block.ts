import { Decompress } from 'fzstd'
import { BootableError } from '../errors.ts'
import { formatSize, MiB } from '../size.ts'
import { measureZstdFrame, type ZstdFrame, zstdError } from './zstd-frame.ts'
import { loadZstd } from './zstd-library.ts'

/** Options of `Runtime.zstd`. */
export interface ZstdOptions {
  /** 1 (fast) to 19 (small). @defaultValue 3 */
  readonly level?: number
}

const DEFAULT_LEVEL = 3
/** Above, zstd takes memory by the hundred MiB; its own command line asks for a switch as well. */
const MAX_LEVEL = 19
/** What is compressed at once lies in memory twice more. */
const MAX_BLOCK = 64 * MiB

/**
 * The level asked for, checked together with the size of a block.
 * @throws BootableError `COMPRESSION_INVALID`, `LIMIT_EXCEEDED`
 */
export function checkZstdBlock(data: Uint8Array, { level = DEFAULT_LEVEL }: ZstdOptions = {}): number {
  if (!Number.isInteger(level) || level < 1 || level > MAX_LEVEL) {
    throw new BootableError('COMPRESSION_INVALID', `${level} is no level of zstd: 1 to ${MAX_LEVEL} are`, {
      details: { level },
    })
  }
  if (data.length > MAX_BLOCK) {
    const sizes = `${formatSize(data.length)}; ${formatSize(MAX_BLOCK)} are the most`
    throw new BootableError('LIMIT_EXCEEDED', `a block for zstd has ${sizes}`, {
      details: { length: data.length, limit: MAX_BLOCK },
    })
  }
  return level
}

/** Compresses a block into one frame that says how long its content is, by libzstd as WebAssembly. */
export async function compressZstdBlock(data: Uint8Array, options?: ZstdOptions): Promise<Uint8Array> {
  const level = checkZstdBlock(data, options)
  return (await loadZstd()).compress(data, level)
}

/** Decodes one frame into at most `size` bytes; `isKnown` where the frame says that it has no more. */
export type ZstdFrameDecoder = (
  frame: Uint8Array,
  size: number,
  isKnown: boolean,
) => Uint8Array | Promise<Uint8Array>

/**
 * Decodes the frames at the start of `data` until `size` bytes are out or no frame follows; what stands
 * behind them, such as the padding of a sector, is left alone.
 *
 * @throws FormatError where the data starts with no frame, or a frame is damaged or yields more than asked for
 */
export async function decodeZstdBlock(
  data: Uint8Array,
  size: number,
  decode: ZstdFrameDecoder = decodeFrame,
): Promise<Uint8Array> {
  const output = new Uint8Array(size)
  let length = 0
  let frame = measureZstdFrame(data, 0)
  if (!frame) throw zstdError('FORMAT_INVALID', 0, 'there is no frame')
  for (let start = 0; frame; ) {
    const { contentSize = 0, end } = frame
    if (contentSize > size - length) throw tooLong(start, contentSize, size - length)
    const bytes = shrinkWindow(data.slice(start, end), start, frame, size)
    const part = await decode(bytes, size - length, frame.contentSize !== undefined)
    if (frame.contentSize !== undefined && part.length !== contentSize) {
      throw zstdError('FORMAT_INVALID', start, `it yields ${part.length} bytes in place of ${contentSize}`)
    }
    output.set(part, length)
    length += part.length
    start = end
    frame = length < size ? measureZstdFrame(data, start) : undefined
  }
  return length === size ? output : output.slice(0, length)
}

/**
 * Lets a frame ask for no more memory than its content needs: the compressor of a stream, who did not know
 * how much would come, asks for megabytes.
 */
function shrinkWindow(frame: Uint8Array, start: number, known: ZstdFrame, size: number): Uint8Array {
  if (known.windowDescriptor === undefined) return frame
  const at = known.windowDescriptor - start
  // RFC 8878, 3.1.1.1.2: the upper five bits are the exponent above 1 KiB; the others add eighths.
  const enough = Math.max(0, Math.ceil(Math.log2(Math.max(1, size))) - 10) << 3
  frame[at] = Math.min(frame[at] as number, enough)
  return frame
}

/** libzstd makes room for as much as a frame says, and where it says nothing it guesses: that is for fzstd. */
async function decodeFrame(frame: Uint8Array, size: number, isKnown: boolean): Promise<Uint8Array> {
  if (!isKnown) return decodeUnsized(frame, size)
  const library = await loadZstd()
  try {
    return library.decompress(frame)
  } catch (cause) {
    throw zstdError('FORMAT_INVALID', 0, 'not zstd data', cause)
  }
}

function decodeUnsized(frame: Uint8Array, size: number): Uint8Array {
  const output = new Uint8Array(size)
  let length = 0
  let isOver = false
  const decoder = new Decompress((chunk) => {
    isOver = chunk.length > size - length
    if (isOver) throw new RangeError('the output is full')
    output.set(chunk, length)
    length += chunk.length
  })
  try {
    decoder.push(frame, true)
  } catch (cause) {
    if (isOver) throw tooLong(0, size + 1, size)
    throw zstdError('FORMAT_INVALID', 0, 'not zstd data', cause)
  }
  return output.subarray(0, length)
}

function tooLong(start: number, length: number, room: number): Error {
  return zstdError('FORMAT_INVALID', start, `it holds ${length} bytes or more; ${room} are expected`)
}
