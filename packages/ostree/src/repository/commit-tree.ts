import { BootableError, type OperationOptions, type RuntimeOptions } from '@bootable/bytes'
import { type Directory, type FileTree, type Inode, walkTree } from '@bootable/tree'
import type { OstreeErrorCode } from '../errors.ts'
import type { Checksum } from '../object/checksum.ts'
import { encodeCommit } from '../object/commit.ts'
import { encodeDirmeta } from '../object/dirmeta.ts'
import { type DirectoryReference, encodeDirtree } from '../object/dirtree.ts'
import type { FileInode } from '../object/file.ts'
import type { Metadata } from '../object/metadata.ts'
import { checksumFiles } from './checksum-files.ts'
import type { Repository } from './repository.ts'

/** Options of {@link commitTree}. */
export interface CommitTreeOptions extends OperationOptions, RuntimeOptions {
  /** @defaultValue none */
  readonly metadata?: Metadata
  readonly parent?: Checksum
  /** @defaultValue empty */
  readonly subject?: string
  /** @defaultValue empty */
  readonly body?: string
  /** Seconds since 1970. */
  readonly timestamp: number
}

/**
 * Adds a tree and a commit of it to a repository. Files that already are objects of the repository are not
 * read again. The tree is not edited, and keeps its own inodes: `checkoutCommit` shows those of the objects.
 *
 * @returns the checksum of the commit; no ref is set
 * @throws BootableError `OSTREE_UNSUPPORTED_FILE` for devices, fifos and sockets; `OSTREE_INVALID_NAME`,
 * `OSTREE_INVALID_XATTR`, `OSTREE_INVALID_TEXT`, `OSTREE_OBJECT_TOO_LARGE`
 */
export async function commitTree(
  repository: Repository,
  tree: FileTree,
  options: CommitTreeOptions,
): Promise<Checksum> {
  const { metadata = new Map(), parent, subject = '', body = '', timestamp } = options
  const { tree: root, meta } = await storeTree(repository, tree, options)
  const commit = { metadata, subject, body, timestamp, tree: root, meta }
  return repository.addMetadata('commit', encodeCommit(parent === undefined ? commit : { ...commit, parent }))
}

/** Adds the objects of a tree, without a commit. */
async function storeTree(
  repository: Repository,
  tree: FileTree,
  options: OperationOptions & RuntimeOptions = {},
): Promise<DirectoryReference> {
  const directories: Directory[] = []
  const files: FileInode[] = []
  for (const { path, inode } of walkTree(tree)) {
    if (inode.type === 'directory') directories.push(inode)
    else files.push(storable(inode, path))
  }

  const known = {
    get: (inode: FileInode) => repository.checksum(inode),
    set: (inode: FileInode, checksum: Checksum) => repository.addFile(inode, checksum),
  }
  const checksums = await checksumFiles(files, { ...options, known })

  // Parents come before their children in a walk, so backwards every child is stored before its parent.
  const references = new Map<Inode, DirectoryReference>()
  for (const directory of directories.reverse()) {
    options.signal?.throwIfAborted()
    const entries = { files: new Map<string, Checksum>(), directories: new Map<string, DirectoryReference>() }
    for (const [name, inode] of directory.entries) {
      if (inode.type === 'directory')
        entries.directories.set(name, references.get(inode) as DirectoryReference)
      else entries.files.set(name, checksums.get(inode as FileInode) as Checksum)
    }
    references.set(directory, {
      tree: repository.addMetadata('dirtree', encodeDirtree(entries)),
      meta: repository.addMetadata('dirmeta', encodeDirmeta(directory)),
    })
  }
  return references.get(tree.root) as DirectoryReference
}

function storable(inode: Exclude<Inode, Directory>, path: string): FileInode {
  if (inode.type === 'file' || inode.type === 'symlink') return inode
  throw new BootableError<OstreeErrorCode>(
    'OSTREE_UNSUPPORTED_FILE',
    `/${path} is a ${inode.type}: ostree stores files, symbolic links and directories only`,
    { details: { path, type: inode.type }, hint: 'let the system make it when it runs, say by tmpfiles.d' },
  )
}
