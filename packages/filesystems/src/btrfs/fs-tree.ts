import { type ByteSource, utf8 } from '@bootable/bytes'
import type { Inode, Timestamp } from '@bootable/tree'
import { statMode } from '@bootable/tree'
import { extrefHash } from './checksum.ts'
import type { PlacedExtent } from './extents.ts'
import * as btrfs from './format.ts'
import type { BtrfsEntry, BtrfsNode, BtrfsRoot, NodeName } from './inventory.ts'
import { GENERATION, itemOf, MAX_ITEM_SIZE, TRANSACTION, type TreeItem } from './node.ts'
import { joinByHash } from './xattrs.ts'

/** Files up to this size stand in the tree itself (the kernel's default of `max_inline`). */
export const MAX_INLINE = 2048

/** An item whose data ends with the content of a file. */
export interface InlineItem extends TreeItem {
  readonly content: ByteSource
}

/** Whether the content of a file stands in the tree. */
export function isInline(inode: Inode): boolean {
  return inode.type === 'file' && inode.content.size > 0 && inode.content.size <= MAX_INLINE
}

/** Where the extents of a file are known. */
export type ExtentsOf = (node: BtrfsNode) => Iterable<PlacedExtent>

/**
 * The items of one inode, in the order of their keys: the inode, its names, its attributes, its entries, its
 * content.
 */
export function* nodeItems(
  root: BtrfsRoot,
  node: BtrfsNode,
  extentsOf: ExtentsOf,
): Generator<TreeItem | InlineItem> {
  const { objectid, inode, entries } = node
  const extents = inode.type === 'file' && !isInline(inode) ? [...extentsOf(node)] : []
  yield inodeItem(root, node, extents)
  yield* nameItems(node)
  for (const { hash, data } of node.xattrs) yield itemOf(objectid, btrfs.BTRFS_XATTR_ITEM_KEY, hash, data)
  if (entries) yield* entryItems(objectid, entries)
  if (inode.type === 'symlink') yield inlineItem(objectid, utf8(inode.target))
  else if (inode.type === 'file' && isInline(inode)) yield inlineFile(objectid, inode.content)
  for (const extent of extents) yield extentItem(objectid, extent)
}

function inodeItem(root: BtrfsRoot, node: BtrfsNode, extents: readonly PlacedExtent[]): TreeItem {
  const { objectid, inode } = node
  return {
    objectid,
    type: btrfs.BTRFS_INODE_ITEM_KEY,
    offset: 0,
    size: btrfs.InodeItem.size,
    write(leaf, at) {
      btrfs.InodeItem.write(leaf, at, {
        generation: TRANSACTION,
        transid: TRANSACTION,
        size: sizeOf(node),
        nbytes: occupied(inode, extents),
        nlink: inode.type === 'directory' ? 1 : node.names.length,
        uid: inode.uid,
        gid: inode.gid,
        mode: statMode(inode),
        rdev: inode.type === 'device' ? inode.major * 2 ** 20 + inode.minor : 0,
        flags: flagsOf(root, inode, extents),
        ...timeFields(inode.mtime),
      })
    },
  }
}

/** All four times of an inode are its modification time. */
export function timeFields({
  seconds,
  nanoseconds,
}: Timestamp): Record<
  'atime' | 'atimeNsec' | 'ctime' | 'ctimeNsec' | 'mtime' | 'mtimeNsec' | 'otime' | 'otimeNsec',
  number
> {
  return {
    atime: seconds,
    atimeNsec: nanoseconds,
    ctime: seconds,
    ctimeNsec: nanoseconds,
    mtime: seconds,
    mtimeNsec: nanoseconds,
    otime: seconds,
    otimeNsec: nanoseconds,
  }
}

/** `i_size`: a directory counts every name twice, for it stands in it by hash and by index. */
function sizeOf({ inode, entries }: BtrfsNode): number {
  if (inode.type === 'file') return inode.content.size
  if (inode.type === 'symlink') return utf8(inode.target).length
  return (entries ?? []).reduce((sum, { name }) => sum + name.length * 2, 0)
}

