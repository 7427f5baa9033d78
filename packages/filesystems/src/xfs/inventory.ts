import type { Directory, FileTree, Inode } from '@bootable/tree'
import { sortedEntries, typeBits } from '@bootable/tree'
import { utf8Length } from '../content/utf8-length.ts'
import { XFS_DIR2_SPACE_SIZE, XFS_DIR3_FT_BY_MODE } from './da-format.ts'
import { MAX_MAJOR, MAX_MINOR } from './device-number.ts'
import { type DirectoryEntry, type DirectoryPlan, planDirectory, shortDirectorySize } from './directory.ts'
import { xfsError } from './errors.ts'
import { DEVICE_AREA, type ForkPlan, planForks } from './forks.ts'
import { XFS_MAXLINK, XFS_NAME_LEN, XFS_SYMLINK_MAXLEN } from './format.ts'
import { BLOCK_SIZE } from './layout.ts'
import { encodeAttributes } from './xattrs.ts'

/** An inode of the tree with everything about it that does not depend on the device. */
export interface XfsNode {
  /** Which inode of the filesystem it is; its number follows from where it lies. */
  readonly ordinal: number
  readonly inode: Inode
  /** `st_nlink`. */
  links: number
  forks: ForkPlan
  /** Blocks of a file's content, holes counted, or of a link's target. */
  readonly blocks: number
  /** Set for directories. */
  directory?: NodeDirectory
}

/** What a directory has besides. */
export interface NodeDirectory {
  /** Ordinal of the parent; the root is its own. */
  readonly parent: number
  readonly entries: readonly DirectoryEntry[]
  readonly plan: DirectoryPlan
}

/** A whole tree, ready to be laid out. */
export interface Inventory {
  /** By ordinal: the root first, then in the order of the tree. */
  readonly nodes: readonly XfsNode[]
  /** Inodes in use, those of the realtime section with them. */
  readonly inodes: number
}

/** The inode of the realtime section's bitmap, and of its summary: the two behind the root. */
export const BITMAP_ORDINAL = 1
export const SUMMARY_ORDINAL = 2

/** A directory whose children are being visited. */
interface Visit {
  readonly node: XfsNode
  readonly parent: number
  readonly path: string
  readonly rest: Iterator<[string, Inode]>
  readonly entries: DirectoryEntry[]
}

/** Files have fewer bytes than this. */
const MAX_FILE_SIZE = 2 ** 53

/**
 * Numbers the inodes of a tree, counts links, plans attributes and directories. Nothing is read.
 * @throws BootableError for a name, link, file or attribute that XFS cannot hold
 */
export function takeInventory(tree: FileTree): Inventory {
  const found = new Map<Inode, XfsNode>()
  const nodes: XfsNode[] = []
  let next = 0

  function add(inode: Inode, path: string): XfsNode {
    const node = planNode(inode, next, path)
    next = next === 0 ? SUMMARY_ORDINAL + 1 : next + 1
    nodes.push(node)
    found.set(inode, node)
    return node
  }
  function visit(directory: Directory, node: XfsNode, parent: number, path: string): Visit {
    node.links = 2
    return { node, parent, path, rest: sortedEntries(directory)[Symbol.iterator](), entries: [] }
  }

  const stack = [visit(tree.root, add(tree.root, ''), 0, '')]
  // A stack instead of recursion: a hostile image may nest deeper than the call stack.
  for (let current = stack[0]; current; current = stack[stack.length - 1]) {
    const { node, path, entries } = current
    const entry = current.rest.next()
    if (entry.done) {
      finishDirectory(current)
      stack.pop()
      continue
    }
    const [name, inode] = entry.value
    const childPath = path === '' ? name : `${path}/${name}`
    const length = nameLength(name, childPath)
    const child = found.get(inode) ?? add(inode, childPath)
    entries.push({ name, length, child, fileType: XFS_DIR3_FT_BY_MODE[typeBits(inode) >>> 12] as number })
    if (inode.type === 'directory') {
      if (child.links > 0) throw nameError(childPath, 'is a directory that stands under another name already')
      stack.push(visit(inode, child, node.ordinal, childPath))
      node.links++
    } else if (++child.links > XFS_MAXLINK) {
      throw nameError(childPath, `is one of more than ${XFS_MAXLINK} hard links`)
    }
  }
  return { nodes, inodes: Math.max(next, SUMMARY_ORDINAL + 1) }
}

function planNode(inode: Inode, ordinal: number, path: string): XfsNode {
  const attributes = encodeAttributes(inode.xattrs, path)
  if (inode.type === 'file') {
    const forks = planForks(attributes, 0)
    return { ordinal, inode, links: 0, forks, blocks: fileBlocks(inode.content.size, path) }
  }
  if (inode.type === 'symlink') {
    const length = targetLength(inode.target, path)
    const forks = planForks(attributes, length)
    return { ordinal, inode, links: 0, forks, blocks: length <= forks.area ? 0 : 1 }
  }
  // A directory is divided once its names are known.
  if (inode.type === 'directory') return { ordinal, inode, links: 0, forks: { area: 0 }, blocks: 0 }
  if (inode.type === 'device') checkDevice(inode, path)
  return { ordinal, inode, links: 0, forks: planForks(attributes, DEVICE_AREA, true), blocks: 0 }
}

function finishDirectory({ node, parent, path, entries }: Visit): void {
  const attributes = encodeAttributes(node.inode.xattrs, path)
  node.forks = planForks(attributes, shortDirectorySize(entries))
  const plan = planDirectory(entries, node.forks.area)
  if (plan.dataBlocks * BLOCK_SIZE > XFS_DIR2_SPACE_SIZE) {
    throw xfsError(
      'XFS_DIRECTORY_TOO_LARGE',
      `/${path} has ${entries.length} names, which need more than 32 GiB`,
      { details: { path, entries: entries.length } },
    )
  }
  node.directory = { parent, entries, plan }
}

function nameLength(name: string, path: string): number {
  const length = utf8Length(name)
  if (length >= 1 && length <= XFS_NAME_LEN && !/[/\0]|^\.\.?$/.test(name)) return length
  throw nameError(
    path,
    `has a name of ${length} bytes that no directory can hold (1 to ${XFS_NAME_LEN}, no slash)`,
  )
}

function nameError(path: string, message: string): Error {
  return xfsError('XFS_NAME_INVALID', `/${path} ${message}`, { details: { path } })
}

function fileBlocks(size: number, path: string): number {
  if (size < MAX_FILE_SIZE) return Math.ceil(size / BLOCK_SIZE)
  throw xfsError('XFS_FILE_TOO_LARGE', `/${path} has ${size} bytes: 2^53 or more`, {
    details: { path, size },
  })
}

function targetLength(target: string, path: string): number {
  const length = utf8Length(target)
  if (length > 0 && length < XFS_SYMLINK_MAXLEN && !target.includes('\0')) return length
  const maximum = XFS_SYMLINK_MAXLEN - 1
  throw xfsError(
    'XFS_SYMLINK_INVALID',
    `the target of /${path} has ${length} bytes: a link holds 1 to ${maximum}, none of them zero`,
    { details: { path, length, maximum } },
  )
}

function checkDevice({ major, minor }: { major: number; minor: number }, path: string): void {
  if (major <= MAX_MAJOR && minor <= MAX_MINOR) return
  throw xfsError('XFS_DEVICE_NUMBER', `/${path}: ${major}:${minor} is more than ${MAX_MAJOR}:${MAX_MINOR}`, {
    details: { path, major, minor },
  })
}
