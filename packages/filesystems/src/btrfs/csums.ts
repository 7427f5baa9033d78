import type { ByteRange } from '@bootable/bytes'
import { sectorChecksum } from './checksum.ts'
import { BTRFS_EXTENT_CSUM_KEY, BTRFS_EXTENT_CSUM_OBJECTID, CSUM_SIZE } from './format.ts'
import { MAX_ITEM_SIZE, type TreeItem } from './node.ts'
import { SECTOR_SIZE } from './options.ts'

/** Checksums of all sectors of data, in the order of their addresses. */
export interface Checksums {
  /** Adds the sectors that follow those before. */
  add(data: Uint8Array): void
  /**
   * The items of the checksum tree.
   * @param used the addresses of the sectors
   */
  items(used: readonly ByteRange[]): Generator<TreeItem>
}

/** Four bytes are kept for each sector. */
export function createChecksums(): Checksums {
  let values = new Uint32Array(16_384)
  let count = 0
  return {
    add(data) {
      const sectors = data.length / SECTOR_SIZE
      if (count + sectors > values.length) {
        const larger = new Uint32Array(Math.max(values.length * 2, count + sectors))
        larger.set(values)
        values = larger
      }
      for (let start = 0; start < data.length; start += SECTOR_SIZE) {
        values[count++] = sectorChecksum(data, start, start + SECTOR_SIZE)
      }
    },
    *items(used) {
      let next = 0
      for (const { offset, length } of used) {
        for (let done = 0; done < length; done += PER_ITEM * SECTOR_SIZE) {
          const first = next
          const sectors = Math.min(PER_ITEM, (length - done) / SECTOR_SIZE)
          next += sectors
          yield {
            objectid: BTRFS_EXTENT_CSUM_OBJECTID,
            type: BTRFS_EXTENT_CSUM_KEY,
            offset: offset + done,
            size: sectors * CSUM_SIZE,
            write(leaf, at) {
              const view = new DataView(leaf.buffer, leaf.byteOffset)
              for (let index = 0; index < sectors; index++) {
                view.setUint32(at + index * CSUM_SIZE, values[first + index] as number, true)
              }
            },
          }
        }
      }
    },
  }
}

/** As many as the kernel puts into one item (`MAX_CSUM_ITEMS`). */
const PER_ITEM = Math.floor((MAX_ITEM_SIZE - 25) / CSUM_SIZE) - 1
