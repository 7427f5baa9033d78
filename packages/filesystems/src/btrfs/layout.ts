import type { ByteRange } from '@bootable/bytes'
import { alignDown, alignUp, GiB, MiB } from '@bootable/bytes'
import {
  BTRFS_BLOCK_GROUP_DATA,
  BTRFS_BLOCK_GROUP_DUP,
  BTRFS_BLOCK_GROUP_METADATA,
  BTRFS_BLOCK_GROUP_SYSTEM,
  BTRFS_DEVICE_RANGE_RESERVED,
  BTRFS_STRIPE_LEN,
  SUPERBLOCK_OFFSETS,
} from './format.ts'
import { SECTOR_SIZE } from './options.ts'

/** A chunk with its block group. Its logical address is where its first copy lies on the device. */
export interface ChunkLayout {
  readonly address: number
  /** Bytes of one copy. */
  readonly length: number
  /** Type of block group, and its profile. */
  readonly type: bigint
  /** Where its copies lie on the device. */
  readonly stripes: readonly number[]
}

/** What a filesystem has to hold. */
export interface BtrfsNeeds {
  /** Bytes of files outside of the trees. */
  readonly data: number
  /** Bytes of tree blocks, an upper bound. */
  readonly metadata: number
  /** Bytes of those that are of the extent and the checksum tree. */
  readonly reserve: number
}

/** Where everything may lie. */
export interface Layout {
  /** Bytes of the device, whole sectors. */
  readonly totalBytes: number
  readonly system: ChunkLayout
  readonly metadata: readonly ChunkLayout[]
  readonly data: readonly ChunkLayout[]
  /** About so many bytes will be written. */
  readonly expectedBytes: number
}

/** What mkfs.btrfs gives the chunk tree. */
const SYSTEM_CHUNK = 8 * MiB
/** Chunks of metadata and of data have at most so many bytes (`btrfs_alloc_chunk`). */
const MAX_CHUNK = GiB
const MIN_CHUNK = 8 * MiB
/** A chunk of data takes a tenth of the device at most. */
const DATA_SHARE = 10
/** Of metadata, a twentieth in each of its two copies, up to so many bytes unless there is more to hold. */
const METADATA_SHARE = 20
const MAX_SPARE_METADATA = 256 * MiB
/** The least that the kernel keeps back of metadata (`btrfs_update_global_block_rsv`), generously. */
const MIN_RESERVE = 6 * MiB
/** What it asks for beyond that before it starts on a few changes: the worst that they could take. */
const WORKING_ROOM = 10 * MiB
/** Data that can still be written on the smallest device. */
const DATA_RESERVE = MiB

/**
 * Bytes for metadata with which the kernel can go on working in a filesystem: it keeps back as much as the
 * extent and the checksum tree have.
 */
function leastMetadata({ metadata, reserve }: BtrfsNeeds): number {
  return alignUp(metadata + Math.max(reserve, MIN_RESERVE) + WORKING_ROOM, MiB)
}

/**
 * Lays out the chunks: system and metadata in two copies, then as many of data as are needed, at least one.
 * @param size bytes of the device
 * @returns `undefined` where it all does not fit
 */
export function layoutChunks(size: number, needs: BtrfsNeeds): Layout | undefined {
  const totalBytes = alignDown(size, SECTOR_SIZE)
  const least = leastMetadata(needs)
  const share = alignDown(totalBytes / METADATA_SHARE, MiB)
  const usual = Math.max(least, Math.min(share, MAX_SPARE_METADATA))
  const layout = tryLayout(totalBytes, usual, needs.data) ?? tryLayout(totalBytes, least, needs.data)
  return layout && { ...layout, expectedBytes: needs.data + needs.metadata * 2 }
}

