import { decodeUtf8 } from '@bootable/bytes'
import * as da from './da-format.ts'
import { xfsFormatError } from './errors.ts'
import type { RawInode } from './inode-reader.ts'
import { checkBlock, type Volume, wide } from './volume.ts'

/** A name in a directory. */
export interface RawEntry {
  readonly name: string
  readonly inode: number
}

/** The names of a directory that stand in its inode. @throws FormatError */
export function decodeShortDirectory({ data, size, number }: RawInode, path: string): RawEntry[] {
  const structure = `directory /${path}`
  const bytes = data.bytes.subarray(0, size)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const check = (isGood: boolean, message: string): void => {
    if (!isGood) throw xfsFormatError('FORMAT_INVALID', structure, `${message} (inode ${number})`)
  }
  check(size >= 6 && size <= data.bytes.length, `it has ${size} bytes in its inode`)
  const count = view.getUint8(0)
  const width = view.getUint8(1) > 0 ? 8 : 4
  const entries: RawEntry[] = []
  let at = 2 + width
  for (let index = 0; index < count; index++) {
    check(at + 3 <= size, 'an entry is cut off')
    const length = view.getUint8(at)
    const end = at + 3 + length + 1 + width
    check(length > 0 && end <= size, `namelen is ${length}`)
    const name = decodeName(bytes.subarray(at + 3, at + 3 + length), structure)
    entries.push({ name, inode: width === 8 ? wide(view, end - 8) : view.getUint32(end - 4) })
    at = end
  }
  return entries
}

/**
 * The names in one block of a directory, `.` and `..` left out.
 * @param owner inode number of the directory; @param block where it lies, from the start of the device
 * @throws FormatError
 */
export function decodeDirectoryBlock(
  volume: Volume,
  bytes: Uint8Array,
  { owner, block, path }: { readonly owner: number; readonly block: number; readonly path: string },
): RawEntry[] {
  const structure = `block of directory /${path}`
  const offset = block * volume.superblock.blockSize
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const magic = view.getUint32(0)
  if (magic !== da.XFS_DIR3_BLOCK_MAGIC && magic !== da.XFS_DIR3_DATA_MAGIC) {
    throw xfsFormatError('FORMAT_INVALID', structure, `its magic is ${magic.toString(16)}`, offset)
  }
  checkBlock(volume, bytes, { structure, fields: da.DirDataHeader.fields, owner, block })

  let at = da.DirDataHeader.size
  const check = (isGood: boolean, message: string): void => {
    if (!isGood) throw xfsFormatError('FORMAT_INVALID', structure, message, offset + at)
  }
  const end = magic === da.XFS_DIR3_BLOCK_MAGIC ? hashesStart(view) : bytes.length
  check(end >= at, 'its tail is wrong')
  const entries: RawEntry[] = []
  while (at < end) {
    check(at + 16 <= end || view.getUint16(at) === da.XFS_DIR2_DATA_FREE_TAG, 'an entry is cut off')
    if (view.getUint16(at) === da.XFS_DIR2_DATA_FREE_TAG) {
      const length = view.getUint16(at + 2)
      check(length >= 8 && length % 8 === 0 && at + length <= end, `length is ${length}`)
      at += length
      continue
    }
    const start = at + da.DirDataEntry.size
    const length = view.getUint8(at + 8)
    const next = Math.ceil((start + length + 3) / 8) * 8
    check(length > 0 && next <= end, `namelen is ${length}`)
    const isDots =
      (length <= 2 && bytes[start] === 0x2e && (length === 1 || bytes[start + 1] === 0x2e)) === true
    if (!isDots) {
      const name = decodeName(bytes.subarray(start, start + length), structure, offset + at)
      entries.push({ name, inode: wide(view, at) })
    }
    at = next
  }
  return entries
}

/** Where the hashes at the end of a single block start. */
function hashesStart(view: DataView): number {
  const tail = view.byteLength - da.DirBlockTail.size
  return tail - view.getUint32(tail) * da.DirLeafEntry.size
}

function decodeName(bytes: Uint8Array, structure: string, offset?: number): string {
  const name = decodeUtf8(bytes)
  if (name === undefined) throw xfsFormatError('FORMAT_UNSUPPORTED', structure, 'a name is not UTF-8', offset)
  if (/[/\0]|^\.\.?$/.test(name)) {
    throw xfsFormatError('FORMAT_INVALID', structure, 'a name holds a slash or a zero', offset)
  }
  return name
}
