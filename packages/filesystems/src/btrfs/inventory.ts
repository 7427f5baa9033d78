import { utf8 } from '@bootable/bytes'
import type { FileTree, Inode } from '@bootable/tree'
import { sortedEntries } from '@bootable/tree'
import { MAX_MAJOR, MAX_MINOR } from '../content/device-number.ts'
import { nameHash } from './checksum.ts'
import { btrfsError } from './errors.ts'
import * as btrfs from './format.ts'
import { MAX_ITEM_SIZE } from './node.ts'
import { type BtrfsRequests, type Codec, type SubvolumeRequest, subvolumeError } from './options.ts'
import { COMPRESSION_PROPERTY, encodeXattrs, type HashedItem } from './xattrs.ts'

/** A name in a directory. */
export interface BtrfsEntry {
  readonly name: Uint8Array
  /** Of the name. */
  readonly hash: number
  /** Its place in the directory, under which it is listed. */
  readonly index: number
  /** What stands there; a directory may be the top of a subvolume. */
  readonly child: BtrfsNode | BtrfsRoot
}

/** A name of an inode, seen from the inode. */
export interface NodeName {
  /** Number of the directory. */
  readonly parent: number
  readonly index: number
  readonly name: Uint8Array
}

/** An inode of the tree with its number and everything about it that does not depend on the device. */
export interface BtrfsNode {
  /** Number of the tree of files that it belongs to. */
  readonly root: number
  readonly objectid: number
  readonly inode: Inode
  readonly xattrs: readonly HashedItem[]
  /** All of its names; empty for the top of a subvolume. */
  readonly names: NodeName[]
  /** Set for directories, in their order. */
  readonly entries?: BtrfsEntry[]
}

/** A tree of files: the top level or a subvolume. */
export interface BtrfsRoot {
  readonly id: number
  /** By number; the first one is the directory at its top. */
  readonly nodes: readonly BtrfsNode[]
  readonly codec: Codec | undefined
  readonly readOnly: boolean
  readonly property: SubvolumeRequest['property']
  /** Where it stands; `undefined` for the top level. */
  readonly place: (NodeName & { readonly root: number }) | undefined
}

/** `BTRFS_LINK_MAX`. */
const LINK_MAX = 65_535
/** The first index of a directory's names; 0 and 1 stand for `.` and `..`. */
const FIRST_INDEX = 2
/** `PATH_MAX` less its zero: Linux follows no longer target. */
const MAX_TARGET = 4095

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

interface Root extends BtrfsRoot {
  readonly nodes: BtrfsNode[]
  readonly found: Map<Inode, BtrfsNode>
}

/** A directory whose children are being visited. */
interface Visit {
  readonly root: Root
  readonly node: BtrfsNode
  readonly path: string
  readonly rest: Iterator<[string, Inode]>
}

/**
 * Divides a tree into subvolumes and numbers the inodes of each, in the order of the tree. A file that stands
 * under names of two subvolumes becomes a file in each: no link can lead from one into another. Nothing is
 * read.
 *
 * @returns the top level, then the subvolumes by number
 * @throws BootableError for a name, link, subvolume or attribute that btrfs cannot hold
 */
export function takeInventory(tree: FileTree, requests: BtrfsRequests): readonly BtrfsRoot[] {
  const wanted = new Map(requests.subvolumes.map((request) => [request.path, request]))
  const roots: Root[] = []
  const directories = new Set<Inode>()
  const stack: Visit[] = []

  function open(root: Root, inode: Inode, path: string): BtrfsNode {
    if (directories.has(inode)) throw nameError(path, 'is a directory that stands under another name already')
    directories.add(inode)
    const node = add(root, inode, path)
    if (inode.type === 'directory') {
      stack.push({ root, node, path, rest: sortedEntries(inode)[Symbol.iterator]() })
    }
    return node
  }
  function openRoot(
    request: Pick<SubvolumeRequest, 'id' | 'codec' | 'readOnly' | 'property'>,
    place: BtrfsRoot['place'],
    inode: Inode,
    path: string,
  ): Root {
    const { id, codec, readOnly, property } = request
    const root: Root = { id, codec, readOnly, property, place, nodes: [], found: new Map() }
    roots.push(root)
    open(root, inode, path)
    return root
  }

  const topLevel = { id: btrfs.BTRFS_FS_TREE_OBJECTID, readOnly: false, property: undefined }
  openRoot({ ...topLevel, codec: requests.codec }, undefined, tree.root, '')
  // A stack instead of recursion: a hostile image may nest deeper than the call stack.
  for (let visit = stack[0]; visit; visit = stack[stack.length - 1]) {
    const { root, node, path, rest } = visit
    const entries = node.entries as BtrfsEntry[]
    const next = rest.next()
    if (next.done) {
      checkHashes(entries, path)
      stack.pop()
      continue
    }
    const [text, inode] = next.value
    const childPath = path === '' ? text : `${path}/${text}`
    const name = encodeName(text, childPath)
    const index = FIRST_INDEX + entries.length
    const place = { parent: node.objectid, index, name }
    const request = wanted.get(childPath)
    let child: BtrfsNode | BtrfsRoot
    if (request) {
      wanted.delete(childPath)
      if (inode.type !== 'directory') subvolumeError(childPath, `is a ${inode.type}, no directory`)
      child = openRoot(request, { ...place, root: root.id }, inode, childPath)
    } else {
      child =
        inode.type === 'directory'
          ? open(root, inode, childPath)
          : (root.found.get(inode) ?? add(root, inode, childPath))
      child.names.push(place)
      checkLinks(child, childPath)
    }
    entries.push({ name, hash: nameHash(name), index, child })
  }
  const [missing] = wanted.keys()
  if (missing !== undefined) subvolumeError(missing, 'there is no directory to make a subvolume of')
  return roots.sort((a, b) => a.id - b.id)
}