function tryLayout(
  totalBytes: number,
  metadataBytes: number,
  dataBytes: number,
): Omit<Layout, 'expectedBytes'> | undefined {
  let cursor = BTRFS_DEVICE_RANGE_RESERVED
  const place = (length: number, type: bigint, copies: number): ChunkLayout => {
    const stripes = Array.from({ length: copies }, (_, copy) => cursor + copy * length)
    const chunk = { address: cursor, length, type, stripes }
    cursor += length * copies
    return chunk
  }
  const system = place(SYSTEM_CHUNK, BTRFS_BLOCK_GROUP_SYSTEM | BTRFS_BLOCK_GROUP_DUP, 2)
  const metadata: ChunkLayout[] = []
  for (let rest = metadataBytes; rest > 0; rest -= MAX_CHUNK) {
    metadata.push(place(Math.min(rest, MAX_CHUNK), BTRFS_BLOCK_GROUP_METADATA | BTRFS_BLOCK_GROUP_DUP, 2))
  }
  if (cursor > totalBytes) return undefined
  const share = alignDown(totalBytes / DATA_SHARE, MiB)
  const chunkLength = Math.min(Math.max(share, MIN_CHUNK), MAX_CHUNK)
  const data: ChunkLayout[] = []
  let room = 0
  do {
    const left = alignDown(totalBytes - cursor, BTRFS_STRIPE_LEN)
    if (left <= 0) return undefined
    const chunk = place(Math.min(chunkLength, left), BTRFS_BLOCK_GROUP_DATA, 1)
    data.push(chunk)
    for (const { length } of usableRanges(chunk)) room += length
  } while (room < dataBytes)
  return { totalBytes, system, metadata, data }
}

/** Bytes of the smallest device that {@link layoutChunks} finds room on. */
export function smallestDevice(needs: BtrfsNeeds): number {
  const metadata = leastMetadata(needs)
  // A mounted filesystem reserves room for data also of files that will stand in the tree.
  const data = alignUp(needs.data, MiB) + DATA_RESERVE
  let size = BTRFS_DEVICE_RANGE_RESERVED + 2 * SYSTEM_CHUNK + 2 * metadata + data
  while (!layoutChunks(size, needs)) size += MiB
  return size
}

/** Logical addresses of a chunk that may be used: all but those whose copies lie around a superblock. */
export function usableRanges({ address, length, stripes }: ChunkLayout): ByteRange[] {
  const reserved = stripes
    .flatMap((stripe) => SUPERBLOCK_OFFSETS.map((offset) => address + offset - stripe))
    .filter((offset) => offset >= address && offset < address + length)
    .sort((a, b) => a - b)
  const ranges: ByteRange[] = []
  let start = address
  for (const offset of reserved) {
    if (offset > start) ranges.push({ offset: start, length: offset - start })
    start = offset + BTRFS_STRIPE_LEN
  }
  if (start < address + length) ranges.push({ offset: start, length: address + length - start })
  return ranges
}

/** Gives out logical addresses of some chunks, ascending and without gaps. */
export interface Allocator {
  /** Bytes that lie in one piece from the next address on; 0 when all is taken. */
  readonly contiguous: number
  /** Takes bytes in one piece, at most `contiguous`, and answers with their address. */
  take(length: number): number
  /** What has been taken, ascending. */
  used(): ByteRange[]
  /** Another one in the same state. */
  fork(): Allocator
}

export function createAllocator(chunks: readonly ChunkLayout[]): Allocator {
  return allocatorAt(chunks.flatMap(usableRanges), 0, 0)
}

function allocatorAt(ranges: readonly ByteRange[], first: number, done: number): Allocator {
  let index = first
  let taken = done
  const current = (): ByteRange | undefined => ranges[index]
  return {
    get contiguous() {
      return (current()?.length ?? 0) - taken
    },
    take(length) {
      const range = current()
      if (!range || length > range.length - taken) throw new RangeError(`no room for ${length} bytes`)
      const address = range.offset + taken
      taken += length
      if (taken === range.length) {
        index++
        taken = 0
      }
      return address
    },
    used() {
      const used = ranges.slice(0, index)
      const range = current()
      if (range && taken > 0) used.push({ offset: range.offset, length: taken })
      return used
    },
    fork: () => allocatorAt(ranges, index, taken),
  }
}

/** What of a chunk is in use and what is free, given everything that is in use. */
export function divideChunk(
  chunk: ChunkLayout,
  used: readonly ByteRange[],
): { readonly used: number; readonly free: readonly ByteRange[] } {
  const end = chunk.address + chunk.length
  const free: ByteRange[] = []
  let sum = 0
  let start = chunk.address
  for (const { offset, length } of used) {
    if (offset < chunk.address || offset >= end) continue
    // What is reserved for superblocks counts as free: nothing but the mount knows of it.
    if (offset > start) free.push({ offset: start, length: offset - start })
    start = offset + length
    sum += length
  }
  if (start < end) free.push({ offset: start, length: end - start })
  return { used: sum, free }
}
