import type { ByteSource } from '@bootable/bytes'
import { BootableError, compareBytewise, memorySource, utf8 } from '@bootable/bytes'
import type {
  Device,
  Directory,
  Fifo,
  Inode,
  InodeAttributes,
  RegularFile,
  Socket,
  Symlink,
  Timestamp,
} from './inode.ts'

/** A file tree. Paths are written with `/` and without a leading one; `''` is the root. */
export interface FileTree {
  readonly root: Directory
}

/** The Unix epoch: the time of an inode that nobody gave one. */
export const EPOCH: Timestamp = { seconds: 0, nanoseconds: 0 }

/** Attributes that may be left out when an inode is made. */
export type Attributes = Partial<InodeAttributes>

function attributes(given: Attributes, mode: number): InodeAttributes {
  return {
    mode: given.mode ?? mode,
    uid: given.uid ?? 0,
    gid: given.gid ?? 0,
    mtime: given.mtime ?? EPOCH,
    xattrs: given.xattrs ?? new Map(),
    ...(given.immutable && { immutable: true }),
  }
}

/** An empty tree. The root is 0755 and owned by root unless told otherwise. */
export function createTree(root: Attributes = {}): FileTree {
  return { root: createDirectory(root) }
}

/** @param given mode defaults to 0755 */
export function createDirectory(given: Attributes = {}): Directory {
  return { type: 'directory', ...attributes(given, 0o755), entries: new Map() }
}

/**
 * @param content bytes, text (as UTF-8) or a source
 * @param given mode defaults to 0644
 */
export function createFile(content: ByteSource | Uint8Array | string, given: Attributes = {}): RegularFile {
  const source =
    typeof content === 'string'
      ? memorySource(utf8(content))
      : content instanceof Uint8Array
        ? memorySource(content)
        : content
  return { type: 'file', ...attributes(given, 0o644), content: source }
}

/** A symbolic link; its mode is always 0777, as the kernel shows it. */
export function createSymlink(target: string, given: Attributes = {}): Symlink {
  return { type: 'symlink', ...attributes(given, 0o777), target }
}

/** @param given mode defaults to 0600 */
export function createDevice(
  kind: Device['kind'],
  major: number,
  minor: number,
  given: Attributes = {},
): Device {
  return { type: 'device', kind, major, minor, ...attributes(given, 0o600) }
}

export function createFifo(given: Attributes = {}): Fifo {
  return { type: 'fifo', ...attributes(given, 0o644) }
}

export function createSocket(given: Attributes = {}): Socket {
  return { type: 'socket', ...attributes(given, 0o755) }
}

/** The entries of a directory sorted by the bytes of their names: the order of every artifact. */
export function sortedEntries(directory: Directory): [name: string, inode: Inode][] {
  return [...directory.entries].sort((a, b) => compareBytewise(a[0], b[0]))
}

/** The names of a path, leading, trailing and doubled slashes and `.` left out. */
export function splitPath(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.')
}

/** What stands at a path, symbolic links not followed. `undefined` where nothing is. */
export function lookup(tree: FileTree, path: string): Inode | undefined {
  let inode: Inode = tree.root
  for (const name of splitPath(path)) {
    if (inode.type !== 'directory') return undefined
    const next: Inode | undefined = inode.entries.get(name)
    if (!next) return undefined
    inode = next
  }
  return inode
}

/** `ELOOP` of Linux: more links than this in one path are a loop. */
const MAX_LINKS = 40

/**
 * What a process with the tree as its root would find at a path: symbolic links are followed, also the
 * last one, and `..` never leaves the tree. Answers with the place where it was found.
 */
export function resolvePath(tree: FileTree, path: string): { path: string; inode: Inode } | undefined {
  let links = 0
  const pending = splitPath(path).reverse()
  const names: string[] = []
  const parents: Directory[] = []
  let inode: Inode = tree.root

  while (pending.length > 0) {
    const name = pending.pop() as string
    if (name === '..') {
      inode = parents.pop() ?? tree.root
      names.pop()
      continue
    }
    if (inode.type !== 'directory') return undefined
    const next: Inode | undefined = inode.entries.get(name)
    if (!next) return undefined
    if (next.type === 'symlink') {
      if (++links > MAX_LINKS) return undefined
      if (next.target.startsWith('/')) {
        inode = tree.root
        names.length = 0
        parents.length = 0
      }
      pending.push(...splitPath(next.target).reverse())
      continue
    }
    parents.push(inode)
    names.push(name)
    inode = next
  }
  return { path: names.join('/'), inode }
}

/** The regular file at a path, links followed; `undefined` where there is none. */
export function findFile(tree: FileTree, path: string): RegularFile | undefined {
  const found = resolvePath(tree, path)?.inode
  return found?.type === 'file' ? found : undefined
}

/** The directory at a path, links followed; `undefined` where there is none. */
export function findDirectory(tree: FileTree, path: string): Directory | undefined {
  const found = resolvePath(tree, path)?.inode
  return found?.type === 'directory' ? found : undefined
}

/**
 * The directory at a path, made with its parents where it is missing (mode 0755 unless `given` says
 * otherwise; parents take the owner but not the mode). Links on the way are followed.
 * @throws BootableError `TREE_NOT_A_DIRECTORY`
 */
export function ensureDirectory(tree: FileTree, path: string, given: Attributes = {}): Directory {
  const names = splitPath(path)
  let directory = tree.root
  for (let depth = 1; depth <= names.length; depth++) {
    const prefix = names.slice(0, depth).join('/')
    const here = resolvePath(tree, prefix)
    const name = names[depth - 1] as string
    if (here?.inode.type === 'directory') directory = here.inode
    else if (here || directory.entries.has(name)) {
      throw new BootableError('TREE_NOT_A_DIRECTORY', `/${prefix} is in the way: it is not a directory`, {
        details: { path: prefix },
      })
    } else {
      const { mode: _, ...owner } = given
      const made = createDirectory(depth === names.length ? given : owner)
      directory.entries.set(name, made)
      directory = made
    }
  }
  return directory
}

/**
 * Puts an inode at a path; what stood there before under that name goes. Links are followed in the
 * directories on the way, which are made where they are missing, but not at the last name.
 */
export function putInode<T extends Inode>(tree: FileTree, path: string, inode: T): T {
  const names = splitPath(path)
  const name = names.pop()
  if (name === undefined) throw new BootableError('TREE_ROOT', 'the root of a tree cannot be replaced')
  ensureDirectory(tree, names.join('/')).entries.set(name, inode)
  return inode
}

/** Takes a name away, with everything below it. Answers whether there was one. Links are not followed. */
export function removePath(tree: FileTree, path: string): boolean {
  const names = splitPath(path)
  const name = names.pop()
  const parent = lookup(tree, names.join('/'))
  return name !== undefined && parent?.type === 'directory' && parent.entries.delete(name)
}
