import type { BlockDevice, Uuid } from '@bootable/bytes'
import { portableRuntime, uuidFromBytes } from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import { findSparseRuns } from '../content/sparse.ts'
import { closeTrees } from './closing-trees.ts'
import { writeContents } from './contents.ts'
import { chunkTreeItems, deviceTreeItems, encodeDevice } from './device-trees.ts'
import * as btrfs from './format.ts'
import { nodeItems } from './fs-tree.ts'
import { type BtrfsRoot, takeInventory } from './inventory.ts'
import { type ChunkLayout, createAllocator } from './layout.ts'
import type { TreeItem } from './node.ts'
import { createNodeStore } from './node-store.ts'
import {
  type BtrfsRequests,
  checkIdentity,
  checkRequests,
  NODE_SIZE,
  SECTOR_SIZE,
  type WriteBtrfsOptions,
} from './options.ts'
import { planLayout } from './plan.ts'
import { emptyDirectory, rootTreeItems, type Trees, uuidTreeItems } from './root-tree.ts'
import { encodeSuperblock, type SuperblockFacts } from './superblock-encode.ts'
import { type BuiltTree, buildTree } from './tree-builder.ts'

/** What {@link writeBtrfs} made. */
export interface BtrfsLayout {
  readonly uuid: Uuid
  readonly label: string
  /** Bytes of the filesystem. */
  readonly size: number
  /** Bytes in use by contents and trees, copies not counted. */
  readonly bytesUsed: number
  /** Bytes that no chunk has taken. */
  readonly unallocated: number
  readonly nodeSize: number
  readonly sectorSize: number
  /** In the order of the options. */
  readonly subvolumes: readonly { readonly id: number; readonly path: string; readonly uuid: Uuid }[]
  /** Number of the subvolume that is mounted by default; 5 is the top level. */
  readonly defaultSubvolume: number
}

/**
 * Makes a btrfs filesystem over the whole of a device and puts a tree into it.
 *
 * Single data, metadata in two copies, blocks and features as mkfs.btrfs 6.1 to 6.17 chooses them; no
 * block group tree, which kernels before 6.1 do not mount. All four times of an inode are its modification
 * time. The primary superblock is written last: a device that was given up half-way is not taken for a
 * filesystem. For each 4 KiB of content 4 bytes are kept in memory until the end.
 *
 * @throws BootableError with a `BtrfsErrorCode` before anything is written, or what the device throws
 */
