import type { Directory, FileTree, Inode } from '@bootable/tree'
import { createDirectory, sortedEntries, statMode } from '@bootable/tree'
import { MAX_MAJOR, MAX_MINOR } from '../content/device-number.ts'
import { utf8Length } from '../content/utf8-length.ts'
import { type DirectoryEntry, type DirectoryPlan, planDirectory } from './directory.ts'
import { ext4Error } from './errors.ts'
import { EXT4_GOOD_OLD_FIRST_INO, EXT4_LINK_MAX, EXT4_NAME_LEN, EXT4_ROOT_INO } from './format.ts'
import type { HashSeed } from './htree.ts'
import { type EncodedXattrs, encodeXattrs } from './xattrs.ts'

/** An inode of the tree with its number and everything about it that does not depend on the device. */
export interface Ext4Node {
  readonly number: number
  readonly inode: Inode
  /** `st_nlink`. */
  links: number
  readonly xattrs: EncodedXattrs
  /** Blocks of content, holes counted. */
  readonly blocks: number
  /** Set for directories. */
  readonly directory?: NodeDirectory
}

/** What a directory has besides. */
export interface NodeDirectory {
  /** Inode number of the parent; the root is its own. */
  readonly parent: number
  readonly entries: readonly DirectoryEntry[]
  readonly plan: DirectoryPlan
}

/** A whole tree, ready to be laid out. */
export interface Inventory {
  /** By inode number: the root, lost+found, then the others in the order of the tree. */
  readonly nodes: readonly Ext4Node[]
  /** The highest inode number in use. */
  readonly lastInode: number
}

const LOST_AND_FOUND = 'lost+found'
/** Bytes that mke2fs gives lost+found, as far as direct blocks go. */
const LOST_AND_FOUND_SIZE = 16_384
const DIRECT_BLOCKS = 12
/** Longest target of a fast symbolic link, which stands in `i_block` itself. */
export const FAST_SYMLINK = 59

/** A directory whose children are being visited. */
interface Visit {
  readonly node: { -readonly [K in keyof Ext4Node]: Ext4Node[K] }
  readonly parent: number
  readonly path: string
  readonly rest: Iterator<[string, Inode]>
  readonly entries: DirectoryEntry[]
}

/**
 * Numbers the inodes of a tree, counts links, encodes attributes and sizes directories. Nothing is read.
 *
 * @param seed key of the directories' hashes; without it they are only measured
 * @throws BootableError for a name, link, file or attribute that ext4 cannot hold
 */
export function takeInventory(tree: FileTree, blockSize: number, seed?: HashSeed): Inventory {
  const found = new Map<Inode, Ext4Node>()
  const nodes: Ext4Node[] = []
  let nextInode = EXT4_GOOD_OLD_FIRST_INO + 1

  function add(inode: Inode, number: number, path: string): Visit['node'] {
    const node = {
      number,
      inode,
      links: 0,
      xattrs: encodeXattrs(inode.xattrs, path, blockSize),
      blocks: contentBlocks(inode, path, blockSize),
    }
    nodes.push(node)
    found.set(inode, node)
    return node
  }
  function visit(node: Visit['node'], parent: number, path: string, children: [string, Inode][]): Visit {
    node.links = 2
    return { node, parent, path, rest: children[Symbol.iterator](), entries: [] }
  }

  const [lostAndFound, children] = withLostAndFound(tree.root)
  const stack = [visit(add(tree.root, EXT4_ROOT_INO, ''), EXT4_ROOT_INO, '', children)]
  add(lostAndFound, EXT4_GOOD_OLD_FIRST_INO, LOST_AND_FOUND)

  // A stack instead of recursion: a hostile image may nest deeper than the call stack.
  for (let current = stack[0]; current; current = stack[stack.length - 1]) {
    const { node, parent, path, rest, entries } = current
    const next = rest.next()
    if (next.done) {
      const plan = planDirectory(entries, blockSize, seed)
      if (!plan) {
        throw ext4Error(
          'EXT4_DIRECTORY_TOO_LARGE',
          `/${path} has ${entries.length} names, more than two levels of index hold in blocks of ${blockSize} bytes`,
          { details: { path, entries: entries.length, blockSize } },
        )
      }
      node.directory = { parent, entries, plan }
      node.blocks = directoryBlocks(node.number, plan, blockSize)
      stack.pop()
      continue
    }
    const [name, inode] = next.value
    const childPath = path === '' ? name : `${path}/${name}`
    const length = nameLength(name, childPath)
    const known = found.get(inode)
    const child = known ?? add(inode, nextInode++, childPath)
    entries.push({ name, length, child, mode: statMode(inode) })
    if (inode.type === 'directory') {
      if (child.links > 0) throw nameError(childPath, 'is a directory that stands under another name already')
      stack.push(visit(child as Visit['node'], node.number, childPath, sortedEntries(inode)))
      if (node.links !== 1 && ++node.links > EXT4_LINK_MAX) node.links = 1
    } else if (++child.links > EXT4_LINK_MAX) {
      throw ext4Error(
        'EXT4_TOO_MANY_LINKS',
        `/${childPath} is one of more than ${EXT4_LINK_MAX} hard links`,
        {
          details: { path: childPath, maximum: EXT4_LINK_MAX },
        },
      )
    }
  }
  return { nodes, lastInode: nextInode - 1 }
}

