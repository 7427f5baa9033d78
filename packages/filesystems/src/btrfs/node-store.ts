import type { BlockDevice, GatherPiece } from '@bootable/bytes'
import { gather } from '@bootable/bytes'
import { blockChecksum } from './checksum.ts'
import { BACKREF_REVISION, BTRFS_HEADER_FLAG_WRITTEN, Header } from './format.ts'
import type { Allocator, ChunkLayout } from './layout.ts'
import { GENERATION } from './node.ts'
import { type BtrfsIdentity, NODE_SIZE } from './options.ts'

/** A tree block that has got its address. */
export interface BlockRecord {
  readonly address: number
  readonly level: number
  /** Number of the tree that it belongs to. */
  readonly owner: number | bigint
}

/** A tree block that is being filled. Its bytes are only good until the next flush. */
export interface OpenBlock {
  readonly address: number
  /** Of the block, in {@link NodeStore.buffer}. */
  readonly base: number
}

/** Where tree blocks are made and written, many at a time. */
export interface NodeStore {
  /** Blocks beside each other; their contents are written by offset. */
  readonly buffer: Uint8Array
  /** All blocks that were ever opened. */
  readonly records: readonly BlockRecord[]
  /** No further block can be opened before a flush. */
  readonly isFull: boolean
  /** Opens an empty block. */
  open(owner: number | bigint, level: number, from: Allocator): OpenBlock
  /** Has a part of an open block filled from elsewhere. */
  fill(piece: GatherPiece): void
  /** Says how many items a block has, which stays open until the next flush. */
  close(block: OpenBlock, items: number): void
  /** Seals all blocks and writes them in all copies. None may be half filled. */
  flush(): Promise<void>
}

/** Blocks of one write: 4 MiB. */
const BATCH = 256

export function createNodeStore(
  device: BlockDevice,
  chunks: readonly ChunkLayout[],
  { uuid, chunkTreeUuid }: BtrfsIdentity,
  onWritten: (bytes: number) => void,
  signal: AbortSignal | undefined,
): NodeStore {
  const buffer = new Uint8Array(BATCH * NODE_SIZE)
  const records: BlockRecord[] = []
  let open: BlockRecord[] = []
  let pieces: GatherPiece[] = []

  return {
    buffer,
    records,
    get isFull() {
      return open.length === BATCH
    },
    open(owner, level, from) {
      const record = { address: from.take(NODE_SIZE), level, owner }
      const base = open.length * NODE_SIZE
      buffer.fill(0, base, base + NODE_SIZE)
      Header.write(buffer, base, {
        fsid: uuid,
        bytenr: record.address,
        flags: BTRFS_HEADER_FLAG_WRITTEN | BACKREF_REVISION,
        chunkTreeUuid,
        generation: GENERATION,
        owner: BigInt(owner),
        level,
      })
      open.push(record)
      records.push(record)
      return { address: record.address, base }
    },
    fill: (piece) => pieces.push(piece),
    close: ({ base }, items) => Header.write(buffer, base, { nritems: items }),
    async flush() {
      signal?.throwIfAborted()
      await gather(pieces)
      for (let base = 0; base < open.length * NODE_SIZE; base += NODE_SIZE) {
        Header.write(buffer, base, { csum: blockChecksum(buffer, base, base + NODE_SIZE) })
      }
      const writes = open.flatMap((first, index) => {
        if (continues(open[index - 1], first)) return []
        let after = index + 1
        while (continues(open[after - 1], open[after])) after++
        const bytes = buffer.subarray(index * NODE_SIZE, after * NODE_SIZE)
        return copiesOf(chunks, first.address).map((position) => ({ position, bytes }))
      })
      await Promise.all(writes.map(({ position, bytes }) => device.write(position, bytes)))
      onWritten(writes.reduce((sum, { bytes }) => sum + bytes.length, 0))
      open = []
      pieces = []
    },
  }

  /** Whether two blocks lie beside each other, in one chunk. */
  function continues(before: BlockRecord | undefined, block: BlockRecord | undefined): boolean {
    if (!before || !block || before.address + NODE_SIZE !== block.address) return false
    return !chunks.some(({ address }) => address === block.address)
  }
}

/** Where a logical address lies on the device. */
function copiesOf(chunks: readonly ChunkLayout[], address: number): number[] {
  const chunk = chunks.find((each) => address >= each.address && address < each.address + each.length)
  return chunk?.stripes.map((stripe) => stripe + address - chunk.address) ?? []
}
