import { Gunzip, Gzip } from 'fflate'
import { FormatError } from '../errors.ts'
import type { DecompressOptions } from './format.ts'
import { createMemberCheck } from './gzip-members.ts'
import { limitOutput } from './limit.ts'

/** Bytes handed to the inflater at once; they expand to at most 1032 times as much. */
const STEP = 16_384

/** gzip (RFC 1952) in portable code, several members and their checksums included. */
export async function* gunzip(
  input: AsyncIterable<Uint8Array>,
  options: DecompressOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const limit = limitOutput(options)
  const members = createMemberCheck()
  const output: Uint8Array[] = []
  const decoder = new Gunzip((chunk) => {
    if (chunk.length === 0) return
    members.output(chunk)
    output.push(chunk)
  })
  decoder.onmember = (position) => members.end(position)
  let consumed = 0
  const push = (chunk: Uint8Array, final: boolean): void => {
    try {
      decoder.push(chunk, final)
    } catch (cause) {
      if (cause instanceof FormatError) throw cause
      const early = cause instanceof Error && /EOF/.test(cause.message)
      throw new FormatError(
        early ? 'FORMAT_TRUNCATED' : 'FORMAT_INVALID',
        { format: 'gzip', structure: 'member', offset: consumed },
        early ? 'the stream ends early' : 'not gzip data',
        { cause },
      )
    }
  }
  for await (const chunk of input) {
    options.signal?.throwIfAborted()
    limit.input(chunk.length)
    for (let at = 0; at < chunk.length; at += STEP) {
      const step = chunk.subarray(at, at + STEP)
      members.input(step)
      push(step, false)
      consumed += step.length
      for (const part of output.splice(0)) {
        limit.output(part.length)
        yield part
      }
    }
  }
  push(new Uint8Array(0), true)
  members.finish()
  for (const part of output.splice(0)) {
    limit.output(part.length)
    yield part
  }
}

/** One gzip member without name and time, so that equal input gives equal output. */
export async function* gzip(
  input: AsyncIterable<Uint8Array>,
  options: { readonly level?: number } = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const output: Uint8Array[] = []
  const encoder = new Gzip({ level: (options.level ?? 6) as 6, mtime: 0 }, (chunk) => output.push(chunk))
  for await (const chunk of input) {
    encoder.push(chunk)
    yield* output.splice(0)
  }
  encoder.push(new Uint8Array(0), true)
  yield* output.splice(0)
}
