import type { ByteSource } from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import { ext4FormatError } from './errors.ts'
import { checkReadable, type Ext4Superblock, readExt4Superblock, readSuperblock } from './superblock.ts'
import { readTree } from './tree-reader.ts'

/** An ext2, ext3 or ext4 filesystem opened for reading. */
export interface Ext4Filesystem extends Ext4Superblock {
  /**
   * All names; contents are read when they are asked for. The journal is not replayed: of a filesystem
   * that is not `clean`, the tree is what its blocks say. lost+found is part of it.
   *
   * @throws FormatError
   */
  tree(): Promise<FileTree>
}

/**
 * Opens an ext2, ext3 or ext4 filesystem. All checksums on the way to a name are verified.
 *
 * @param source byte 0 is the filesystem's; it must stay open as long as the tree's files are read
 * @throws FormatError; `FORMAT_UNSUPPORTED` for meta_bg, and for files that are encrypted, stand in their
 * inode (inline_data) or keep attributes in inodes of their own (ea_inode)
 */
export async function readExt4(source: ByteSource): Promise<Ext4Filesystem> {
  const superblock = await readSuperblock(source)
  checkReadable(superblock)
  if (superblock.size > source.size) {
    const message = `it has ${superblock.size} bytes, only ${source.size} are there`
    throw ext4FormatError('FORMAT_TRUNCATED', 'filesystem', message)
  }
  return { ...(await readExt4Superblock(source)), tree: () => readTree({ source, superblock }) }
}
