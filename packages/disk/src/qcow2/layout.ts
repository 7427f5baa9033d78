import { alignUp } from '@bootable/bytes'
import { ENTRY_SIZE, SECTOR } from './format.ts'

/** What we write: QEMU's defaults. */
export const CLUSTER_BITS = 16
export const CLUSTER_SIZE = 2 ** CLUSTER_BITS
/** 16 bits a refcount. */
export const REFCOUNT_ORDER = 4
/** Entries of one L2 table: 512 MiB of the disk. */
export const L2_ENTRIES = CLUSTER_SIZE / ENTRY_SIZE
/** Refcounts of one refcount block: 2 GiB of the file. */
export const REFCOUNTS_PER_BLOCK = CLUSTER_SIZE / 2

/** Bits of a compressed entry that hold the host offset; the sector count lies above them. */
export function compressedOffsetBits(clusterBits: number): number {
  return 62 - (clusterBits - 8)
}

/** Halves of the entry of a compressed cluster, without the flag of bit 62. */
export function compressedEntry(offset: number, length: number): { high: number; low: number } {
  // "Additional sectors": those after the one in which the data starts.
  const sectors = Math.floor((offset + length - 1) / SECTOR) - Math.floor(offset / SECTOR)
  const shift = compressedOffsetBits(CLUSTER_BITS) - 32
  return { high: sectors * 2 ** shift + Math.floor(offset / 2 ** 32), low: offset % 2 ** 32 }
}

/** Host clusters in use, counted; positions are bytes of the file. */
export interface Allocator {
  /** The first byte that nobody has. */
  readonly end: number
  /** Whole clusters at a cluster boundary. */
  clusters(count: number): number
  /** Bytes right behind the last ones; every host cluster that they touch counts one user more. */
  bytes(length: number): number
  /** Makes room for the refcounts of everything, their own clusters included, and hands them out. */
  seal(): RefcountTables
}

export interface RefcountTables {
  /** Position of the refcount table. */
  readonly offset: number
  /** Whole clusters, as they go into the file at `offset`: first the table, then its blocks. */
  readonly data: Uint8Array
  /** Clusters of the table alone. */
  readonly tableClusters: number
}

/** @param end bytes of the file that are in use already, whole clusters */
export function createAllocator(end: number): Allocator {
  // One block of refcounts stands for 2 GiB of the file, so all of them together stay small.
  const blocks: Uint16Array[] = []
  let position = 0

  function count(cluster: number): void {
    const index = Math.floor(cluster / REFCOUNTS_PER_BLOCK)
    while (blocks.length <= index) blocks.push(new Uint16Array(REFCOUNTS_PER_BLOCK))
    const block = blocks[index] as Uint16Array
    const within = cluster % REFCOUNTS_PER_BLOCK
    block[within] = (block[within] as number) + 1
  }

  function take(offset: number, length: number): number {
    const last = Math.floor((offset + length - 1) / CLUSTER_SIZE)
    for (let cluster = Math.floor(offset / CLUSTER_SIZE); cluster <= last; cluster++) count(cluster)
    position = offset + length
    return offset
  }

  take(0, end)
  const allocator: Allocator = {
    get end() {
      return position
    },
    clusters: (number) => take(alignUp(position, CLUSTER_SIZE), number * CLUSTER_SIZE),
    bytes: (length) => take(position, length),
    seal() {
      const used = Math.ceil(position / CLUSTER_SIZE)
      let tableClusters = 1
      let blockCount = 1
      // The tables count themselves: grow until nothing is missing.
      for (;;) {
        const needed = Math.ceil((used + tableClusters + blockCount) / REFCOUNTS_PER_BLOCK)
        const neededTable = Math.ceil((needed * ENTRY_SIZE) / CLUSTER_SIZE)
        if (needed <= blockCount && neededTable <= tableClusters) break
        blockCount = Math.max(needed, blockCount)
        tableClusters = Math.max(neededTable, tableClusters)
      }
      const offset = allocator.clusters(tableClusters + blockCount)
      const data = new Uint8Array((tableClusters + blockCount) * CLUSTER_SIZE)
      const view = new DataView(data.buffer)
      for (const [index, block] of blocks.entries()) {
        const within = (tableClusters + index) * CLUSTER_SIZE
        setEntry(view, index, offset + within)
        for (const [entry, refcount] of block.entries()) {
          if (refcount > 0) view.setUint16(within + entry * 2, refcount)
        }
      }
      return { offset, data, tableClusters }
    },
  }
  return allocator
}

/** A 64-bit file position as one entry of a table. */
export function setEntry(view: DataView, index: number, offset: number): void {
  view.setUint32(index * ENTRY_SIZE, Math.floor(offset / 2 ** 32))
  view.setUint32(index * ENTRY_SIZE + 4, offset % 2 ** 32)
}
