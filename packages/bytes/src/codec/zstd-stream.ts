import type { RuntimeOptions } from '../runtime.ts'
import { compressBlocks, cutBlocks } from './blocks.ts'
import { portableRuntime } from './portable.ts'
import { checkZstdBlock, type ZstdOptions } from './zstd-block.ts'

/** Options of {@link zstdStream}. */
export interface ZstdStreamOptions extends ZstdOptions, RuntimeOptions {
  /** Blocks of 1 MiB under way at once. The bytes do not depend on it. @defaultValue 16 */
  readonly concurrency?: number
}

/**
 * Compresses a stream as zstd, one frame for each MiB of it, as many at once as the runtime has cores for. A
 * decoder sees one stream (RFC 8878, 3); the bytes are the same in every runtime.
 *
 * @throws BootableError `COMPRESSION_INVALID`
 */
export async function* zstdStream(
  input: AsyncIterable<Uint8Array>,
  options: ZstdStreamOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const { runtime = portableRuntime, concurrency = 16, ...rest } = options
  checkZstdBlock(EMPTY, rest)
  let isEmpty = true
  for await (const { packed } of compressBlocks(cutBlocks(input), concurrency, (block) =>
    runtime.zstd(block, rest),
  )) {
    isEmpty = false
    yield packed
  }
  // A stream of nothing is a frame of nothing, not an empty file.
  if (isEmpty) yield await runtime.zstd(EMPTY, rest)
}

const EMPTY = new Uint8Array(0)
