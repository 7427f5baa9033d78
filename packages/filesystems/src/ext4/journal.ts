import { JBD2_MAGIC_NUMBER, JBD2_SUPERBLOCK_V2, JournalSuperBlock } from './format.ts'

/**
 * The first block of a journal with nothing in it, as mke2fs writes it. The kernel adds the features of
 * its own (64bit, checksums v3) at the first mount.
 * @param blocks length of the journal; @param uuid that of the filesystem
 */
export function encodeJournalSuperblock(blocks: number, blockSize: number, uuid: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(blockSize)
  JournalSuperBlock.write(bytes, 0, {
    magic: JBD2_MAGIC_NUMBER,
    blocktype: JBD2_SUPERBLOCK_V2,
    blocksize: blockSize,
    maxlen: blocks,
    first: 1,
    sequence: 1,
    uuid,
    nrUsers: 1,
  })
  return bytes
}
