import { Gunzip, Gzip } from 'fflate'
import type { DecompressOptions } from './format.ts'
import { createMemberCheck } from './gzip-members.ts'
import { runPushDecoder } from './push-decoder.ts'

/** gzip (RFC 1952) in portable code, several members and their checksums included. */
export function gunzip(
  input: AsyncIterable<Uint8Array>,
  options: DecompressOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const members = createMemberCheck()
  const output: Uint8Array[] = []
  const inflater = new Gunzip((chunk) => {
    if (chunk.length === 0) return
    members.output(chunk)
    output.push(chunk)
  })
  inflater.onmember = (position) => members.end(position)
  const decoder = {
    format: 'gzip',
    structure: 'member',
    // deflate expands at most 1032 times.
    step: 16_384,
    push(chunk: Uint8Array, final: boolean) {
      members.input(chunk)
      inflater.push(chunk, final)
      if (final) members.finish()
    },
    take: () => output.splice(0),
  } as const
  return runPushDecoder(decoder, input, options)
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
