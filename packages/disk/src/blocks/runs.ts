import type { ByteSource } from '@bootable/bytes'

/**
 * Every container here is filled in blocks of this size: a cluster of qcow2, a grain of vmdk, a piece of the
 * payload of vhd and vhdx.
 */
export const BLOCK_SIZE = 65_536

/** Neighbouring blocks of the disk. */
export interface BlockRun {
  readonly first: number
  readonly count: number
}

/** The blocks in which a source has data, ascending, neighbours joined. */
export async function findData(source: ByteSource): Promise<BlockRun[]> {
  const whole = [{ offset: 0, length: source.size }]
  const runs: { first: number; count: number }[] = []
  for await (const { offset, length } of source.dataRanges?.() ?? whole) {
    if (length === 0) continue
    const last = runs[runs.length - 1]
    const next = last ? last.first + last.count : 0
    const first = Math.max(next, Math.floor(offset / BLOCK_SIZE))
    const end = Math.ceil((offset + length) / BLOCK_SIZE)
    if (end <= first) continue
    if (last && first === next) last.count += end - first
    else runs.push({ first, count: end - first })
  }
  return runs
}

/** Cuts runs into windows of at most `room` blocks, none of which reaches into a second table. */
export function* cutWindows(
  runs: readonly BlockRun[],
  room: number,
  blocksPerTable: number,
): Generator<BlockRun[]> {
  let window: BlockRun[] = []
  let left = room
  for (const run of runs) {
    const end = run.first + run.count
    for (let first = run.first; first < end; ) {
      const table = Math.floor(first / blocksPerTable)
      const begun = window[0]
      if (begun && (left === 0 || Math.floor(begun.first / blocksPerTable) !== table)) {
        yield window
        window = []
        left = room
      }
      const count = Math.min(left, end - first, (table + 1) * blocksPerTable - first)
      window.push({ first, count })
      left -= count
      first += count
    }
  }
  if (window.length > 0) yield window
}
