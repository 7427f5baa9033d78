import type { ByteRange } from '@bootable/bytes'
import { concatBytes } from '@bootable/bytes'
import * as btrfs from './format.ts'
import { type ChunkLayout, divideChunk } from './layout.ts'
import { itemOf, type TreeItem } from './node.ts'
import { type BtrfsIdentity, SECTOR_SIZE } from './options.ts'

/** The number of the one device. */
const DEVICE = 1

/** A chunk as the chunk tree and the superblock hold it. */
export function encodeChunk({ length, type, stripes }: ChunkLayout, identity: BtrfsIdentity): Uint8Array {
  const chunk = btrfs.Chunk.encode({
    length,
    owner: btrfs.BTRFS_EXTENT_TREE_OBJECTID,
    stripeLen: btrfs.BTRFS_STRIPE_LEN,
    type,
    ioAlign: btrfs.BTRFS_STRIPE_LEN,
    ioWidth: btrfs.BTRFS_STRIPE_LEN,
    sectorSize: SECTOR_SIZE,
    numStripes: stripes.length,
    subStripes: 1,
  })
  const parts = stripes.map((offset) =>
    btrfs.Stripe.encode({ devid: DEVICE, offset, devUuid: identity.deviceUuid }),
  )
  return concatBytes([chunk, ...parts])
}

/** The device as the chunk tree and the superblock hold it. */
export function encodeDevice(
  totalBytes: number,
  chunks: readonly ChunkLayout[],
  { deviceUuid, uuid }: BtrfsIdentity,
): Uint8Array {
  return btrfs.DevItem.encode({
    devid: DEVICE,
    totalBytes,
    bytesUsed: chunks.reduce((sum, { length, stripes }) => sum + length * stripes.length, 0),
    ioAlign: SECTOR_SIZE,
    ioWidth: SECTOR_SIZE,
    sectorSize: SECTOR_SIZE,
    uuid: deviceUuid,
    fsid: uuid,
  })
}

/** Which logical addresses lie where: the device and its chunks. */
export function* chunkTreeItems(
  device: Uint8Array,
  chunks: readonly ChunkLayout[],
  identity: BtrfsIdentity,
): Generator<TreeItem> {
  yield itemOf(btrfs.BTRFS_DEV_ITEMS_OBJECTID, btrfs.BTRFS_DEV_ITEM_KEY, DEVICE, device)
  const tree = btrfs.BTRFS_FIRST_CHUNK_TREE_OBJECTID
  for (const chunk of chunks) {
    yield itemOf(tree, btrfs.BTRFS_CHUNK_ITEM_KEY, chunk.address, encodeChunk(chunk, identity))
  }
}

/** What of the device is taken by which chunk. */
export function* deviceTreeItems(
  chunks: readonly ChunkLayout[],
  { chunkTreeUuid }: BtrfsIdentity,
): Generator<TreeItem> {
  const stats = btrfs.DevStatsItem.encode({})
  yield itemOf(btrfs.BTRFS_DEV_STATS_OBJECTID, btrfs.BTRFS_PERSISTENT_ITEM_KEY, DEVICE, stats)
  // Copies lie behind each other, so that ascending chunks have ascending extents.
  for (const { address, length, stripes } of chunks) {
    for (const stripe of stripes) {
      const extent = btrfs.DevExtent.encode({
        chunkTree: btrfs.BTRFS_CHUNK_TREE_OBJECTID,
        chunkObjectid: btrfs.BTRFS_FIRST_CHUNK_TREE_OBJECTID,
        chunkOffset: address,
        length,
        chunkTreeUuid,
      })
      yield itemOf(DEVICE, btrfs.BTRFS_DEV_EXTENT_KEY, stripe, extent)
    }
  }
}

/** The free space of every chunk. @param used all that is in use, ascending */
export function* freeSpaceItems(
  chunks: readonly ChunkLayout[],
  used: readonly ByteRange[],
): Generator<TreeItem> {
  for (const chunk of chunks) {
    const { free } = divideChunk(chunk, used)
    const info = btrfs.FreeSpaceInfo.encode({ extentCount: free.length })
    yield itemOf(chunk.address, btrfs.BTRFS_FREE_SPACE_INFO_KEY, chunk.length, info)
    for (const { offset, length } of free) {
      yield itemOf(offset, btrfs.BTRFS_FREE_SPACE_EXTENT_KEY, length, NOTHING)
    }
  }
}

const NOTHING = new Uint8Array()