/** Bytes that the content occupies, holes left out and compression not counted. */
function occupied(inode: Inode, extents: readonly PlacedExtent[]): number {
  if (inode.type === 'symlink') return utf8(inode.target).length
  if (inode.type === 'file' && isInline(inode)) return inode.content.size
  return extents.reduce((sum, { length }) => sum + length, 0)
}

function flagsOf({ property }: BtrfsRoot, inode: Inode, extents: readonly PlacedExtent[]): bigint {
  const isCompressed = extents.some(({ compression }) => compression !== btrfs.BTRFS_COMPRESS_NONE)
  const inherits = inode.type === 'directory' && property !== undefined && property !== 'none'
  return (
    (inode.immutable ? btrfs.BTRFS_INODE_IMMUTABLE : 0n) |
    (isCompressed || inherits ? btrfs.BTRFS_INODE_COMPRESS : 0n)
  )
}

/** References to the directories, one item for each; what is too much for it goes into items of its own. */
function* nameItems({ objectid, names }: BtrfsNode): Generator<TreeItem> {
  if (objectid === btrfs.BTRFS_FIRST_FREE_OBJECTID) {
    yield refItem(objectid, objectid, [{ parent: objectid, index: 0, name: PARENT }])
    return
  }
  if (names.length === 1) {
    yield refItem(objectid, names[0]?.parent ?? 0, names)
    return
  }
  const byParent = new Map<number, NodeName[]>()
  for (const name of names) {
    const list = byParent.get(name.parent)
    if (list) list.push(name)
    else byParent.set(name.parent, [name])
  }
  const further: NodeName[] = []
  for (const [parent, list] of [...byParent].sort((a, b) => a[0] - b[0])) {
    let size = 0
    const fitting: NodeName[] = []
    for (const name of list) {
      size += btrfs.InodeRef.size + name.name.length
      ;(size <= MAX_ITEM_SIZE ? fitting : further).push(name)
    }
    yield refItem(objectid, parent, fitting)
  }
  if (further.length === 0) return
  const items = further.map((name) => ({
    hash: extrefHash(name.parent, name.name),
    data: encodeExtref(name),
  }))
  for (const { hash, data } of joinByHash(items, `inode ${objectid}`)) {
    yield itemOf(objectid, btrfs.BTRFS_INODE_EXTREF_KEY, hash, data)
  }
}

const PARENT = utf8('..')

function refItem(objectid: number, parent: number, names: readonly NodeName[]): TreeItem {
  return {
    objectid,
    type: btrfs.BTRFS_INODE_REF_KEY,
    offset: parent,
    size: names.reduce((sum, { name }) => sum + btrfs.InodeRef.size + name.length, 0),
    write(leaf, at) {
      let base = at
      for (const { index, name } of names) {
        btrfs.InodeRef.write(leaf, base, { index, nameLen: name.length })
        leaf.set(name, base + btrfs.InodeRef.size)
        base += btrfs.InodeRef.size + name.length
      }
    },
  }
}

function encodeExtref({ parent, index, name }: NodeName): Uint8Array {
  const data = new Uint8Array(btrfs.InodeExtref.size + name.length)
  btrfs.InodeExtref.write(data, 0, { parentObjectid: parent, index, nameLen: name.length })
  data.set(name, btrfs.InodeExtref.size)
  return data
}

/** Every entry twice: by the hash of its name, to be found, and by its index, to be listed. */
function* entryItems(objectid: number, entries: readonly BtrfsEntry[]): Generator<TreeItem> {
  const byHash = [...entries].sort((a, b) => a.hash - b.hash)
  for (let first = 0; first < byHash.length; ) {
    const { hash } = byHash[first] as BtrfsEntry
    let after = first + 1
    while (byHash[after]?.hash === hash) after++
    yield entryItem(objectid, btrfs.BTRFS_DIR_ITEM_KEY, hash, byHash.slice(first, after))
    first = after
  }
  for (const entry of entries) yield entryItem(objectid, btrfs.BTRFS_DIR_INDEX_KEY, entry.index, [entry])
}

