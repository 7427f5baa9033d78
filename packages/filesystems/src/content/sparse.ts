import type { ByteSource } from '@bootable/bytes'
import type { Inode } from '@bootable/tree'

/** A stretch of blocks of a file that holds data. */
export interface DataRun {
  /** First block, counted from the start of the file. */
  readonly block: number
  /** Blocks. */
  readonly length: number
}

/** Files whose holes are looked for at the same time. */
const BATCH = 64

/** The runs of data of every file that has holes; files without any are not listed. */
export async function findSparseRuns<Node extends { readonly inode: Inode }>(
  nodes: readonly Node[],
  blockSize: number,
  signal?: AbortSignal,
): Promise<ReadonlyMap<Node, readonly DataRun[]>> {
  const sparse = new Map<Node, readonly DataRun[]>()
  const candidates = nodes.filter(({ inode }) => inode.type === 'file' && inode.content.dataRanges)
  for (let first = 0; first < candidates.length; first += BATCH) {
    signal?.throwIfAborted()
    await Promise.all(
      candidates.slice(first, first + BATCH).map(async (node) => {
        const { inode } = node
        if (inode.type !== 'file') return
        const blocks = Math.ceil(inode.content.size / blockSize)
        const runs = await dataRuns(inode.content, blockSize)
        const isDense = runs.length === 1 && runs[0]?.block === 0 && runs[0].length === blocks
        if (!isDense) sparse.set(node, runs)
      }),
    )
  }
  return sparse
}

/** Data ranges of a source, grown to whole blocks and joined where they meet. */
async function dataRuns(source: ByteSource, blockSize: number): Promise<DataRun[]> {
  const runs: { block: number; length: number }[] = []
  for await (const { offset, length } of source.dataRanges?.() ?? []) {
    const end = Math.min(offset + length, source.size)
    if (offset >= end) continue
    const last = runs[runs.length - 1]
    const after = last ? last.block + last.length : 0
    const block = Math.max(Math.floor(offset / blockSize), after)
    const blocks = Math.ceil(end / blockSize) - block
    if (blocks <= 0) continue
    if (last && last.block + last.length === block) last.length += blocks
    else runs.push({ block, length: blocks })
  }
  return runs
}
