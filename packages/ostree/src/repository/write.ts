import { BootableError } from '@bootable/bytes'
import {
  createDirectory,
  createFile,
  type Directory,
  EPOCH,
  ensureDirectory,
  type FileTree,
  type Timestamp,
} from '@bootable/tree'
import type { OstreeErrorCode } from '../errors.ts'
import { type Checksum, objectPath } from '../object/checksum.ts'
import { formatKeyFile } from '../sysroot/key-file.ts'
import { bootcConfig, type RepositoryConfig } from './config.ts'
import type { Repository } from './repository.ts'

/** Options of {@link writeRepository}. */
export interface WriteRepositoryOptions {
  /** The file `config`. @defaultValue `bootcConfig()` */
  readonly config?: RepositoryConfig
  /** Time of everything but the file objects. @defaultValue 0 */
  readonly mtime?: Timestamp
}

/** Directories of every repository; those of `objects` are made as they are needed. */
const DIRECTORIES = ['tmp', 'extensions', 'state', 'refs/heads', 'refs/mirrors', 'refs/remotes', 'objects']

/**
 * Puts a repository in mode `bare` into a tree, as libostree lays it out. File objects are the very inodes
 * that `checkoutCommit` shows, so that a deployment in the same tree is made of hard links.
 *
 * @param path such as `ostree/repo`; made where it is missing
 * @throws BootableError `OSTREE_INVALID_REF`
 */
export function writeRepository(
  repository: Repository,
  tree: FileTree,
  path: string,
  options: WriteRepositoryOptions = {},
): void {
  const { config = bootcConfig(), mtime = EPOCH } = options
  const root = { root: ensureDirectory(tree, path, { mtime }) }
  root.root.entries.set('config', createFile(formatKeyFile(config), { mtime }))
  for (const name of DIRECTORIES) ensureDirectory(root, name, { mtime })
  for (const [ref, commit] of repository.refs) writeRef(root, ref, commit, mtime)
  writeObjects(repository, ensureDirectory(root, 'objects'), mtime)
}

/** A ref, and `remote:ref` for the refs of a remote: components of words, each starting with one. */
const REF = /^(?:([\w][-.\w]*):)?([\w][-.\w]*(?:\/[\w][-.\w]*)*)$/

function writeRef(root: FileTree, ref: string, commit: Checksum, mtime: Timestamp): void {
  const [, remote, name] = REF.exec(ref) ?? []
  if (name === undefined) {
    throw new BootableError<OstreeErrorCode>(
      'OSTREE_INVALID_REF',
      `${JSON.stringify(ref)} cannot name a commit`,
      {
        details: { ref },
      },
    )
  }
  const names = name.split('/')
  const last = names.pop() as string
  const folder = remote === undefined ? 'refs/heads' : `refs/remotes/${remote}`
  const directory = ensureDirectory(root, [folder, ...names].join('/'), { mtime })
  directory.entries.set(last, createFile(`${commit}\n`, { mtime }))
}

function writeObjects(repository: Repository, objects: Directory, mtime: Timestamp): void {
  for (const { checksum, type } of repository.objects()) {
    const [prefix, name] = objectPath(checksum, type).split('/') as [string, string]
    let directory = objects.entries.get(prefix)
    if (directory?.type !== 'directory') {
      directory = createDirectory({ mtime })
      objects.entries.set(prefix, directory)
    }
    const inode =
      type === 'file'
        ? repository.file(checksum)
        : createFile(repository.metadata(checksum, type) as Uint8Array, { mtime })
    if (inode) directory.entries.set(name, inode)
  }
}
