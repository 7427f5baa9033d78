import { sectorChecksum } from './checksum.ts'
import { btrfsFormatError } from './errors.ts'
import { BTRFS_EXTENT_CSUM_KEY, CSUM_SIZE } from './format.ts'
import { type BlockPointer, leafItems, type ReadItem, type TreeBlock } from './leaf.ts'
import { createBudget, leafPointers } from './scan.ts'
import type { TreeRoot } from './superblock.ts'
import { readBlocks, type Volume } from './volume.ts'

/** The checksums of a filesystem's data, looked up when they are needed. */
export interface ChecksumReader {
  /**
   * Compares whole sectors with their checksums.
   * @param address logical, of the first sector
   * @returns the address of the first sector that is damaged; `undefined` where none is
   * @throws FormatError where checksums are missing
   */
  verify(address: number, data: Uint8Array): Promise<number | undefined>
}

/** Leaves of the checksum tree that stay in memory: 1 MiB of them, for 250 MiB of data. */
const MAX_LEAVES = 64

export function createChecksumReader(volume: Volume, root: TreeRoot | undefined): ChecksumReader {
  const { sectorSize } = volume.superblock
  const leaves = new Map<number, Promise<readonly ReadItem[]>>()
  let index: Promise<readonly BlockPointer[]> | undefined

  /** The items of a leaf; the leaves used longest ago are forgotten. */
  function load(pointers: readonly BlockPointer[], position: number): Promise<readonly ReadItem[]> {
    const known = leaves.get(position)
    if (known) leaves.delete(position)
    const loading =
      known ??
      readBlocks(volume, [pointers[position] as BlockPointer]).then(([leaf]) => [
        ...leafItems(leaf as TreeBlock),
      ])
    leaves.set(position, loading)
    // A read that failed is not remembered: the next one shall fail by itself.
    if (!known) loading.catch(() => leaves.delete(position))
    const [oldest] = leaves.keys()
    if (leaves.size > MAX_LEAVES && oldest !== undefined) leaves.delete(oldest)
    return loading
  }

  return {
    async verify(address, data) {
      index ??= root ? leafPointers(volume, root, createBudget()) : Promise.resolve([])
      const pointers = await index
      const end = address + data.length
      let position = lastNotAbove(pointers.length, (at) => pointers[at]?.key?.offset ?? 0, address)
      let next = address
      while (next < end) {
        const items = position < pointers.length ? await load(pointers, position) : []
        const first = lastNotAbove(items.length, (at) => (items[at] as ReadItem).offset, next)
        for (const item of items.slice(first)) {
          const covered = Math.floor(item.data.length / CSUM_SIZE) * sectorSize
          if (item.offset % sectorSize !== 0) throw misplaced(item.offset)
          if (item.type !== BTRFS_EXTENT_CSUM_KEY || item.offset + covered <= next) continue
          if (item.offset > next || next >= end) break
          const view = new DataView(item.data.buffer, item.data.byteOffset)
          for (; next < Math.min(end, item.offset + covered); next += sectorSize) {
            const start = next - address
            const stored = view.getUint32(((next - item.offset) / sectorSize) * CSUM_SIZE, true)
            if (sectorChecksum(data, start, start + sectorSize) !== stored) return next
          }
        }
        position++
        if (next < end && position >= pointers.length) throw missing(next)
        const following = pointers[position]?.key?.offset
        if (next < end && following !== undefined && following > next) throw missing(next)
      }
      return undefined
    },
  }
}

function missing(address: number): Error {
  return btrfsFormatError('FORMAT_INVALID', 'checksum tree', 'a sector has no checksum', address)
}

function misplaced(address: number): Error {
  return btrfsFormatError('FORMAT_INVALID', 'checksum tree', 'checksums of no sector', address)
}

/** Index of the last of ascending values that is not above `value`, 0 where all are. */
function lastNotAbove(count: number, valueAt: (index: number) => number, value: number): number {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (valueAt(middle) <= value) low = middle + 1
    else high = middle
  }
  return Math.max(0, low - 1)
}
