import { utf8 } from '@bootable/bytes'
import { nameHash } from './checksum.ts'
import * as btrfs from './format.ts'
import { timeFields, writeDirItem } from './fs-tree.ts'
import type { BtrfsRoot } from './inventory.ts'
import { GENERATION, itemOf, TRANSACTION, type TreeItem } from './node.ts'
import { type BtrfsIdentity, NODE_SIZE } from './options.ts'
import type { BuiltTree } from './tree-builder.ts'

/** All trees that the root tree leads to. */
export interface Trees {
  readonly extent: BuiltTree
  readonly device: BuiltTree
  readonly checksum: BuiltTree
  readonly uuid: BuiltTree
  readonly freeSpace: BuiltTree
  readonly dataRelocation: BuiltTree
  /** By number. */
  readonly files: ReadonlyMap<number, BuiltTree>
}

const DEFAULT = utf8('default')
const PARENT = utf8('..')
const DIRECTORY_MODE = 0o040755

/** A directory that holds nothing, as mkfs.btrfs makes it at the top of an internal tree. */
export function* emptyDirectory(objectid: number, time: number): Generator<TreeItem> {
  const inode = btrfs.InodeItem.encode({
    generation: TRANSACTION,
    nbytes: NODE_SIZE,
    nlink: 1,
    mode: DIRECTORY_MODE,
    ...timeFields({ seconds: time, nanoseconds: 0 }),
  })
  yield itemOf(objectid, btrfs.BTRFS_INODE_ITEM_KEY, 0, inode)
  yield itemOf(objectid, btrfs.BTRFS_INODE_REF_KEY, objectid, encodeRef(PARENT))
}

function encodeRef(name: Uint8Array): Uint8Array {
  const data = new Uint8Array(btrfs.InodeRef.size + name.length)
  btrfs.InodeRef.write(data, 0, { nameLen: name.length })
  data.set(name, btrfs.InodeRef.size)
  return data
}

/** Where every tree starts, how subvolumes hang together, and which one is mounted by default. */
export function* rootTreeItems(
  trees: Trees,
  roots: readonly BtrfsRoot[],
  defaultSubvolume: number,
  identity: BtrfsIdentity,
): Generator<TreeItem> {
  const { time } = identity
  yield internalRoot(btrfs.BTRFS_EXTENT_TREE_OBJECTID, trees.extent)
  yield internalRoot(btrfs.BTRFS_DEV_TREE_OBJECTID, trees.device)
  const [topLevel, ...subvolumes] = roots
  yield itemOf(
    btrfs.BTRFS_FS_TREE_OBJECTID,
    btrfs.BTRFS_INODE_REF_KEY,
    btrfs.BTRFS_ROOT_TREE_DIR_OBJECTID,
    encodeRef(DEFAULT),
  )
  if (topLevel) yield* fileRoot(topLevel, roots, trees, identity)
  yield* emptyDirectory(btrfs.BTRFS_ROOT_TREE_DIR_OBJECTID, time)
  const entry = new Uint8Array(btrfs.DirItem.size + DEFAULT.length)
  writeDirItem(entry, 0, {
    objectid: BigInt(defaultSubvolume),
    locationType: btrfs.BTRFS_ROOT_ITEM_KEY,
    locationOffset: btrfs.ANY_VERSION,
    type: btrfs.BTRFS_FT_DIR,
    name: DEFAULT,
  })
  yield itemOf(btrfs.BTRFS_ROOT_TREE_DIR_OBJECTID, btrfs.BTRFS_DIR_ITEM_KEY, nameHash(DEFAULT), entry)
  yield internalRoot(btrfs.BTRFS_CSUM_TREE_OBJECTID, trees.checksum)
  yield internalRoot(btrfs.BTRFS_UUID_TREE_OBJECTID, trees.uuid)
  yield internalRoot(btrfs.BTRFS_FREE_SPACE_TREE_OBJECTID, trees.freeSpace)
  for (const subvolume of subvolumes) yield* fileRoot(subvolume, roots, trees, identity)
  const relocation = encodeRoot(trees.dataRelocation, { rootDirid: btrfs.BTRFS_FIRST_FREE_OBJECTID })
  yield itemOf(btrfs.BTRFS_DATA_RELOC_TREE_OBJECTID, btrfs.BTRFS_ROOT_ITEM_KEY, 0, relocation)
}