export async function writeBtrfs(
  tree: FileTree,
  device: BlockDevice,
  options: WriteBtrfsOptions,
): Promise<BtrfsLayout> {
  const { signal, onProgress, runtime = portableRuntime } = options
  signal?.throwIfAborted()
  const requests = checkRequests(options)
  const identity = checkIdentity(tree, options, requests)
  const roots = takeInventory(tree, requests)
  const nodes = roots.flatMap((root) => root.nodes)
  const sparse = await findSparseRuns(nodes, SECTOR_SIZE, signal)
  const layout = planLayout(roots, device.size, sparse)

  const id = `btrfs ${uuidFromBytes(identity.uuid)}`
  onProgress?.({ type: 'start', id, label: 'btrfs', unit: 'bytes', total: layout.expectedBytes })
  let done = 0
  const onWritten = (bytes: number): void => {
    done = Math.min(done + bytes, layout.expectedBytes)
    onProgress?.({ type: 'advance', id, done, total: layout.expectedBytes })
  }

  const data = createAllocator(layout.data)
  const contents = await writeContents(roots, device, { allocator: data, sparse, runtime, signal, onWritten })
  const dataUsed = data.used()
  const chunks = [layout.system, ...layout.metadata, ...chunksInUse(layout.data, dataUsed)]
  const store = createNodeStore(device, chunks, identity, onWritten, signal)
  const metadata = createAllocator(layout.metadata)
  const system = createAllocator([layout.system])
  const build = (owner: number | bigint, items: Iterable<TreeItem>): Promise<BuiltTree> =>
    buildTree(owner, items, store, metadata)

  const files = new Map<number, BuiltTree>()
  for (const root of roots) files.set(root.id, await build(root.id, fileItems(root, contents.extents.of)))
  const relocation = emptyDirectory(btrfs.BTRFS_FIRST_FREE_OBJECTID, identity.time)
  const others = {
    files,
    checksum: await build(btrfs.BTRFS_CSUM_TREE_OBJECTID, contents.checksums.items(dataUsed)),
    uuid: await build(btrfs.BTRFS_UUID_TREE_OBJECTID, uuidTreeItems(identity)),
    dataRelocation: await build(btrfs.BTRFS_DATA_RELOC_TREE_OBJECTID, relocation),
    device: await build(btrfs.BTRFS_DEV_TREE_OBJECTID, deviceTreeItems(chunks, identity)),
  }
  const deviceItem = encodeDevice(layout.totalBytes, chunks, identity)
  const chunkItems = chunkTreeItems(deviceItem, chunks, identity)
  const chunkRoot = await buildTree(btrfs.BTRFS_CHUNK_TREE_OBJECTID, chunkItems, store, system)
  const { defaultSubvolume } = requests
  const closing = await closeTrees({
    store,
    metadata,
    chunks,
    extents: contents.extents,
    otherwiseUsed: [...dataUsed, ...system.used()],
    rootItems: (extent, freeSpace) =>
      rootTreeItems({ ...others, extent, freeSpace }, roots, defaultSubvolume, identity),
  })
  await store.flush()

  const trees: Trees = { ...others, extent: closing.extent, freeSpace: closing.freeSpace }
  await writeSuperblocks(device, {
    identity,
    totalBytes: layout.totalBytes,
    bytesUsed: closing.bytesUsed,
    root: closing.root,
    chunkRoot,
    trees,
    system: layout.system,
    device: deviceItem,
    incompatFlags: incompatFlags(requests),
  })
  onProgress?.({ type: 'end', id })
  const allocated = chunks.reduce((sum, { length, stripes }) => sum + length * stripes.length, 0)
  return {
    uuid: uuidFromBytes(identity.uuid),
    label: options.label ?? '',
    size: layout.totalBytes,
    bytesUsed: closing.bytesUsed,
    unallocated: layout.totalBytes - btrfs.BTRFS_DEVICE_RANGE_RESERVED - allocated,
    nodeSize: NODE_SIZE,
    sectorSize: SECTOR_SIZE,
    subvolumes: requests.subvolumes.map(({ id, path }) => ({
      id,
      path,
      uuid: uuidFromBytes(identity.rootUuids.get(id) as Uint8Array),
    })),
    defaultSubvolume,
  }
}

function* fileItems(root: BtrfsRoot, extentsOf: Parameters<typeof nodeItems>[2]): Generator<TreeItem> {
  for (const node of root.nodes) yield* nodeItems(root, node, extentsOf)
}

/** Compression may leave chunks without anything in them; one is kept for the files to come. */
function chunksInUse(
  chunks: readonly ChunkLayout[],
  used: readonly { readonly offset: number }[],
): readonly ChunkLayout[] {
  const last = used[used.length - 1]?.offset ?? 0
  return chunks.filter(({ address }, index) => index === 0 || address <= last)
}

function incompatFlags({ subvolumes, codec, defaultSubvolume }: BtrfsRequests): bigint {
  const types = [codec, ...subvolumes.map((subvolume) => subvolume.codec)].map((each) => each?.type)
  return (
    btrfs.BTRFS_FEATURE_INCOMPAT_MIXED_BACKREF |
    btrfs.BTRFS_FEATURE_INCOMPAT_BIG_METADATA |
    btrfs.BTRFS_FEATURE_INCOMPAT_EXTENDED_IREF |
    btrfs.BTRFS_FEATURE_INCOMPAT_SKINNY_METADATA |
    btrfs.BTRFS_FEATURE_INCOMPAT_NO_HOLES |
    (types.includes(btrfs.BTRFS_COMPRESS_ZSTD) ? btrfs.BTRFS_FEATURE_INCOMPAT_COMPRESS_ZSTD : 0n) |
    (defaultSubvolume === btrfs.BTRFS_FS_TREE_OBJECTID ? 0n : btrfs.BTRFS_FEATURE_INCOMPAT_DEFAULT_SUBVOL)
  )
}

/** Mirrors first, the primary last. */
async function writeSuperblocks(device: BlockDevice, facts: SuperblockFacts): Promise<void> {
  for (const offset of [...btrfs.SUPERBLOCK_OFFSETS].reverse()) {
    if (offset + btrfs.BTRFS_SUPER_INFO_SIZE > facts.totalBytes) continue
    await device.write(offset, encodeSuperblock(facts, offset))
  }
}