/** The children of the root with lost+found among them: the tree's own or a new one. */
function withLostAndFound(root: Directory): [Directory, [string, Inode][]] {
  const existing = root.entries.get(LOST_AND_FOUND)
  if (existing?.type === 'directory') return [existing, sortedEntries(root)]
  if (existing) {
    throw nameError(LOST_AND_FOUND, `is a ${existing.type}: ext4 needs a directory there`)
  }
  const made = createDirectory({ mode: 0o700, mtime: root.mtime })
  return [made, sortedEntries({ ...root, entries: new Map([...root.entries, [LOST_AND_FOUND, made]]) })]
}

/** lost+found has blocks to spare: e2fsck cannot allocate any while it repairs. */
function directoryBlocks(number: number, plan: DirectoryPlan, blockSize: number): number {
  if (number !== EXT4_GOOD_OLD_FIRST_INO || plan.leaves) return plan.blocks
  return Math.min(LOST_AND_FOUND_SIZE / blockSize, DIRECT_BLOCKS)
}

function nameLength(name: string, path: string): number {
  const length = utf8Length(name)
  if (length >= 1 && length <= EXT4_NAME_LEN && !/[/\0]|^\.\.?$/.test(name)) return length
  throw nameError(
    path,
    `has a name of ${length} bytes that no directory can hold (1 to ${EXT4_NAME_LEN}, no slash)`,
  )
}

function nameError(path: string, message: string): Error {
  return ext4Error('EXT4_NAME_INVALID', `/${path} ${message}`, { details: { path } })
}

function contentBlocks(inode: Inode, path: string, blockSize: number): number {
  if (inode.type === 'file') {
    const blocks = Math.ceil(inode.content.size / blockSize)
    if (blocks <= 0xffff_ffff) return blocks
    throw ext4Error('EXT4_FILE_TOO_LARGE', `/${path} has ${inode.content.size} bytes: over 2^32 blocks`, {
      details: { path, size: inode.content.size, blockSize },
    })
  }
  if (inode.type === 'symlink') {
    const length = utf8Length(inode.target)
    const isTarget = length > 0 && length < blockSize && !inode.target.includes('\0')
    if (isTarget) return length <= FAST_SYMLINK ? 0 : 1
    throw ext4Error(
      'EXT4_SYMLINK_INVALID',
      `the target of /${path} has ${length} bytes: a link holds 1 to ${blockSize - 1}, none of them zero`,
      { details: { path, length, maximum: blockSize - 1 } },
    )
  }
  if (inode.type === 'device' && (inode.major > MAX_MAJOR || inode.minor > MAX_MINOR)) {
    throw ext4Error(
      'EXT4_DEVICE_NUMBER',
      `/${path}: ${inode.major}:${inode.minor} is more than 4095:1048575`,
      {
        details: { path, major: inode.major, minor: inode.minor },
      },
    )
  }
  return 0
}
