import type { ByteSource } from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import { type ErofsSuperblock, readSuperblock } from './superblock.ts'
import { readTree } from './tree-reader.ts'

/** An EROFS opened for reading. */
export interface ErofsFilesystem extends ErofsSuperblock {
  /**
   * All names; contents are read when they are asked for.
   *
   * Files of a composefs image are shown as the image has them: of their size, all of it a hole, and with
   * the attribute `trusted.overlay.redirect`, by which overlayfs finds the content.
   *
   * @throws FormatError
   */
  tree(): Promise<FileTree>
}

/**
 * Opens an EROFS that is not compressed, one of libcomposefs too.
 *
 * @param source byte 0 is the filesystem's; it must stay open as long as the tree's files are read
 * @throws FormatError; `FORMAT_UNSUPPORTED` for compressed files, attributes with long prefixes, chunks on
 * other devices and the features of Linux 6.15 and later that move inodes
 */
export async function readErofs(source: ByteSource): Promise<ErofsFilesystem> {
  const superblock = await readSuperblock(source)
  const { uuid, label, blockSize, blocks, inodes, time, composefs } = superblock
  return {
    uuid,
    label,
    blockSize,
    blocks,
    inodes,
    time,
    composefs,
    tree: () => readTree({ source, superblock }),
  }
}
