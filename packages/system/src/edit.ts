import { BootableError, decodeUtf8, readAll } from '@bootable/bytes'
import type { Attributes, Directory, FileTree, Inode } from '@bootable/tree'
import { createFile, findFile, putInode, resolvePath, sortedEntries } from '@bootable/tree'
import type { SystemErrorCode } from './errors.ts'

/**
 * A copy of a tree that can be edited without touching the original. Directories are new; everything
 * else is shared until it is replaced, which also takes a name out of its hard links: editing one name
 * of a file must not change the others.
 */
export function cloneTree(tree: FileTree): FileTree {
  const root = copyDirectory(tree.root)
  const pending = [root]
  for (let directory = pending.pop(); directory; directory = pending.pop()) {
    for (const [name, inode] of directory.entries) {
      if (inode.type !== 'directory') continue
      const copy = copyDirectory(inode)
      directory.entries.set(name, copy)
      pending.push(copy)
    }
  }
  return { root }
}

function copyDirectory(directory: Directory): Directory {
  return { ...directory, entries: new Map(directory.entries), xattrs: new Map(directory.xattrs) }
}

/** No configuration file is larger; the bound keeps a hostile image from filling the memory. */
const MAX_TEXT = 16 * 1_048_576

/**
 * The text of a file, links followed; `undefined` where there is none.
 * @throws BootableError `CONFIGURATION_INVALID` when it is not UTF-8, `LIMIT_EXCEEDED` above 16 MiB
 */
export async function readText(tree: FileTree, path: string): Promise<string | undefined> {
  const file = findFile(tree, path)
  if (!file) return undefined
  const text = decodeUtf8(await readAll(file.content, MAX_TEXT))
  if (text !== undefined) return text
  throw new BootableError<SystemErrorCode>('CONFIGURATION_INVALID', `/${path} is not UTF-8`, {
    details: { path },
  })
}

/** The names in a directory that end in `suffix`, sorted by their bytes; none where there is no directory. */
export function listFiles(tree: FileTree, path: string, suffix: string): string[] {
  const directory = resolvePath(tree, path)?.inode
  if (directory?.type !== 'directory') return []
  return sortedEntries(directory)
    .map(([name]) => name)
    .filter((name) => name.endsWith(suffix) && findFile(tree, `${path}/${name}`) !== undefined)
}

/**
 * Puts a text in place of a file. Owner, mode and xattrs of a file that is there stay; a link at the last
 * name is followed, as an editor would.
 * @param given of a file that is new; its `mtime` counts in either case
 */
export function writeText(tree: FileTree, path: string, text: string, given: Attributes): void {
  const found = resolvePath(tree, path)
  if (found?.inode.type !== 'file') {
    putInode(tree, path, createFile(text, given))
    return
  }
  const { mode, uid, gid, xattrs } = found.inode
  const mtime = given.mtime ?? found.inode.mtime
  putInode(tree, found.path, createFile(text, { mode, uid, gid, mtime, xattrs: new Map(xattrs) }))
}

/** The same inode with another owner; what it holds is shared. */
export function withOwner(inode: Inode, uid: number, gid: number): Inode {
  return { ...inode, uid, gid, xattrs: new Map(inode.xattrs) }
}
