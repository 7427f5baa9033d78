import { Decompress } from 'fzstd'
import type { DecompressOptions } from './format.ts'
import { runPushDecoder } from './push-decoder.ts'

/**
 * zstd (RFC 8878) in portable code, several frames and skippable frames included. Frame checksums are not
 * verified: whoever reads blobs verifies a digest over all of the output.
 */
export function decompressZstd(
  input: AsyncIterable<Uint8Array>,
  options: DecompressOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const output: Uint8Array[] = []
  const frames = new Decompress((chunk) => {
    if (chunk.length > 0) output.push(chunk)
  })
  const decoder = {
    format: 'zstd',
    structure: 'frame',
    step: 65_536,
    push: (chunk: Uint8Array, final: boolean) => frames.push(chunk, final),
    take: () => output.splice(0),
  } as const
  return runPushDecoder(decoder, input, options)
}
