import { Decompress } from 'fzstd'
import { FormatError } from '../errors.ts'
import type { DecompressOptions } from './format.ts'
import { limitOutput } from './limit.ts'

/**
 * zstd (RFC 8878) in portable code, several frames and skippable frames included. Frame checksums are not
 * verified: whoever reads blobs verifies a digest over all of the output.
 */
export async function* decompressZstd(
  input: AsyncIterable<Uint8Array>,
  options: DecompressOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const limit = limitOutput(options)
  const output: Uint8Array[] = []
  const decoder = new Decompress((chunk) => {
    if (chunk.length > 0) output.push(chunk)
  })
  let consumed = 0
  const push = (chunk: Uint8Array, final: boolean): void => {
    try {
      decoder.push(chunk, final)
    } catch (cause) {
      const early = cause instanceof Error && /EOF/.test(cause.message)
      throw new FormatError(
        early ? 'FORMAT_TRUNCATED' : 'FORMAT_INVALID',
        { format: 'zstd', structure: 'frame', offset: consumed },
        early ? 'the stream ends early' : 'not zstd data',
        { cause },
      )
    }
  }
  for await (const chunk of input) {
    options.signal?.throwIfAborted()
    limit.input(chunk.length)
    // Small steps bound what one push can expand to before the limit is looked at.
    for (let at = 0; at < chunk.length; at += STEP) {
      push(chunk.subarray(at, at + STEP), false)
      for (const part of output.splice(0)) {
        limit.output(part.length)
        yield part
      }
      consumed += Math.min(STEP, chunk.length - at)
    }
  }
  if (consumed > 0) push(new Uint8Array(0), true)
  else {
    throw new FormatError('FORMAT_TRUNCATED', { format: 'zstd', structure: 'frame', offset: 0 }, 'no data')
  }
  for (const part of output.splice(0)) {
    limit.output(part.length)
    yield part
  }
}

const STEP = 65_536
