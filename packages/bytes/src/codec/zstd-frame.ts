import { FormatError, type FormatErrorCode } from '../errors.ts'

/** A zstd frame by its headers. Positions count bytes of the data that it was looked for in. */
export interface ZstdFrame {
  /** Behind the last block, and the checksum where there is one. */
  readonly end: number
  /** Bytes that the frame says it holds; a compressor that did not know leaves them out. */
  readonly contentSize?: number
  /** Where the byte stands that asks for a window; a frame of a single segment has none. */
  readonly windowDescriptor?: number
}

const MAGIC = 0xfd2fb528
const BLOCK_RLE = 1
const BLOCK_RESERVED = 3
const MAX_BLOCK = 128 * 1024

/**
 * Walks the block headers of a frame (RFC 8878, 3.1.1). Its data may be nonsense all the same.
 *
 * @returns `undefined` where no frame starts
 * @throws FormatError for a frame that the data cuts off, a dictionary, and reserved values
 */
export function measureZstdFrame(data: Uint8Array, start: number): ZstdFrame | undefined {
  const view = new DataView(data.buffer, data.byteOffset, data.length)
  if (start + 4 > data.length || view.getUint32(start, true) !== MAGIC) return undefined

  function need(end: number): number {
    if (end <= data.length) return end
    throw zstdError('FORMAT_TRUNCATED', start, `the frame goes on behind the ${data.length} bytes there are`)
  }

  need(start + 6)
  const descriptor = view.getUint8(start + 4)
  const isSingleSegment = (descriptor & 0x20) !== 0
  if ((descriptor & 0x08) !== 0) throw zstdError('FORMAT_INVALID', start, 'a reserved bit is set')
  if ((descriptor & 0x03) !== 0) throw zstdError('FORMAT_UNSUPPORTED', start, 'it asks for a dictionary')
  const sizeAt = start + (isSingleSegment ? 5 : 6)
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] as number
  let at = need(sizeAt + sizeBytes)

  for (let isLast = false; !isLast; ) {
    need(at + 3)
    const header = view.getUint16(at, true) | (view.getUint8(at + 2) << 16)
    const type = (header >> 1) & 3
    const size = header >> 3
    if (type === BLOCK_RESERVED || size > MAX_BLOCK) {
      throw zstdError('FORMAT_INVALID', at, `a block of type ${type} and size ${size}`)
    }
    at = need(at + 3 + (type === BLOCK_RLE ? 1 : size))
    isLast = (header & 1) !== 0
  }
  return {
    end: (descriptor & 0x04) !== 0 ? need(at + 4) : at,
    ...(sizeBytes > 0 && { contentSize: readContentSize(view, sizeAt, sizeBytes) }),
    ...(!isSingleSegment && { windowDescriptor: start + 5 }),
  }
}

function readContentSize(view: DataView, at: number, length: number): number {
  if (length === 1) return view.getUint8(at)
  if (length === 2) return view.getUint16(at, true) + 256
  const low = view.getUint32(at, true)
  return length === 4 ? low : view.getUint32(at + 4, true) * 2 ** 32 + low
}

/** A FormatError of this format. */
export function zstdError(
  code: FormatErrorCode,
  offset: number,
  message: string,
  cause?: unknown,
): FormatError {
  return new FormatError(code, { format: 'zstd', structure: 'frame', offset }, message, { cause })
}
