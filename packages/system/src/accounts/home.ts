import { BootableError } from '@bootable/bytes'
import type { Directory, FileTree, Inode, RegularFile, Timestamp } from '@bootable/tree'
import { createDirectory, createFile, ensureDirectory, findDirectory, findFile } from '@bootable/tree'
import { readText, withOwner, writeText } from '../edit.ts'
import type { SystemErrorCode } from '../errors.ts'
import type { Account } from './database.ts'

/** Options of {@link createHome}. */
export interface CreateHomeOptions {
  readonly mode: number
  /** Directory whose content a new home gets. */
  readonly skel: string
  readonly mtime: Timestamp
}

/**
 * Makes the home of a user and fills it from the skeleton, as `useradd --create-home` does: everything
 * gets the user as its owner and keeps mode and time. A home that is there is left alone.
 *
 * @throws BootableError `USER_INVALID` when something else stands there, or on the way
 */
export function createHome(tree: FileTree, user: Account, options: CreateHomeOptions): void {
  const { mode, skel, mtime } = options
  if (findDirectory(tree, user.home)) return
  const home = makeHome(tree, user, mode, mtime)
  const template = findDirectory(tree, skel)
  if (template) copyOwned(template, home, user, (target) => relocate(target, skel, user.home))
}

function makeHome(
  tree: FileTree,
  { name, home, uid, gid }: Account,
  mode: number,
  mtime: Timestamp,
): Directory {
  try {
    ensureDirectory(tree, home.slice(0, home.lastIndexOf('/')), { mtime })
    return ensureDirectory(tree, home, { mode, uid, gid, mtime })
  } catch (cause) {
    if (!BootableError.is(cause, 'TREE_NOT_A_DIRECTORY')) throw cause
    throw new BootableError<SystemErrorCode>(
      'USER_INVALID',
      `the home of user ${name} cannot be ${home}: ${cause.message}`,
      { details: { user: name, home }, cause },
    )
  }
}

/** Links into the skeleton become links into the home (`copy_symlink()` of shadow-utils). */
function relocate(target: string, from: string, to: string): string {
  return target === from || target.startsWith(`${from}/`) ? to + target.slice(from.length) : target
}

function copyOwned(from: Directory, to: Directory, user: Account, relink: (target: string) => string): void {
  // Two names of one file in the skeleton are two names of one file in the home.
  const copies = new Map<Inode, Inode>()
  const pending: [Directory, Directory][] = [[from, to]]
  for (let pair = pending.pop(); pair; pair = pending.pop()) {
    const [source, target] = pair
    for (const [name, inode] of source.entries) {
      if (inode.type === 'directory') {
        const { mode, mtime, xattrs } = inode
        const copy = createDirectory({ mode, mtime, xattrs: new Map(xattrs), uid: user.uid, gid: user.gid })
        target.entries.set(name, copy)
        pending.push([inode, copy])
        continue
      }
      const copy = copies.get(inode) ?? withOwner(inode, user.uid, user.gid)
      if (copy.type === 'symlink') copy.target = relink(copy.target)
      copies.set(inode, copy)
      target.entries.set(name, copy)
    }
  }
}

/**
 * Appends keys to `.ssh/authorized_keys` of a home, with the owner and the modes that sshd's `StrictModes`
 * asks for, whatever they were before. Keys that stand there already are not added again.
 */
export async function addAuthorizedKeys(
  tree: FileTree,
  user: Account,
  keys: readonly string[],
  mtime: Timestamp,
): Promise<void> {
  const { uid, gid } = user
  const folder = `${user.home}/.ssh`
  Object.assign(ensureDirectory(tree, folder), { mode: 0o700, uid, gid, mtime })
  const path = `${folder}/authorized_keys`
  const before = (await readText(tree, path)) ?? ''
  const known = new Set(before.split('\n').map((line) => line.trim()))
  const lines = before === '' ? [] : before.replace(/\n$/, '').split('\n')
  const text = [...lines, ...keys.filter((key) => !known.has(key))].map((line) => `${line}\n`).join('')
  writeText(tree, path, text, { mtime })
  Object.assign(findFile(tree, path) as RegularFile, { mode: 0o600, uid, gid })
}

/** The mail spool that `useradd` makes where `CREATE_MAIL_SPOOL=yes` and the directory is there. */
export function createMailSpool(
  tree: FileTree,
  directory: string,
  owner: {
    readonly name: string
    readonly uid: number
    readonly gid: number
    readonly mailGroup: number | undefined
  },
  mtime: Timestamp,
): void {
  const spool = findDirectory(tree, directory)
  if (!spool || findFile(tree, `${directory}/${owner.name}`)) return
  const { uid, mailGroup } = owner
  const mode = mailGroup === undefined ? 0o600 : 0o660
  spool.entries.set(owner.name, createFile('', { mode, uid, gid: mailGroup ?? owner.gid, mtime }))
}
