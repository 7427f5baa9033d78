import type { DirectoryCustomization, FileCustomization } from '@bootable/blueprint'
import { BootableError } from '@bootable/bytes'
import type { Attributes, FileTree, Timestamp } from '@bootable/tree'
import { createFile, ensureDirectory, putInode, resolvePath } from '@bootable/tree'
import type { AccountDatabase } from './accounts/database.ts'
import { findGroup, findUser } from './accounts/database.ts'
import type { SystemErrorCode } from './errors.ts'

/** Options of {@link customizeFiles}. */
export interface CustomizeFilesOptions {
  readonly directories?: readonly DirectoryCustomization[]
  readonly files?: readonly FileCustomization[]
  /** Owners that are given by name are looked up here. */
  readonly accounts: AccountDatabase
  readonly mtime: Timestamp
}

/**
 * Makes directories, then files. Edits the tree. What is not said of a directory that is there stays as
 * it is; a file replaces what was there. Parents of files that are missing are made, but not below `/etc`.
 *
 * @throws BootableError `FILE_INVALID`, `USER_MISSING`, `GROUP_MISSING`
 */
export function customizeFiles(tree: FileTree, options: CustomizeFilesOptions): void {
  const { directories = [], files = [], accounts, mtime } = options
  for (const wanted of directories) {
    const given = attributes(wanted, accounts)
    requireParent(tree, wanted.path, wanted.ensure_parents === true)
    const found = resolvePath(tree, wanted.path)
    if (found && found.inode.type !== 'directory') throw inTheWay(wanted.path, 'a directory')
    if (found) Object.assign(found.inode, given, { mtime })
    else {
      // Owner and mode are the directory's own, not those of the parents that it asks for.
      ensureDirectory(tree, parentOf(wanted.path), { mtime })
      ensureDirectory(tree, wanted.path, { ...given, mtime })
    }
  }
  for (const wanted of files) {
    const { path } = wanted
    // `directories` reach only below /etc: what other files need nobody else could ask for.
    requireParent(tree, path, !path.startsWith('/etc/'))
    ensureDirectory(tree, parentOf(path), { mtime })
    const found = resolvePath(tree, path)
    if (found && found.inode.type !== 'file') throw inTheWay(path, 'a file')
    const file = createFile(wanted.data ?? '', { ...attributes(wanted, accounts), mtime })
    putInode(tree, found?.path ?? path, file)
  }
}

function attributes(
  wanted: FileCustomization | DirectoryCustomization,
  accounts: AccountDatabase,
): Attributes {
  const { path, user, group, mode } = wanted
  return {
    ...(mode !== undefined && { mode: Number.parseInt(mode, 8) }),
    ...(user !== undefined && { uid: ownerId('user', user, findUser(accounts, String(user))?.uid, path) }),
    ...(group !== undefined && { gid: ownerId('group', group, findGroup(accounts, String(group)), path) }),
  }
}

/** A name that is there counts before a number: names may be all digits. */
function ownerId(
  kind: 'user' | 'group',
  owner: string | number,
  found: number | undefined,
  path: string,
): number {
  if (typeof owner === 'number') return owner
  if (found !== undefined) return found
  if (/^\d+$/.test(owner) && Number(owner) <= 0xffff_fffe) return Number(owner)
  throw new BootableError<SystemErrorCode>(
    kind === 'user' ? 'USER_MISSING' : 'GROUP_MISSING',
    `${path} should belong to the ${kind} ${owner}, which does not exist`,
    { details: { path, [kind]: owner }, hint: `add it under customizations.${kind}, or give a number` },
  )
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'))
}

function requireParent(tree: FileTree, path: string, make: boolean): void {
  const parent = parentOf(path)
  const found = resolvePath(tree, parent)
  if (found?.inode.type === 'directory' || (make && !found)) return
  if (found) throw inTheWay(parent, 'a directory')
  throw new BootableError<SystemErrorCode>('FILE_INVALID', `${path}: there is no directory ${parent}`, {
    details: { path, parent },
    hint: `add it under customizations.directories, with ensure_parents = true`,
  })
}

function inTheWay(path: string, wanted: string): BootableError<SystemErrorCode> {
  return new BootableError('FILE_INVALID', `${path} is not ${wanted} in the image`, { details: { path } })
}
