import type { BlockDevice, Runtime } from '@bootable/bytes'
import { createCoalescingWriter, gather } from '@bootable/bytes'
import { emitPieces, type Piece } from '../content/emit.ts'
import { compressBlock } from './compression.ts'
import { type Checksums, createChecksums } from './csums.ts'
import { createExtentTable, type ExtentTable } from './extents.ts'
import { BTRFS_COMPRESS_NONE, BTRFS_MAX_EXTENT_SIZE, BTRFS_MAX_UNCOMPRESSED } from './format.ts'
import type { BtrfsNode, BtrfsRoot } from './inventory.ts'
import type { Allocator } from './layout.ts'
import { type Codec, SECTOR_SIZE } from './options.ts'
import { dataRuns, type SparseRuns } from './plan.ts'

/** The contents of all files, written. */
export interface WrittenContents {
  readonly extents: ExtentTable<BtrfsNode>
  readonly checksums: Checksums
}

/** What writing contents takes. */
export interface ContentsOptions {
  readonly allocator: Allocator
  readonly sparse: SparseRuns
  readonly runtime: Runtime
  readonly signal: AbortSignal | undefined
  readonly onWritten: (bytes: number) => void
}

/** A piece of a file that is compressed at once. */
interface Block {
  readonly node: BtrfsNode
  readonly fileOffset: number
  /** Whole sectors, zeros behind the end of the file. */
  readonly data: Uint8Array
}

/** Blocks that are read and compressed at the same time: 4 MiB. */
const BATCH = 32

/** Writes all files that do not stand in the trees, in their order, and notes where and with which checksums. */
export async function writeContents(
  roots: readonly BtrfsRoot[],
  device: BlockDevice,
  { allocator, sparse, runtime, signal, onWritten }: ContentsOptions,
): Promise<WrittenContents> {
  const extents = createExtentTable<BtrfsNode>()
  const checksums = createChecksums()
  for (const root of roots) {
    if (root.codec) await writeCompressed(root, root.codec)
    else await emitPieces(device, plainPieces(root), { signal, inspect: checksums.add, onWritten })
  }
  return { extents, checksums }

  function* plainPieces(root: BtrfsRoot): Generator<Piece> {
    for (const node of root.nodes) {
      if (node.inode.type !== 'file') continue
      const source = node.inode.content
      for (const run of dataRuns(node, sparse.get(node))) {
        const end = (run.block + run.length) * SECTOR_SIZE
        for (let offset = run.block * SECTOR_SIZE; offset < end; ) {
          const span = Math.min(end - offset, BTRFS_MAX_EXTENT_SIZE, allocator.contiguous)
          const position = place(node, offset, span)
          const length = Math.min(span, source.size - offset)
          yield { position, span, content: { source, offset, length } }
          offset += span
        }
      }
    }
  }

  /** Takes room for a plain extent. */
  function place(node: BtrfsNode, fileOffset: number, length: number): number {
    const address = allocator.take(length)
    const compression = BTRFS_COMPRESS_NONE
    extents.add(node, { fileOffset, length, address, diskLength: length, compression })
    return address
  }

  async function writeCompressed(root: BtrfsRoot, codec: Codec): Promise<void> {
    const writer = createCoalescingWriter(device, BATCH * BTRFS_MAX_UNCOMPRESSED)
    let pending: { readonly batch: readonly Block[]; readonly results: Promise<Uint8Array[]> } | undefined
    // One batch is being compressed while the one before it is written.
    for (const batch of batches(root, sparse)) {
      signal?.throwIfAborted()
      const results = compressBatch(batch, codec)
      // It is awaited in the next round; until then it must not count as unhandled.
      results.catch(() => {})
      if (pending) await writeBatch(pending.batch, await pending.results)
      pending = { batch, results }
    }
    if (pending) await writeBatch(pending.batch, await pending.results)
    await writer.flush()

    async function writeBatch(batch: readonly Block[], compressed: readonly Uint8Array[]): Promise<void> {
      for (const [index, block] of batch.entries()) {
        for (const { position, bytes } of store(block, compressed[index] as Uint8Array, codec)) {
          checksums.add(bytes)
          const writing = writer.write(position, bytes)
          if (writing) await writing
        }
      }
      onWritten(batch.reduce((sum, { data }) => sum + data.length, 0))
    }
  }

  async function compressBatch(batch: readonly Block[], codec: Codec): Promise<Uint8Array[]> {
    await gather(batch.map(({ node, fileOffset, data }) => readOf(node, fileOffset, data)))
    return Promise.all(
      batch.map(({ data }) => (data.length > SECTOR_SIZE ? compressBlock(data, codec, runtime) : data)),
    )
  }

  /** Finds a place for a block: compressed where that saves a sector, or else as it is. */
  function* store(
    { node, fileOffset, data }: Block,
    compressed: Uint8Array,
    codec: Codec,
  ): Generator<{ position: number; bytes: Uint8Array }> {
    const diskLength = Math.ceil(compressed.length / SECTOR_SIZE) * SECTOR_SIZE
    // Where the chunk ends, plain data can be divided; the plan has room for that, and not for a gap.
    if (diskLength < data.length && diskLength <= allocator.contiguous) {
      const address = allocator.take(diskLength)
      extents.add(node, { fileOffset, length: data.length, address, diskLength, compression: codec.type })
      const bytes = new Uint8Array(diskLength)
      bytes.set(compressed)
      yield { position: address, bytes }
      return
    }
    for (let done = 0; done < data.length; ) {
      const span = Math.min(data.length - done, allocator.contiguous)
      yield { position: place(node, fileOffset + done, span), bytes: data.subarray(done, done + span) }
      done += span
    }
  }
}

function readOf(
  { inode }: BtrfsNode,
  offset: number,
  data: Uint8Array,
): Parameters<typeof gather>[0][number] {
  if (inode.type !== 'file') throw new RangeError(`a ${inode.type} has no content`)
  const { content } = inode
  return { source: content, offset, target: data.subarray(0, Math.min(data.length, content.size - offset)) }
}

/** The blocks of all files of a tree, so many at a time. */
function* batches(root: BtrfsRoot, sparse: SparseRuns): Generator<Block[]> {
  let batch: Block[] = []
  for (const node of root.nodes) {
    for (const run of dataRuns(node, sparse.get(node))) {
      const end = (run.block + run.length) * SECTOR_SIZE
      for (let fileOffset = run.block * SECTOR_SIZE; fileOffset < end; ) {
        const length = Math.min(end - fileOffset, BTRFS_MAX_UNCOMPRESSED)
        batch.push({ node, fileOffset, data: new Uint8Array(length) })
        if (batch.length === BATCH) {
          yield batch
          batch = []
        }
        fileOffset += length
      }
    }
  }
  if (batch.length > 0) yield batch
}
