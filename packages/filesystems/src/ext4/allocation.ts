import { type BlockRun, countBlocks } from './extents.ts'
import type { Geometry } from './layout.ts'

/**
 * Hands out the free blocks of a filesystem in ascending order. What is given in one call lies together
 * unless metadata stands between.
 */
export interface Allocator {
  /** `count` blocks, or `undefined` once they have run out. */
  take(count: number): BlockRun[] | undefined
  /** Blocks taken so far. */
  readonly taken: number
  /** The first block never taken: everything before it is in use, behind it only metadata. */
  readonly position: number
}

/** An allocator of everything that is not metadata. */
export function createAllocator(geometry: Geometry): Allocator {
  const { metadata, blockCount, firstDataBlock } = geometry
  let position = firstDataBlock
  let next = 0
  let taken = 0

  return {
    get taken() {
      return taken
    },
    get position() {
      return position
    },
    take(count) {
      const runs: BlockRun[] = []
      for (let missing = count; missing > 0; ) {
        const wall = metadata[next]
        const end = wall?.block ?? blockCount
        const length = Math.min(missing, end - position)
        if (length > 0) {
          runs.push({ block: position, length })
          position += length
          missing -= length
        } else if (wall) {
          position = wall.block + wall.length
          next++
        } else return undefined
      }
      taken += count
      return runs
    },
  }
}

/** Blocks that are neither metadata nor taken, when nothing has been taken yet. */
export function availableBlocks(geometry: Geometry): number {
  return geometry.blockCount - geometry.firstDataBlock - countBlocks(geometry.metadata)
}
