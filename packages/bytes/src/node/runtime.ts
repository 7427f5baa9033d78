import { createHash } from 'node:crypto'
import { Readable, type Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import zlib from 'node:zlib'
import type { CompressionFormat, DecompressOptions } from '../codec/format.ts'
import { limitOutput } from '../codec/limit.ts'
import { portableRuntime } from '../codec/portable.ts'
import { xts } from '../codec/xts.ts'
import { checkZstdBlock, decodeZstdBlock } from '../codec/zstd-block.ts'
import { zstdError } from '../codec/zstd-frame.ts'
import { FormatError } from '../errors.ts'
import type { Runtime } from '../runtime.ts'
import { nativeAes } from './aes.ts'
import { gzipBlocks } from './gzip.ts'
import { compressInPool } from './zstd-pool.ts'

/** Chunks of this size keep the thread pool busy and the event loop quiet. */
const CHUNK_SIZE = 512 * 1024

const deflateRaw = promisify<zlib.InputType, zlib.ZlibOptions, Buffer>(zlib.deflateRaw)
const inflateRaw = promisify<zlib.InputType, zlib.ZlibOptions, Buffer>(zlib.inflateRaw)

/** `node:zlib` has zstd from 22.15 on; the type declarations of Node 20 do not know it. */
const { createZstdDecompress, zstdDecompress } = zlib as {
  createZstdDecompress?: (options: { chunkSize: number; params?: Record<number, number> }) => Transform
  zstdDecompress?: (
    data: Uint8Array,
    options: { maxOutputLength: number },
    callback: (error: Error | null, result: Buffer) => void,
  ) => void
}

/** `ZSTD_d_windowLogMax`: no frame may ask for more than 128 MiB of memory. */
const ZSTD_WINDOW_LOG_MAX = { 100: 27 }

/** Hashing and inflating by OpenSSL and zlib, the latter in Node's thread pool. */
export const nodeRuntime: Runtime = {
  createHash(algorithm) {
    const state = createHash(algorithm)
    const hash = {
      update(data: Uint8Array) {
        state.update(data)
        return hash
      },
      digest: (): Uint8Array => new Uint8Array(state.digest()),
    }
    return hash
  },
  decompress(format, input, options) {
    if (format === 'gzip') {
      return transform('gzip', zlib.createGunzip({ chunkSize: CHUNK_SIZE }), input, options)
    }
    if (format === 'zstd' && createZstdDecompress) {
      const decoder = createZstdDecompress({ chunkSize: CHUNK_SIZE, params: ZSTD_WINDOW_LOG_MAX })
      return transform('zstd', decoder, input, options)
    }
    return portableRuntime.decompress(format, input, options)
  },
  gzip: gzipBlocks,
  async deflateRaw(data, { level = 6, windowBits = 15 } = {}) {
    return new Uint8Array(await deflateRaw(data, { level, windowBits }))
  },
  async inflateRaw(data, size) {
    try {
      return new Uint8Array(await inflateRaw(data, { maxOutputLength: Math.max(1, size) }))
    } catch (cause) {
      throw new FormatError('FORMAT_INVALID', { format: 'deflate', structure: 'block' }, messageOf(cause), {
        cause,
      })
    }
  },
  async zstd(data, options) {
    return compressInPool(data, checkZstdBlock(data, options))
  },
  unzstd: (data, size) => decodeZstdBlock(data, size, decodeFrame),
  async aesXts(key, direction, sectorSize, firstSector, data) {
    return xts(nativeAes, key, direction, sectorSize, firstSector, data)
  },
}

/** In the thread pool, where Node can. */
const decodeFrame =
  zstdDecompress &&
  ((frame: Uint8Array, size: number): Promise<Uint8Array> =>
    new Promise((resolve, reject) => {
      zstdDecompress(frame, { maxOutputLength: Math.max(1, size) }, (cause, result) => {
        if (cause) reject(zstdError('FORMAT_INVALID', 0, messageOf(cause), cause))
        else resolve(result)
      })
    }))

async function* transform(
  format: CompressionFormat,
  decoder: Transform,
  input: AsyncIterable<Uint8Array>,
  options: DecompressOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const limit = limitOutput(options)
  let consumed = 0
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of input) {
      options.signal?.throwIfAborted()
      consumed += chunk.length
      limit.input(chunk.length)
      yield chunk
    }
  }
  let inputError: { cause: unknown } | undefined
  const guarded = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield* counted()
    } catch (cause) {
      inputError = { cause }
      throw cause
    }
  }
  const feeding = pipeline(Readable.from(guarded(), { objectMode: true, highWaterMark: 1 }), decoder)
  feeding.catch(() => {}) // the same error comes out of the loop below
  try {
    for await (const chunk of decoder as AsyncIterable<Buffer>) {
      limit.output(chunk.length)
      yield chunk
    }
    if (consumed === 0) throw new Error('unexpected end of file')
  } catch (cause) {
    if (inputError) throw inputError.cause
    if (!isCodecError(cause)) throw cause
    const early = /unexpected end/.test(messageOf(cause))
    throw new FormatError(
      early ? 'FORMAT_TRUNCATED' : 'FORMAT_INVALID',
      { format, structure: 'stream', offset: consumed },
      early ? 'the stream ends early' : messageOf(cause),
      { cause },
    )
  } finally {
    decoder.destroy()
  }
}

function isCodecError(cause: unknown): boolean {
  if (!(cause instanceof Error)) return false
  const code = 'code' in cause ? String(cause.code) : ''
  return /^(Z_|ZSTD_|ERR_ZSTD)/.test(code) || cause.message === 'unexpected end of file'
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
