import { BootableError } from '@bootable/bytes'
import { createDirectory, type Directory, type FileTree } from '@bootable/tree'
import type { OstreeErrorCode } from '../errors.ts'
import { type Checksum, invalidObject, type ObjectType } from '../object/checksum.ts'
import { type Commit, decodeCommit } from '../object/commit.ts'
import { decodeDirmeta } from '../object/dirmeta.ts'
import { decodeDirtree } from '../object/dirtree.ts'
import type { Repository } from './repository.ts'

/** Options of {@link checkoutCommit}. */
export interface CheckoutOptions {
  /**
   * Names of one commit: a hostile tree may show one subtree under very many.
   * @defaultValue 4 000 000
   */
  readonly maxNames?: number
}

/** `PATH_MAX` leaves room for no more; an unverified repository may even hold a tree that contains itself. */
const MAX_DEPTH = 2048

/**
 * The tree of a commit. Directories are new (time 0); files and symbolic links are the inodes of the
 * repository's objects, shared: put others in their place rather than edit them.
 *
 * @throws BootableError `OSTREE_OBJECT_MISSING`, `LIMIT_EXCEEDED`
 * @throws FormatError when an object is malformed
 */
export function checkoutCommit(
  repository: Repository,
  commit: Checksum,
  options: CheckoutOptions = {},
): FileTree {
  const { tree, meta } = readCommit(repository, commit)
  return checkoutTree(repository, tree, meta, options)
}

/** The tree of a `dirtree` and a `dirmeta` object. See {@link checkoutCommit}. */
export function checkoutTree(
  repository: Repository,
  tree: Checksum,
  meta: Checksum,
  options: CheckoutOptions = {},
): FileTree {
  const { maxNames = 4_000_000 } = options
  const root = makeDirectory(repository, meta)
  const pending = [{ directory: root, tree, depth: 1 }]
  let names = 0
  for (let next = pending.pop(); next; next = pending.pop()) {
    const { files, directories } = decodeDirtree(requireMetadata(repository, next.tree, 'dirtree'))
    const { depth } = next
    const { entries } = next.directory
    names += files.size + directories.size
    if (names > maxNames) {
      throw new BootableError('LIMIT_EXCEEDED', `the tree has more than ${maxNames} names`, {
        details: { limit: maxNames },
      })
    }
    if (depth > MAX_DEPTH) throw invalidObject('dirtree', `directories are nested deeper than ${MAX_DEPTH}`)
    for (const [name, checksum] of files) {
      const inode = repository.file(checksum)
      if (!inode) throw missing(checksum, 'file')
      entries.set(name, inode)
    }
    for (const [name, reference] of directories) {
      const directory = makeDirectory(repository, reference.meta)
      entries.set(name, directory)
      pending.push({ directory, tree: reference.tree, depth: depth + 1 })
    }
  }
  return { root }
}

/**
 * A commit of a repository, decoded.
 * @throws BootableError `OSTREE_OBJECT_MISSING`
 * @throws FormatError
 */
export function readCommit(repository: Repository, commit: Checksum): Commit {
  return decodeCommit(requireMetadata(repository, commit, 'commit'))
}

function makeDirectory(repository: Repository, meta: Checksum): Directory {
  const { uid, gid, mode, xattrs } = decodeDirmeta(requireMetadata(repository, meta, 'dirmeta'))
  return createDirectory({ uid, gid, mode, xattrs: new Map(xattrs) })
}

function requireMetadata(
  repository: Repository,
  checksum: Checksum,
  type: Exclude<ObjectType, 'file'>,
): Uint8Array {
  const bytes = repository.metadata(checksum, type)
  if (!bytes) throw missing(checksum, type)
  return bytes
}

function missing(checksum: Checksum, type: ObjectType): BootableError<OstreeErrorCode> {
  return new BootableError(
    'OSTREE_OBJECT_MISSING',
    `the ${type} object ${checksum} is not in the repository`,
    {
      details: { checksum, type },
    },
  )
}
