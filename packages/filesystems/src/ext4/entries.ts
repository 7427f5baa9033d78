import { decodeUtf8 } from '@bootable/bytes'
import { directoryBlockChecksum } from './checksum.ts'
import { ext4FormatError } from './errors.ts'
import { DirEntry, DirEntryTail, EXT4_FT_DIR_CSUM } from './format.ts'

/** A name in a directory block. */
export interface RawEntry {
  readonly name: string
  readonly inode: number
}

/**
 * The names in one block of a directory, `.` and `..` left out. Blocks of an index look like blocks
 * without names.
 * @param offset of the block in the filesystem; @param seed of the directory's checksums
 * @throws FormatError
 */
export function decodeDirectoryBlock(
  block: Uint8Array,
  offset: number,
  path: string,
  seed: number | undefined,
): RawEntry[] {
  if (seed !== undefined) checkTail(block, offset, path, seed)
  const entries: RawEntry[] = []
  const entry = DirEntry.at(block)
  for (let at = 0; at < block.length; ) {
    const check = (isGood: boolean, message: string): void => {
      if (isGood) return
      throw ext4FormatError('FORMAT_INVALID', `ext4_dir_entry_2 in /${path}`, message, offset + at)
    }
    check(at + DirEntry.size <= block.length, 'it is cut off')
    entry.base = at
    // Blocks of 64 KiB need one more than 16 bits: `ext4_rec_len_from_disk`.
    const length = entry.recLen === 0xffff || entry.recLen === 0 ? 65_536 : entry.recLen
    const next = at + length
    check(length >= DirEntry.size && length % 4 === 0 && next <= block.length, `rec_len is ${entry.recLen}`)
    if (entry.inode !== 0) {
      const start = at + DirEntry.size
      check(entry.nameLen > 0 && start + entry.nameLen <= next, `name_len is ${entry.nameLen}`)
      const name = decodeUtf8(block.subarray(start, start + entry.nameLen))
      if (name === undefined) {
        const message = 'its name is not UTF-8'
        throw ext4FormatError('FORMAT_UNSUPPORTED', `ext4_dir_entry_2 in /${path}`, message, offset + at)
      }
      check(!/[/\0]/.test(name), 'its name holds a slash or a zero')
      if (name !== '.' && name !== '..') entries.push({ name, inode: entry.inode })
    }
    at = next
  }
  return entries
}

/** Only blocks with names end in a tail; those of an index have their checksum elsewhere. */
function checkTail(block: Uint8Array, offset: number, path: string, seed: number): void {
  const tail = DirEntryTail.read(block, block.length - DirEntryTail.size)
  const isTail =
    tail.reservedZero1 === 0 && tail.recLen === DirEntryTail.size && tail.reservedFt === EXT4_FT_DIR_CSUM
  if (!isTail || tail.checksum === directoryBlockChecksum(block, seed)) return
  throw ext4FormatError('FORMAT_CHECKSUM', `block of directory /${path}`, 'its checksum is wrong', offset)
}
