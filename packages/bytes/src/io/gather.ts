import type { ByteSource } from './source.ts'

/** One read of a {@link gather} call: fill `target` from `source`, starting at `offset`. */
export interface GatherPiece {
  readonly source: ByteSource
  readonly offset: number
  readonly target: Uint8Array
}

/** Reads closer to each other than this are one read: skipping costs less than another round trip. */
const MAX_GAP = 32_768
/** No single read is larger, so that a gather of neighbours stays bounded in memory. */
const MAX_READ = 4 * 1_048_576

interface ResolvedPiece {
  readonly root: ByteSource
  readonly offset: number
  readonly target: Uint8Array
}

/**
 * Fills many targets with as few reads as possible.
 *
 * Windows are followed down to the source that they look at; pieces of one source that lie near each
 * other are read together. File contents of a layer are windows of one large source, so a whole batch
 * of small files costs a handful of reads and no awaited I/O per file.
 */
export async function gather(pieces: readonly GatherPiece[]): Promise<void> {
  const roots = new Map<ByteSource, ResolvedPiece[]>()
  for (const piece of pieces) {
    if (piece.target.length === 0) continue
    const resolved = resolve(piece)
    const list = roots.get(resolved.root)
    if (list) list.push(resolved)
    else roots.set(resolved.root, [resolved])
  }
  const reads: JointRead[] = []
  for (const list of roots.values()) {
    list.sort((a, b) => a.offset - b.offset)
    for (let first = 0; first < list.length; ) {
      const start = (list[first] as ResolvedPiece).offset
      let end = start + (list[first] as ResolvedPiece).target.length
      let after = first + 1
      for (; after < list.length; after++) {
        const next = list[after] as ResolvedPiece
        const nextEnd = next.offset + next.target.length
        if (next.offset > end + MAX_GAP || Math.max(end, nextEnd) - start > MAX_READ) break
        end = Math.max(end, nextEnd)
      }
      reads.push({ pieces: list.slice(first, after), start, length: end - start })
      first = after
    }
  }
  await inLanes(reads)
}

/** Pieces of one source that are read at once. */
interface JointRead {
  readonly pieces: readonly ResolvedPiece[]
  readonly start: number
  readonly length: number
}

/** Reads under way at once: more do not make a disk faster, and each holds a buffer. */
const LANES = 4

/** The first failure stops new reads; all that are under way have ended when it is thrown. */
async function inLanes(reads: readonly JointRead[]): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    try {
      while (next < reads.length) await readTogether(reads[next++] as JointRead)
    } catch (error) {
      next = reads.length
      throw error
    }
  }
  const results = await Promise.allSettled(Array.from({ length: Math.min(LANES, reads.length) }, lane))
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

function resolve({ source, offset, target }: GatherPiece): ResolvedPiece {
  let root = source
  let position = offset
  while (root.window) {
    position += root.window.offset
    root = root.window.source
  }
  return { root, offset: position, target }
}

async function readTogether({ pieces, start, length }: JointRead): Promise<void> {
  const [only] = pieces
  if (only && pieces.length === 1) return only.root.read(only.offset, only.target)
  const scratch = idle.pop() ?? new Uint8Array(MAX_READ)
  // A piece larger than any joint read stands alone, so these fit.
  const buffer = length <= MAX_READ ? scratch.subarray(0, length) : new Uint8Array(length)
  await (only as ResolvedPiece).root.read(start, buffer)
  for (const { offset, target } of pieces) {
    target.set(buffer.subarray(offset - start, offset - start + target.length))
  }
  if (idle.length < LANES) idle.push(scratch)
}

/** Buffers between reads: fresh ones of this size keep the garbage collector busier than the copying. */
const idle: Uint8Array[] = []