function add(root: Root, inode: Inode, path: string): BtrfsNode {
  checkContent(inode, path)
  const { property } = root
  const inherited = property !== undefined && inode.type === 'directory'
  const xattrs = inherited
    ? new Map([...inode.xattrs, [COMPRESSION_PROPERTY, utf8(property)] as const])
    : inode.xattrs
  const node: Mutable<BtrfsNode> = {
    root: root.id,
    objectid: btrfs.BTRFS_FIRST_FREE_OBJECTID + root.nodes.length,
    inode,
    xattrs: xattrs.size === 0 ? NO_ITEMS : encodeXattrs(xattrs, path),
    names: [],
  }
  if (inode.type === 'directory') node.entries = []
  root.nodes.push(node)
  root.found.set(inode, node)
  return node
}

const NO_ITEMS: readonly HashedItem[] = []

function checkLinks({ names }: BtrfsNode, path: string): void {
  if (names.length <= LINK_MAX) return
  throw btrfsError('BTRFS_TOO_MANY_LINKS', `/${path} is one of more than ${LINK_MAX} hard links`, {
    details: { path, maximum: LINK_MAX },
  })
}

function encodeName(text: string, path: string): Uint8Array {
  const name = utf8(text)
  const isName = name.length >= 1 && name.length <= btrfs.BTRFS_NAME_LEN && !/[/\0]|^\.\.?$/.test(text)
  if (isName) return name
  throw nameError(
    path,
    `has a name of ${name.length} bytes that no directory can hold (1 to ${btrfs.BTRFS_NAME_LEN}, no slash)`,
  )
}

function nameError(path: string, message: string): Error {
  return btrfsError('BTRFS_NAME_INVALID', `/${path} ${message}`, { details: { path } })
}

/** Names of one hash share an item, and the kernel makes none larger than a leaf either. */
function checkHashes(entries: readonly BtrfsEntry[], path: string): void {
  const sizes = new Map<number, number>()
  for (const { hash, name } of entries) {
    const size = (sizes.get(hash) ?? 0) + btrfs.DirItem.size + name.length
    sizes.set(hash, size)
    if (size <= MAX_ITEM_SIZE) continue
    throw btrfsError(
      'BTRFS_HASH_COLLISION',
      `/${path}: the names of hash ${hash} take more than ${MAX_ITEM_SIZE} bytes`,
      { details: { path, hash } },
    )
  }
}

function checkContent(inode: Inode, path: string): void {
  if (inode.type === 'symlink') {
    const length = utf8(inode.target).length
    if (length > 0 && length <= MAX_TARGET && !inode.target.includes('\0')) return
    throw btrfsError(
      'BTRFS_SYMLINK_INVALID',
      `the target of /${path} has ${length} bytes: a link holds 1 to ${MAX_TARGET}, none of them zero`,
      { details: { path, length, maximum: MAX_TARGET } },
    )
  }
  if (inode.type === 'device' && (inode.major > MAX_MAJOR || inode.minor > MAX_MINOR)) {
    throw btrfsError(
      'BTRFS_DEVICE_NUMBER',
      `/${path}: ${inode.major}:${inode.minor} is more than ${MAX_MAJOR}:${MAX_MINOR}`,
      { details: { path, major: inode.major, minor: inode.minor } },
    )
  }
}
