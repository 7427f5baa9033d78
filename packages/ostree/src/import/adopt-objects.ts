import type { OperationOptions, RuntimeOptions } from '@bootable/bytes'
import { type Directory, type FileTree, walkTree } from '@bootable/tree'
import type { FileInode } from '../object/file.ts'
import { checksumFiles } from '../repository/checksum-files.ts'
import type { Repository } from '../repository/repository.ts'

/**
 * Adds the files of a tree to a repository and puts the inodes of the objects in their places, so that
 * whatever is made of the tree later need not be hashed again. Files that are objects already stay.
 *
 * @param tree of files and symbolic links only
 */
export async function adoptObjects(
  repository: Repository,
  tree: FileTree,
  options: OperationOptions & RuntimeOptions,
): Promise<void> {
  const directories: Directory[] = []
  const files: FileInode[] = []
  for (const { inode } of walkTree(tree)) {
    if (inode.type === 'directory') directories.push(inode)
    else if (repository.checksum(inode as FileInode) === undefined) files.push(inode as FileInode)
  }
  const objects = new Map<unknown, FileInode>()
  for (const [inode, checksum] of await checksumFiles(files, options)) {
    objects.set(inode, repository.addFile(inode, checksum))
  }
  for (const { entries } of directories) {
    for (const [name, inode] of entries) {
      const object = objects.get(inode)
      if (object) entries.set(name, object)
    }
  }
}
