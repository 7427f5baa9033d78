import type { ByteSource } from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import { xfsFormatError } from './errors.ts'
import { isLogClean } from './log-reader.ts'
import { checkReadable, publicFacts, readSuperblock, type XfsSuperblock } from './superblock.ts'
import { readTree } from './tree-reader.ts'

/** An XFS opened for reading. */
export interface XfsFilesystem extends XfsSuperblock {
  /** Whether it was unmounted. Otherwise its log may know better than its blocks. */
  readonly clean: boolean
  /**
   * All names; contents are read when they are asked for. The log is not replayed: of a filesystem that is
   * not `clean`, the tree is what its blocks say.
   *
   * @throws FormatError
   */
  tree(): Promise<FileTree>
}

/**
 * Opens an XFS of version 5. The checksum of every structure on the way to a name is verified.
 *
 * @param source byte 0 is the filesystem's; it must stay open as long as the tree's files are read
 * @throws FormatError; `FORMAT_UNSUPPORTED` for version 4, for features that are not known, and for files on
 * a realtime device
 */
export async function readXfs(source: ByteSource): Promise<XfsFilesystem> {
  const superblock = await readSuperblock(source)
  checkReadable(superblock)
  if (superblock.size > source.size) {
    const message = `it has ${superblock.size} bytes, only ${source.size} are there`
    throw xfsFormatError('FORMAT_TRUNCATED', 'filesystem', message)
  }
  const volume = { source, superblock }
  const clean = await isLogClean(volume)
  return { ...publicFacts(superblock), clean, tree: () => readTree(volume) }
}
