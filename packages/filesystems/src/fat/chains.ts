import type { ByteRange, ByteSource } from '@bootable/bytes'
import { FormatError } from '@bootable/bytes'
import { END_MIN, FIRST_CLUSTER } from './format.ts'
import type { FatLayout } from './layout.ts'
import { clusterOffset, clusterSize, fatOffset } from './layout.ts'

/** Bytes of the table read at a time: a multiple of 3, so that no entry of 12 bits crosses an edge. */
const PAGE = 3 * 65_536
const MAX_PAGES = 64

/** Follows chains in the file allocation table, and sees to it that no cluster is used twice. */
export interface ChainWalker {
  /**
   * Where the chain that starts at `first` keeps its bytes.
   *
   * @param clusters stop after that many; what follows in the chain stays unclaimed
   * @throws FormatError where the chain loops, meets another one, leaves the volume or ends in a free or
   * bad cluster
   */
  walk(first: number, clusters: number, owner: string): Promise<ChainExtents>
}

/** A chain on the medium. */
export interface ChainExtents {
  readonly clusters: number
  /** In the order of the chain, neighbours joined. */
  readonly ranges: readonly ByteRange[]
}

/** Memory: one bit a cluster, and a bounded number of pages of the table. */
export function createChainWalker(source: ByteSource, layout: FatLayout): ChainWalker {
  const { type, clusters } = layout
  const claimed = new Uint8Array(Math.ceil((clusters + FIRST_CLUSTER) / 8))
  const tableSize = layout.sectorsPerFat * layout.sectorSize
  const pages = new Map<number, DataView>()
  const size = clusterSize(layout)

  async function load(index: number): Promise<DataView> {
    const bytes = new Uint8Array(PAGE)
    const length = Math.min(PAGE, tableSize - index * PAGE)
    await source.read(fatOffset(layout) + index * PAGE, bytes.subarray(0, length))
    const page = new DataView(bytes.buffer)
    const [oldest] = pages.keys()
    if (pages.size >= MAX_PAGES && oldest !== undefined) pages.delete(oldest)
    pages.set(index, page)
    return page
  }

  /** Reads an entry at once where its page is in memory, which is nearly always. */
  function next(cluster: number): number | Promise<number> {
    const position = Math.floor((cluster * type) / 8)
    const index = Math.floor(position / PAGE)
    const page = pages.get(index)
    const within = position - index * PAGE
    return page
      ? entryAt(page, within, cluster)
      : load(index).then((loaded) => entryAt(loaded, within, cluster))
  }

  function entryAt(page: DataView, at: number, cluster: number): number {
    if (type === 32) return page.getUint32(at, true) & 0x0fff_ffff
    const value = page.getUint16(at, true)
    if (type === 16) return value
    return cluster % 2 === 0 ? value & 0xfff : value >> 4
  }

  function claim(cluster: number, owner: string): void {
    if (cluster < FIRST_CLUSTER || cluster >= clusters + FIRST_CLUSTER) {
      throw broken(owner, cluster, `2 to ${clusters + 1}`, 'its chain leads to a cluster that does not exist')
    }
    const bit = 1 << (cluster & 7)
    const byte = claimed[cluster >> 3] as number
    if (byte & bit)
      throw broken(owner, cluster, 'a cluster of its own', 'its chain loops or meets another one')
    claimed[cluster >> 3] = byte | bit
  }

  return {
    async walk(first, limit, owner) {
      const ranges: { offset: number; length: number }[] = []
      let count = 0
      for (let cluster = first; count < limit && cluster < END_MIN[type]; ) {
        claim(cluster, owner)
        count++
        const offset = clusterOffset(layout, cluster)
        const last = ranges[ranges.length - 1]
        if (last && last.offset + last.length === offset) last.length += size
        else ranges.push({ offset, length: size })
        const following = next(cluster)
        cluster = typeof following === 'number' ? following : await following
      }
      return { clusters: count, ranges }
    },
  }
}

function broken(owner: string, cluster: number, expected: string, message: string): FormatError {
  return new FormatError(
    'FORMAT_INVALID',
    { format: 'fat', structure: owner, expected, actual: cluster },
    `${message}: ${cluster}`,
  )
}