function entryItem(objectid: number, type: number, offset: number, entries: readonly BtrfsEntry[]): TreeItem {
  return {
    objectid,
    type,
    offset,
    size: entries.reduce((sum, { name }) => sum + btrfs.DirItem.size + name.length, 0),
    write(leaf, at) {
      let base = at
      for (const { name, child } of entries) {
        const isNode = 'objectid' in child
        writeDirItem(leaf, base, {
          objectid: BigInt(isNode ? child.objectid : child.id),
          locationType: isNode ? btrfs.BTRFS_INODE_ITEM_KEY : btrfs.BTRFS_ROOT_ITEM_KEY,
          locationOffset: isNode ? 0n : btrfs.ANY_VERSION,
          type: isNode ? entryType(child.inode) : btrfs.BTRFS_FT_DIR,
          name,
        })
        base += btrfs.DirItem.size + name.length
      }
    },
  }
}

/** A directory entry, as it stands in both of its items. */
export interface DirectoryEntry {
  readonly objectid: bigint
  readonly locationType: number
  readonly locationOffset: bigint
  readonly type: number
  readonly name: Uint8Array
}

export function writeDirItem(leaf: Uint8Array, at: number, entry: DirectoryEntry): void {
  const { name } = entry
  const nameLen = name.length
  btrfs.DirItem.write(leaf, at, { ...entry, transid: TRANSACTION, nameLen })
  leaf.set(name, at + btrfs.DirItem.size)
}

const ENTRY_TYPES = {
  file: btrfs.BTRFS_FT_REG_FILE,
  directory: btrfs.BTRFS_FT_DIR,
  symlink: btrfs.BTRFS_FT_SYMLINK,
  fifo: btrfs.BTRFS_FT_FIFO,
  socket: btrfs.BTRFS_FT_SOCK,
} as const

function entryType(inode: Inode): number {
  if (inode.type !== 'device') return ENTRY_TYPES[inode.type]
  return inode.kind === 'character' ? btrfs.BTRFS_FT_CHRDEV : btrfs.BTRFS_FT_BLKDEV
}

const INLINE = { generation: GENERATION, type: btrfs.BTRFS_FILE_EXTENT_INLINE }

function inlineItem(objectid: number, content: Uint8Array): TreeItem {
  const data = new Uint8Array(btrfs.FileExtentHeader.size + content.length)
  btrfs.FileExtentHeader.write(data, 0, { ...INLINE, ramBytes: content.length })
  data.set(content, btrfs.FileExtentHeader.size)
  return itemOf(objectid, btrfs.BTRFS_EXTENT_DATA_KEY, 0, data)
}

function inlineFile(objectid: number, content: ByteSource): InlineItem {
  return {
    objectid,
    type: btrfs.BTRFS_EXTENT_DATA_KEY,
    offset: 0,
    size: btrfs.FileExtentHeader.size + content.size,
    content,
    write: (leaf, at) => btrfs.FileExtentHeader.write(leaf, at, { ...INLINE, ramBytes: content.size }),
  }
}

function extentItem(objectid: number, extent: PlacedExtent): TreeItem {
  return {
    objectid,
    type: btrfs.BTRFS_EXTENT_DATA_KEY,
    offset: extent.fileOffset,
    size: btrfs.FileExtent.size,
    write(leaf, at) {
      btrfs.FileExtent.write(leaf, at, {
        generation: GENERATION,
        ramBytes: extent.length,
        compression: extent.compression,
        type: btrfs.BTRFS_FILE_EXTENT_REG,
        diskBytenr: extent.address,
        diskNumBytes: extent.diskLength,
        numBytes: extent.length,
      })
    },
  }
}
