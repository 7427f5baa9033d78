import { type ByteSource, gather, isZero, type OperationOptions } from '@bootable/bytes'
import { createLimit } from './in-flight.ts'
import { BLOCK_SIZE, type BlockRun, cutWindows } from './runs.ts'

/** A block of the disk that is not zero, and its compressed form where there is one. */
export interface LoadedBlock {
  readonly index: number
  /** A whole block; the one that the disk's end cuts short is padded with zeros. */
  readonly data: Uint8Array
  readonly packed?: Uint8Array
}

/** Options of {@link forEachWindow}. */
export interface WindowOptions extends OperationOptions {
  /** The format, for progress. */
  readonly id: string
  /** Blocks that one table maps: those handed over together all stand in one. @defaultValue all */
  readonly blocksPerTable?: number
  /** Compresses one block; no result where that does not pay. @defaultValue nothing is compressed */
  readonly pack?: ((data: Uint8Array) => Promise<Uint8Array | undefined>) | undefined
  /** Blocks being compressed at a time. @defaultValue 8 */
  readonly concurrency?: number
}

/**
 * Blocks that are in memory together: 4 MiB. Two windows are alive at a time, one being written and
 * one being read and compressed; that is all the memory a conversion takes, whatever the disk's size.
 */
const WINDOW_BLOCKS = 64

/**
 * Hands those blocks of `runs` to `use` that are not zero, ascending, some at a time.
 *
 * Nothing else is read or compressed. What comes out does not depend on `concurrency`.
 */
export async function forEachWindow(
  source: ByteSource,
  runs: readonly BlockRun[],
  options: WindowOptions,
  use: (blocks: readonly LoadedBlock[]) => Promise<void>,
): Promise<void> {
  const { id, signal, onProgress } = options
  signal?.throwIfAborted()
  const total = countBlocks(runs) * BLOCK_SIZE
  onProgress?.({ type: 'start', id, label: id, unit: 'bytes', total })
  let done = 0
  for await (const { blocks, count } of prepareWindows(source, runs, options)) {
    if (blocks.length > 0) await use(blocks)
    done += count * BLOCK_SIZE
    onProgress?.({ type: 'advance', id, done, total })
  }
  signal?.throwIfAborted()
  onProgress?.({ type: 'end', id })
}

interface PreparedWindow {
  readonly blocks: readonly LoadedBlock[]
  /** Blocks of the disk that were looked at. */
  readonly count: number
}

/** Windows in order, each ready to be written; the next is read and compressed meanwhile. */
async function* prepareWindows(
  source: ByteSource,
  runs: readonly BlockRun[],
  { pack, concurrency = 8, blocksPerTable = Number.POSITIVE_INFINITY, signal }: WindowOptions,
): AsyncGenerator<PreparedWindow> {
  const limit = createLimit(concurrency)
  const packBlock = (
    block: LoadedBlock,
    compress: NonNullable<WindowOptions['pack']>,
  ): Promise<LoadedBlock> =>
    limit(async () => {
      signal?.throwIfAborted()
      const packed = await compress(block.data)
      return packed ? { ...block, packed } : block
    })
  const prepare = async (window: readonly BlockRun[]): Promise<PreparedWindow> => {
    const count = countBlocks(window)
    const blocks = await loadWindow(source, window, count)
    if (!pack) return { blocks, count }
    return { blocks: await Promise.all(blocks.map((block) => packBlock(block, pack))), count }
  }

  let pending: Promise<PreparedWindow> | undefined
  try {
    for (const window of cutWindows(runs, WINDOW_BLOCKS, blocksPerTable)) {
      signal?.throwIfAborted()
      const ready = pending
      pending = prepare(window)
      pending.catch(() => {}) // told by the await below
      if (ready) yield await ready
    }
    if (pending) yield await pending
  } finally {
    await pending?.catch(() => {})
  }
}

/** Reads a window with few reads, drops what is zero, and pads a last block that the disk cuts short. */
async function loadWindow(
  source: ByteSource,
  window: readonly BlockRun[],
  count: number,
): Promise<LoadedBlock[]> {
  const buffer = new Uint8Array(count * BLOCK_SIZE)
  const pieces: { source: ByteSource; offset: number; target: Uint8Array }[] = []
  const blocks: LoadedBlock[] = []
  let at = 0
  for (const run of window) {
    const offset = run.first * BLOCK_SIZE
    const length = Math.min(run.count * BLOCK_SIZE, source.size - offset)
    pieces.push({ source, offset, target: buffer.subarray(at, at + length) })
    for (let index = run.first; index < run.first + run.count; index++, at += BLOCK_SIZE) {
      blocks.push({ index, data: buffer.subarray(at, at + BLOCK_SIZE) })
    }
  }
  await gather(pieces)
  return blocks.filter(({ data }) => !isZero(data))
}

function countBlocks(runs: readonly BlockRun[]): number {
  return runs.reduce((sum, run) => sum + run.count, 0)
}
