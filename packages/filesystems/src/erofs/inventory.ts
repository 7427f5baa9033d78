import { compareBytewise, utf8 } from '@bootable/bytes'
import type { FileTree, Inode } from '@bootable/tree'
import { sortedEntries, typeBits } from '@bootable/tree'
import { MAX_MAJOR, MAX_MINOR } from '../content/device-number.ts'
import { type DirectoryName, type DirectoryPlan, planDirectory } from './directory.ts'
import { erofsError } from './errors.ts'
import { EROFS_NAME_LEN } from './format.ts'
import type { ErofsProfile } from './profile.ts'
import { createXattrPool, planXattrBody, type SharedXattrs, type Xattr, type XattrBody } from './xattrs.ts'

/** An inode of the tree with everything about it that does not depend on its place. */
export interface ErofsNode {
  readonly inode: Inode
  /** `i_ino`: its place in the order of the tree, breadth first. */
  readonly number: number
  /** `st_nlink`. */
  links: number
  readonly xattrs: XattrBody
  /** Bytes of a link's target. */
  readonly target?: Uint8Array
  /** Set for directories. */
  readonly directory?: NodeDirectory
}

/** A name together with what stands under it. */
export interface NodeName extends DirectoryName {
  readonly node: ErofsNode
}

/** What a directory has besides. */
export interface NodeDirectory {
  /** Sorted, `.` and `..` among them. */
  readonly names: readonly NodeName[]
  readonly plan: DirectoryPlan
}

/** A whole tree, ready to be laid out. */
export interface Inventory {
  /** By `i_ino`; the root is the first. */
  readonly nodes: readonly ErofsNode[]
  readonly shared: SharedXattrs
  /** Whether any inode has a POSIX ACL. */
  readonly hasAcl: boolean
}

type Draft = { -readonly [K in keyof ErofsNode]: ErofsNode[K] } & {
  readonly path: string
  readonly attributes: readonly Xattr[]
}

/** Longest target of a symbolic link: `PATH_MAX` without the zero at its end. */
const MAX_TARGET = 4095

/**
 * Numbers the inodes of a tree, counts links, collects attributes and sizes directories. Nothing is read.
 * @throws BootableError for a name, link, device or attribute that EROFS cannot hold
 */
export function takeInventory(tree: FileTree, profile: ErofsProfile): Inventory {
  const pool = createXattrPool(profile.wholeXattrNames)
  const found = new Map<Inode, Draft>()
  const nodes: Draft[] = []

  function add(inode: Inode, path: string): Draft {
    const node: Draft = {
      inode,
      path,
      number: nodes.length,
      links: 0,
      attributes: pool.add(inode.xattrs, path),
      xattrs: planXattrBody([], () => path),
    }
    if (inode.type === 'symlink') node.target = checkTarget(inode.target, path)
    if (inode.type === 'device') checkDevice(inode, path)
    nodes.push(node)
    found.set(inode, node)
    return node
  }

  const root = add(tree.root, '')
  const parents = new Map([[root, root]])
  // The list grows while it is walked: breadth first, without recursion.
  for (const node of nodes) {
    if (node.inode.type !== 'directory') continue
    const parent = parents.get(node) as Draft
    const names: (NodeName & { readonly text: string })[] = [
      { text: '.', name: utf8('.'), fileType: FT_DIR, node },
      { text: '..', name: utf8('..'), fileType: FT_DIR, node: parent },
    ]
    node.links += 2
    for (const [text, inode] of sortedEntries(node.inode)) {
      const path = node === root ? text : `${node.path}/${text}`
      const name = checkName(text, path)
      const known = found.get(inode)
      const child = known ?? add(inode, path)
      if (inode.type === 'directory') {
        if (known) throw nameError(path, 'is a directory that stands under another name already')
        parents.set(child, node)
        node.links++
      } else child.links++
      names.push({ text, name, fileType: fileType(inode), node: child })
    }
    // Some names sort before a dot.
    names.sort((a, b) => compareBytewise(a.text, b.text))
    node.directory = { names, plan: planDirectory(names) }
  }
  const shared = pool.share()
  for (const node of nodes) node.xattrs = planXattrBody(node.attributes, () => node.path)
  const hasAcl = nodes.some(({ attributes }) => attributes.some(({ name }) => ACLS.includes(name)))
  return { nodes, shared, hasAcl }
}

const ACLS: readonly string[] = ['system.posix_acl_access', 'system.posix_acl_default']

const FT_DIR = 2
/** `fs_umode_to_ftype`, by the type bits of the mode: `FT_REG_FILE` is 1, `FT_SYMLINK` 7. */
const FILE_TYPES: ReadonlyMap<number, number> = new Map([
  [0o100000, 1],
  [0o040000, FT_DIR],
  [0o020000, 3],
  [0o060000, 4],
  [0o010000, 5],
  [0o140000, 6],
  [0o120000, 7],
])

function fileType(inode: Inode): number {
  return FILE_TYPES.get(typeBits(inode)) as number
}

function checkName(text: string, path: string): Uint8Array {
  const name = utf8(text)
  if (name.length >= 1 && name.length <= EROFS_NAME_LEN && !/[/\0]|^\.\.?$/.test(text)) return name
  throw nameError(
    path,
    `has a name of ${name.length} bytes that no directory can hold (1 to ${EROFS_NAME_LEN}, no slash)`,
  )
}

function nameError(path: string, message: string): Error {
  return erofsError('EROFS_NAME_INVALID', `/${path} ${message}`, { details: { path } })
}

function checkTarget(text: string, path: string): Uint8Array {
  const target = utf8(text)
  if (target.length >= 1 && target.length <= MAX_TARGET && !text.includes('\0')) return target
  throw erofsError(
    'EROFS_SYMLINK_INVALID',
    `the target of /${path} has ${target.length} bytes: a link holds 1 to ${MAX_TARGET}, none of them zero`,
    { details: { path, length: target.length, maximum: MAX_TARGET } },
  )
}

function checkDevice({ major, minor }: Inode & { type: 'device' }, path: string): void {
  if (major <= MAX_MAJOR && minor <= MAX_MINOR) return
  throw erofsError('EROFS_DEVICE_NUMBER', `/${path}: ${major}:${minor} is more than 4095:1048575`, {
    details: { path, major, minor },
  })
}