/** The root of a tree of files, who its parent is, and which subvolumes it has. */
function* fileRoot(
  root: BtrfsRoot,
  roots: readonly BtrfsRoot[],
  { files }: Trees,
  { rootUuids, time }: BtrfsIdentity,
): Generator<TreeItem> {
  const { id, readOnly, place } = root
  const tree = files.get(id)
  const uuid = rootUuids.get(id)
  if (!tree || !uuid) throw new RangeError(`tree ${id} was not written`)
  const item = encodeRoot(tree, {
    rootDirid: btrfs.BTRFS_FIRST_FREE_OBJECTID,
    flags: readOnly ? btrfs.BTRFS_ROOT_SUBVOL_RDONLY : 0n,
    uuid,
    ctransid: GENERATION,
    otransid: GENERATION,
    ctime: time,
    otime: time,
  })
  yield itemOf(id, btrfs.BTRFS_ROOT_ITEM_KEY, 0, item)
  if (place) yield itemOf(id, btrfs.BTRFS_ROOT_BACKREF_KEY, place.root, encodeRootRef(place))
  for (const child of roots) {
    if (child.place?.root !== id) continue
    yield itemOf(id, btrfs.BTRFS_ROOT_REF_KEY, child.id, encodeRootRef(child.place))
  }
}

function encodeRootRef({ parent, index, name }: NonNullable<BtrfsRoot['place']>): Uint8Array {
  const data = new Uint8Array(btrfs.RootRef.size + name.length)
  btrfs.RootRef.write(data, 0, { dirid: parent, sequence: index, nameLen: name.length })
  data.set(name, btrfs.RootRef.size)
  return data
}

function internalRoot(objectid: number, tree: BuiltTree): TreeItem {
  return itemOf(objectid, btrfs.BTRFS_ROOT_ITEM_KEY, 0, encodeRoot(tree, {}))
}

function encodeRoot(
  { address, level, blocks }: BuiltTree,
  fields: Parameters<typeof btrfs.RootItem.encode>[0],
): Uint8Array {
  const inode = btrfs.InodeItem.encode({
    generation: TRANSACTION,
    size: 3,
    nbytes: NODE_SIZE,
    nlink: 1,
    mode: DIRECTORY_MODE,
    // Without it the kernel takes the flags of the root for garbage, and a read-only one is not.
    flags: btrfs.BTRFS_INODE_ROOT_ITEM_INIT,
  })
  return btrfs.RootItem.encode({
    inode,
    generation: GENERATION,
    bytenr: address,
    bytesUsed: blocks * NODE_SIZE,
    refs: 1,
    level,
    generationV2: GENERATION,
    ...fields,
  })
}

/** Subvolumes by uuid. */
export function* uuidTreeItems({ rootUuids }: BtrfsIdentity): Generator<TreeItem> {
  const keys = [...rootUuids].map(([id, uuid]) => {
    const view = new DataView(uuid.buffer, uuid.byteOffset)
    return { id, objectid: view.getBigUint64(0, true), offset: view.getBigUint64(8, true) }
  })
  const before = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0)
  keys.sort((a, b) => before(a.objectid, b.objectid) || before(a.offset, b.offset))
  for (const { id, objectid, offset } of keys) {
    const data = new Uint8Array(8)
    new DataView(data.buffer).setBigUint64(0, BigInt(id), true)
    yield itemOf(objectid, btrfs.BTRFS_UUID_KEY_SUBVOL, offset, data)
  }
}
