import { decodeUtf8 } from '@bootable/bytes'
import { erofsFormatError } from './errors.ts'
import { BLOCK_SIZE, Dirent, EROFS_NAME_LEN } from './format.ts'

/** One name of a directory that is to be written. */
export interface DirectoryName {
  /** UTF-8. */
  readonly name: Uint8Array
  /** `EROFS_FT_*`, which are the kernel's `FT_*`. */
  readonly fileType: number
}

/** How the names of a directory are spread over blocks. */
export interface DirectoryPlan {
  /** Index of the first name of every block. */
  readonly blocks: readonly number[]
  /** Bytes of the last block that are taken. */
  readonly last: number
}

/** Fills one block after the other: each is searched on its own, so no name crosses into the next. */
export function planDirectory(names: readonly DirectoryName[]): DirectoryPlan {
  const blocks: number[] = [0]
  let used = 0
  for (const [index, { name }] of names.entries()) {
    const size = Dirent.size + name.length
    if (used + size > BLOCK_SIZE) {
      blocks.push(index)
      used = 0
    }
    used += size
  }
  return { blocks, last: used }
}

/** @param nid number of the inode under each name */
export function encodeDirectory(
  names: readonly DirectoryName[],
  { blocks, last }: DirectoryPlan,
  nid: (index: number) => number,
): Uint8Array {
  const bytes = new Uint8Array((blocks.length - 1) * BLOCK_SIZE + last)
  const dirent = Dirent.at(bytes)
  for (const [block, first] of blocks.entries()) {
    const after = blocks[block + 1] ?? names.length
    const start = block * BLOCK_SIZE
    let nameoff = (after - first) * Dirent.size
    for (let index = first; index < after; index++) {
      const { name, fileType } = names[index] as DirectoryName
      dirent.base = start + (index - first) * Dirent.size
      dirent.nid = nid(index)
      dirent.nameoff = nameoff
      dirent.fileType = fileType
      bytes.set(name, start + nameoff)
      nameoff += name.length
    }
  }
  return bytes
}

/** One name of a directory that was read. */
export interface ReadName {
  readonly name: string
  readonly nid: number
}

/**
 * The names of one block, `.` and `..` left out.
 * @param bytes the block, or as much of it as the directory has
 * @param offset of the block in the filesystem, for messages
 * @throws FormatError
 */
export function decodeDirectoryBlock(bytes: Uint8Array, offset: number, path: string): ReadName[] {
  const fail = (message: string, at: number): never => {
    throw erofsFormatError('FORMAT_INVALID', `directory /${path}`, message, offset + at)
  }
  if (bytes.length < Dirent.size) fail(`${bytes.length} bytes are no directory`, 0)
  const first = Dirent.read(bytes).nameoff
  if (first < Dirent.size || first % Dirent.size !== 0 || first > bytes.length) {
    fail(`its names start at ${first}`, 0)
  }
  const count = first / Dirent.size
  const names: ReadName[] = []
  let start = first
  for (let index = 0; index < count; index++) {
    const at = index * Dirent.size
    const { nid } = Dirent.read(bytes, at)
    const end = index + 1 < count ? Dirent.read(bytes, at + Dirent.size).nameoff : endOfLast(bytes, start)
    if (end <= start || end > bytes.length || end - start > EROFS_NAME_LEN) {
      fail(`a name from ${start} to ${end}`, at)
    }
    const name = decodeUtf8(bytes.subarray(start, end))
    start = end
    if (name === undefined) {
      throw erofsFormatError('FORMAT_UNSUPPORTED', `directory /${path}`, 'a name is not UTF-8', offset + at)
    }
    if (name === '.' || name === '..') continue
    if (/[/\0]/.test(name)) fail(`${JSON.stringify(name)} is no file name`, at)
    names.push({ name, nid })
  }
  return names
}

/** The last name ends at a zero, or with the block. */
function endOfLast(bytes: Uint8Array, start: number): number {
  const zero = bytes.indexOf(0, start)
  return zero < 0 ? bytes.length : zero
}
