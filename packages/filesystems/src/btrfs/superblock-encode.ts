import { concatBytes } from '@bootable/bytes'
import { blockChecksum } from './checksum.ts'
import { encodeChunk } from './device-trees.ts'
import * as btrfs from './format.ts'
import type { ChunkLayout } from './layout.ts'
import { GENERATION } from './node.ts'
import { type BtrfsIdentity, NODE_SIZE, SECTOR_SIZE } from './options.ts'
import type { Trees } from './root-tree.ts'
import type { BuiltTree } from './tree-builder.ts'

/** Everything that a superblock says. */
export interface SuperblockFacts {
  readonly identity: BtrfsIdentity
  readonly totalBytes: number
  /** Bytes in use, of copies one each. */
  readonly bytesUsed: number
  readonly root: BuiltTree
  readonly chunkRoot: BuiltTree
  readonly trees: Trees
  /** The chunk that holds the chunk tree. */
  readonly system: ChunkLayout
  /** `btrfs_dev_item` of the device. */
  readonly device: Uint8Array
  readonly incompatFlags: bigint
}

/** A superblock. @param bytenr where it stands on the device */
export function encodeSuperblock(facts: SuperblockFacts, bytenr: number): Uint8Array {
  const { identity, totalBytes, bytesUsed, root, chunkRoot, system, device, incompatFlags } = facts
  const key = btrfs.DiskKey.encode({
    objectid: BigInt(btrfs.BTRFS_FIRST_CHUNK_TREE_OBJECTID),
    type: btrfs.BTRFS_CHUNK_ITEM_KEY,
    offset: BigInt(system.address),
  })
  const systemChunks = concatBytes([key, encodeChunk(system, identity)])
  const superblock = btrfs.SuperBlock.encode({
    fsid: identity.uuid,
    bytenr,
    flags: btrfs.BTRFS_HEADER_FLAG_WRITTEN,
    magic: btrfs.BTRFS_MAGIC,
    generation: GENERATION,
    root: root.address,
    chunkRoot: chunkRoot.address,
    totalBytes,
    bytesUsed,
    rootDirObjectid: btrfs.BTRFS_ROOT_TREE_DIR_OBJECTID,
    numDevices: 1,
    sectorsize: SECTOR_SIZE,
    nodesize: NODE_SIZE,
    leafsize: NODE_SIZE,
    stripesize: SECTOR_SIZE,
    sysChunkArraySize: systemChunks.length,
    chunkRootGeneration: GENERATION,
    compatRoFlags:
      btrfs.BTRFS_FEATURE_COMPAT_RO_FREE_SPACE_TREE | btrfs.BTRFS_FEATURE_COMPAT_RO_FREE_SPACE_TREE_VALID,
    incompatFlags,
    csumType: btrfs.BTRFS_CSUM_TYPE_CRC32,
    rootLevel: root.level,
    chunkRootLevel: chunkRoot.level,
    devItem: device,
    label: identity.label,
    // The uuid tree is whole: without this the kernel would go over all subvolumes to make sure.
    uuidTreeGeneration: GENERATION,
    sysChunkArray: systemChunks,
    superRoots: encodeBackup(facts),
  })
  btrfs.SuperBlock.write(superblock, 0, { csum: blockChecksum(superblock) })
  return superblock
}

/** The first of four copies of the roots that older transactions would have left. */
function encodeBackup({ root, chunkRoot, trees, totalBytes, bytesUsed }: SuperblockFacts): Uint8Array {
  const files = trees.files.get(btrfs.BTRFS_FS_TREE_OBJECTID)
  return btrfs.RootBackup.encode({
    treeRoot: root.address,
    treeRootGen: GENERATION,
    treeRootLevel: root.level,
    chunkRoot: chunkRoot.address,
    chunkRootGen: GENERATION,
    chunkRootLevel: chunkRoot.level,
    extentRoot: trees.extent.address,
    extentRootGen: GENERATION,
    extentRootLevel: trees.extent.level,
    fsRoot: files?.address ?? 0,
    fsRootGen: GENERATION,
    fsRootLevel: files?.level ?? 0,
    devRoot: trees.device.address,
    devRootGen: GENERATION,
    devRootLevel: trees.device.level,
    csumRoot: trees.checksum.address,
    csumRootGen: GENERATION,
    csumRootLevel: trees.checksum.level,
    totalBytes,
    bytesUsed,
    numDevices: 1,
  })
}
