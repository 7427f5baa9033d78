import { alignUp } from '@bootable/bytes'
import { BLOCK, MAGIC, type TarFormat, TarHeader, TYPE } from './format.ts'

/** A regular file of an archive. It belongs to root and everybody may read it. */
export interface TarFile {
  /** At most 100 characters of ASCII. */
  readonly name: string
  /** Bytes. */
  readonly size: number
  /** Seconds since 1970. @defaultValue 0 */
  readonly mtime?: number
}

/** The end of an archive: two blocks of zeros. */
export const ARCHIVE_END: number = 2 * BLOCK

/** Bytes of a header and the content behind it, padded to whole blocks. */
export function memberSize(size: number): number {
  return BLOCK + alignUp(size, BLOCK)
}

/** The header block of a file. Sizes from 8 GiB on stand in base 256, where octal digits do not suffice. */
export function encodeTarHeader({ name, size, mtime = 0 }: TarFile, format: TarFormat): Uint8Array {
  const header = TarHeader.encode({
    name,
    mode: '0000644',
    uid: '0000000',
    gid: '0000000',
    size: encodeSize(size),
    mtime: octal(mtime, 11),
    chksum: ' '.repeat(8),
    typeflag: TYPE.regular,
    magic: MAGIC[format],
    uname: 'root',
    gname: 'root',
  })
  const sum = header.reduce((total, byte) => total + byte, 0)
  TarHeader.write(header, 0, { chksum: `${octal(sum, 6)}\0 ` })
  return header
}

function encodeSize(size: number): Uint8Array {
  const field = new Uint8Array(12)
  if (size < 8 ** 11) {
    for (const [index, digit] of Array.from(octal(size, 11)).entries()) field[index] = digit.charCodeAt(0)
    return field
  }
  field[0] = 0x80
  new DataView(field.buffer).setBigUint64(4, BigInt(size))
  return field
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0')
}
