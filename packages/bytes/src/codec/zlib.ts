import { adler32 } from '../checksum/adler32.ts'
import { FormatError, type FormatErrorCode } from '../errors.ts'
import type { RuntimeOptions } from '../runtime.ts'
import { portableRuntime } from './portable.ts'

/** Bytes of header and checksum around the deflate data. */
const HEADER = 2
const TRAILER = 4

/** CMF: deflate with a window of 32 KiB; all that anybody writes (RFC 1950, 2.2). */
const CMF = 0x78

/** Options of {@link zlib}. */
export interface ZlibOptions extends RuntimeOptions {
  /** 0 to 9. @defaultValue 6 */
  readonly level?: number
}

/** Compresses one block as a zlib stream (RFC 1950). */
export async function zlib(data: Uint8Array, options: ZlibOptions = {}): Promise<Uint8Array> {
  const { level = 6, runtime = portableRuntime } = options
  const deflated = await runtime.deflateRaw(data, { level })
  const stream = new Uint8Array(HEADER + deflated.length + TRAILER)
  const flevel = level < 2 ? 0 : level < 6 ? 1 : level === 6 ? 2 : 3
  const flags = flevel << 6
  // FCHECK makes both bytes, read as one big-endian number, a multiple of 31.
  stream.set([CMF, flags + 31 - ((CMF * 256 + flags) % 31)])
  stream.set(deflated, HEADER)
  new DataView(stream.buffer).setUint32(stream.length - TRAILER, adler32(data))
  return stream
}

/**
 * Inflates one zlib stream into at most `size` bytes. The stream fills `stream` to its end, where its
 * checksum stands.
 *
 * @throws FormatError
 */
export async function unzlib(
  stream: Uint8Array,
  size: number,
  { runtime = portableRuntime }: RuntimeOptions = {},
): Promise<Uint8Array> {
  const fail = (code: FormatErrorCode, structure: string, message: string): never => {
    throw new FormatError(code, { format: 'zlib', structure }, message)
  }
  if (stream.length <= HEADER + TRAILER) fail('FORMAT_TRUNCATED', 'stream', `${stream.length} bytes are none`)
  const [cmf, flags] = stream as unknown as [number, number]
  const isHeader = (cmf & 0x0f) === 8 && cmf >> 4 <= 7 && (cmf * 256 + flags) % 31 === 0
  if (!isHeader) fail('FORMAT_INVALID', 'header', 'not a zlib stream')
  if ((flags & 0x20) !== 0) fail('FORMAT_UNSUPPORTED', 'FDICT', 'it needs a preset dictionary')
  const data = await runtime.inflateRaw(stream.subarray(HEADER, -TRAILER), size)
  const view = new DataView(stream.buffer, stream.byteOffset, stream.length)
  if (view.getUint32(stream.length - TRAILER) !== adler32(data)) {
    fail('FORMAT_CHECKSUM', 'ADLER32', 'the checksum of the data differs from the one stored')
  }
  return data
}
