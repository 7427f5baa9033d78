import { sha256, sha512 } from '@noble/hashes/sha2.js'
import { Deflate, deflateSync, inflateSync } from 'fflate'
import { FormatError } from '../errors.ts'
import { concatBytes } from '../io/stream.ts'
import type { Runtime } from '../runtime.ts'
import type { DecompressOptions } from './format.ts'
import { gunzip, gzip } from './gzip.ts'
import { limitOutput } from './limit.ts'
import { decompressZstd } from './zstd.ts'

/** Works wherever ECMAScript does. `nodeRuntime` is an order of magnitude faster on Node. */
export const portableRuntime: Runtime = {
  createHash(algorithm) {
    const state = (algorithm === 'sha256' ? sha256 : sha512).create()
    const hash = {
      update(data: Uint8Array) {
        state.update(data)
        return hash
      },
      digest: () => state.digest(),
    }
    return hash
  },
  decompress(format, input, options) {
    if (format === 'gzip') return gunzip(input, options)
    if (format === 'zstd') return decompressZstd(input, options)
    return passThrough(input, options)
  },
  gzip,
  async deflateRaw(data, { level = 6, windowBits = 15 } = {}) {
    return deflateWithin(data, level, 2 ** windowBits)
  },
  async inflateRaw(data, size) {
    try {
      return inflateSync(data, { out: new Uint8Array(size) })
    } catch (cause) {
      throw new FormatError('FORMAT_INVALID', { format: 'deflate', structure: 'block' }, 'not deflate data', {
        cause,
      })
    }
  },
}

/**
 * fflate always looks back up to 32 KiB. Where a reader keeps a smaller window, each window's worth is
 * compressed alone and ended by a sync flush, so no match reaches further: larger output, but right.
 */
function deflateWithin(data: Uint8Array, level: number, window: number): Uint8Array {
  const options = { level: level as 6 }
  if (window >= 32_768 || data.length <= window) return deflateSync(data, options)
  const parts: Uint8Array[] = []
  for (let start = 0; start < data.length; start += window) {
    const encoder = new Deflate(options, (part) => parts.push(part))
    const final = start + window >= data.length
    encoder.push(data.subarray(start, start + window), final)
    if (!final) encoder.flush(true)
  }
  return concatBytes(parts)
}

/** Stored as it is; only the limit of the output applies. */
export async function* passThrough(
  input: AsyncIterable<Uint8Array>,
  options: DecompressOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const limit = limitOutput(options)
  for await (const chunk of input) {
    options.signal?.throwIfAborted()
    limit.input(chunk.length)
    limit.output(chunk.length)
    yield chunk
  }
}
