import type { ByteRange } from '@bootable/bytes'
import type { ExtentTable } from './extents.ts'
import * as btrfs from './format.ts'
import type { BtrfsNode } from './inventory.ts'
import { type ChunkLayout, divideChunk } from './layout.ts'
import { GENERATION, itemOf, type TreeItem } from './node.ts'
import type { BlockRecord } from './node-store.ts'

/** All that lies in the chunks. */
export interface Allocations {
  /** Ascending. */
  readonly chunks: readonly ChunkLayout[]
  readonly extents: ExtentTable<BtrfsNode>
  /** Tree blocks by ascending address. */
  readonly blocks: readonly BlockRecord[]
  /** The same as ranges, ascending. */
  readonly used: readonly ByteRange[]
}

/** Who uses which bytes, by address: extents of files and tree blocks, and the block groups they lie in. */
export function* extentTreeItems({ chunks, extents, blocks, used }: Allocations): Generator<TreeItem> {
  const data = extents.entries()[Symbol.iterator]()
  let nextData = data.next()
  let nextBlock = 0
  for (const chunk of chunks) {
    const end = chunk.address + chunk.length
    const group = blockGroupItem(chunk, used)
    let isGroupDue = true
    const due = function* (address: number): Generator<TreeItem> {
      // What starts where its block group does has a lower type, and comes first.
      if (isGroupDue && address > chunk.address) {
        isGroupDue = false
        yield group
      }
    }
    for (; !nextData.done && nextData.value[1].address < end; nextData = data.next()) {
      const [node, { address, fileOffset, diskLength }] = nextData.value
      yield* due(address)
      yield dataItem(node, address, fileOffset, diskLength)
    }
    for (; nextBlock < blocks.length && (blocks[nextBlock] as BlockRecord).address < end; nextBlock++) {
      const block = blocks[nextBlock] as BlockRecord
      yield* due(block.address)
      yield blockItem(block)
    }
    yield* due(end)
  }
}

function dataItem(node: BtrfsNode, address: number, fileOffset: number, diskLength: number): TreeItem {
  return {
    objectid: address,
    type: btrfs.BTRFS_EXTENT_ITEM_KEY,
    offset: diskLength,
    size: btrfs.DataExtentItem.size,
    write(leaf, at) {
      btrfs.DataExtentItem.write(leaf, at, {
        refs: 1,
        generation: GENERATION,
        flags: btrfs.BTRFS_EXTENT_FLAG_DATA,
        refType: btrfs.BTRFS_EXTENT_DATA_REF_KEY,
        root: node.root,
        objectid: node.objectid,
        offset: fileOffset,
        count: 1,
      })
    },
  }
}

function blockItem({ address, level, owner }: BlockRecord): TreeItem {
  return {
    objectid: address,
    type: btrfs.BTRFS_METADATA_ITEM_KEY,
    offset: level,
    size: btrfs.TreeBlockItem.size,
    write(leaf, at) {
      btrfs.TreeBlockItem.write(leaf, at, {
        refs: 1,
        generation: GENERATION,
        flags: btrfs.BTRFS_EXTENT_FLAG_TREE_BLOCK,
        refType: btrfs.BTRFS_TREE_BLOCK_REF_KEY,
        root: BigInt(owner),
      })
    },
  }
}

function blockGroupItem(chunk: ChunkLayout, used: readonly ByteRange[]): TreeItem {
  const item = btrfs.BlockGroupItem.encode({
    used: divideChunk(chunk, used).used,
    chunkObjectid: btrfs.BTRFS_FIRST_CHUNK_TREE_OBJECTID,
    flags: chunk.type,
  })
  return itemOf(chunk.address, btrfs.BTRFS_BLOCK_GROUP_ITEM_KEY, chunk.length, item)
}
