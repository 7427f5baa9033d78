import { FormatError, type FormatErrorCode } from '../errors.ts'
import type { CompressionFormat, DecompressOptions } from './format.ts'
import { limitOutput } from './limit.ts'

/** A decoder that is handed input and calls back with output, as fflate and fzstd have them. */
export interface PushDecoder {
  readonly format: CompressionFormat
  /** What the stream consists of, for messages. */
  readonly structure: string
  /** Bytes handed over at once: they bound what one call can expand to before the limits are looked at. */
  readonly step: number
  push(chunk: Uint8Array, final: boolean): void
  /** Takes what has come out since the last call. */
  take(): Uint8Array[]
}

/**
 * Runs a stream through a push decoder, within the limits.
 * @throws FormatError for anything that the decoder throws
 */
export async function* runPushDecoder(
  decoder: PushDecoder,
  input: AsyncIterable<Uint8Array>,
  options: DecompressOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { format, structure, step } = decoder
  const limit = limitOutput(options)
  let consumed = 0

  const fail = (code: FormatErrorCode, message: string, cause?: unknown): never => {
    throw new FormatError(code, { format, structure, offset: consumed }, message, { cause })
  }
  function decode(chunk: Uint8Array, final: boolean): Uint8Array[] {
    try {
      decoder.push(chunk, final)
    } catch (cause) {
      if (cause instanceof FormatError) throw cause
      if (cause instanceof Error && /EOF/.test(cause.message)) {
        fail('FORMAT_TRUNCATED', 'the stream ends early', cause)
      }
      fail('FORMAT_INVALID', `not ${format} data`, cause)
    }
    const parts = decoder.take()
    for (const part of parts) limit.output(part.length)
    return parts
  }

  for await (const chunk of input) {
    options.signal?.throwIfAborted()
    limit.input(chunk.length)
    for (let at = 0; at < chunk.length; at += step) {
      const part = chunk.subarray(at, at + step)
      yield* decode(part, false)
      consumed += part.length
    }
  }
  if (consumed === 0) fail('FORMAT_TRUNCATED', 'there is no data')
  yield* decode(new Uint8Array(0), true)
}
