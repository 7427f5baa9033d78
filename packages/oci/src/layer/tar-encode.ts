import { alignUp, utf8 } from '@bootable/bytes'
import type { Timestamp } from '@bootable/tree'
import { toBase64 } from './base64.ts'
import { BLOCK_SIZE, HEADER, type HeaderField, POSIX_MAGIC, TYPE } from './tar-format.ts'
import { checksums } from './tar-header.ts'
import { encodePaxRecords, formatPaxTime, LIBARCHIVE_XATTR, SCHILY_XATTR } from './tar-pax.ts'

/** What a header says. Everything that ustar cannot hold goes into an extended header before it. */
export interface TarHeader {
  readonly path: string
  /** One of `TYPE`. */
  readonly typeFlag: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly mtime: Timestamp
  /** Bytes stored. @defaultValue 0 */
  readonly size?: number
  readonly linkName?: string
  readonly major?: number
  readonly minor?: number
  readonly xattrs?: ReadonlyMap<string, Uint8Array>
  /** For a sparse file of GNU format 1.0: its size with holes. */
  readonly realSize?: number
}

/** Headers of one member: the extended one where it is needed, and the header block. */
export function encodeTarHeader(header: TarHeader): Uint8Array {
  const records: [string, Uint8Array][] = []
  const block = new Uint8Array(BLOCK_SIZE)

  const name = header.path.replace(/\/$/, '').replace(/^.*\//s, '')
  const sparseName = `GNUSparseFile.0/${name}`
  if (header.realSize !== undefined) {
    records.push(
      ['GNU.sparse.major', utf8('1')],
      ['GNU.sparse.minor', utf8('0')],
      ['GNU.sparse.name', utf8(header.path)],
      ['GNU.sparse.realsize', utf8(String(header.realSize))],
    )
  }
  putText(block, HEADER.name, header.realSize === undefined ? header.path : sparseName, 'path', records)
  putText(block, HEADER.linkName, header.linkName ?? '', 'linkpath', records)
  putOctal(block, HEADER.mode, header.mode)
  putNumber(block, HEADER.uid, header.uid, 'uid', records)
  putNumber(block, HEADER.gid, header.gid, 'gid', records)
  putNumber(block, HEADER.size, header.size ?? 0, 'size', records)
  const { seconds, nanoseconds } = header.mtime
  const isPlainTime = nanoseconds === 0 && seconds >= 0 && seconds <= maxOctal(HEADER.mtime)
  putOctal(block, HEADER.mtime, isPlainTime ? seconds : 0)
  if (!isPlainTime) records.push(['mtime', utf8(formatPaxTime(header.mtime))])
  putNumber(block, HEADER.deviceMajor, header.major ?? 0, 'SCHILY.devmajor', records)
  putNumber(block, HEADER.deviceMinor, header.minor ?? 0, 'SCHILY.devminor', records)
  for (const [key, value] of [...(header.xattrs ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))) {
    // The first "=" ends a key, so a name that holds one is written libarchive's way.
    if (key.includes('=')) records.push([LIBARCHIVE_XATTR + encodeURIComponent(key), utf8(toBase64(value))])
    else records.push([SCHILY_XATTR + key, value])
  }
  finish(block, header.typeFlag)
  if (records.length === 0) return block

  const data = encodePaxRecords(records)
  const whole = new Uint8Array(BLOCK_SIZE + alignUp(data.length, BLOCK_SIZE) + BLOCK_SIZE)
  const extended = whole.subarray(0, BLOCK_SIZE)
  putText(extended, HEADER.name, `PaxHeaders.0/${name}`, 'path', [])
  putOctal(extended, HEADER.mode, 0o644)
  for (const field of [HEADER.uid, HEADER.gid, HEADER.mtime]) putOctal(extended, field, 0)
  putOctal(extended, HEADER.size, data.length)
  finish(extended, TYPE.extended)
  whole.set(data, BLOCK_SIZE)
  whole.set(block, whole.length - BLOCK_SIZE)
  return whole
}

type Records = [string, Uint8Array][]

/** Text in ASCII that fits; anything else as a record, with what old readers can have in the field. */
function putText(block: Uint8Array, field: HeaderField, text: string, key: string, records: Records): void {
  const bytes = utf8(text)
  if (bytes.length <= field.size && bytes.every((byte) => byte < 0x80)) {
    block.set(bytes, field.offset)
    return
  }
  records.push([key, bytes])
  const shown = text.replace(/[^\x20-\x7e]/g, '_').slice(0, field.size - 1)
  block.set(utf8(shown), field.offset)
}

function putNumber(
  block: Uint8Array,
  field: HeaderField,
  value: number,
  key: string,
  records: Records,
): void {
  const fits = value <= maxOctal(field)
  putOctal(block, field, fits ? value : 0)
  if (!fits) records.push([key, utf8(String(value))])
}

function maxOctal({ size }: HeaderField): number {
  return 8 ** (size - 1) - 1
}

/** Digits with leading zeros and a NUL at the end. */
function putOctal(block: Uint8Array, { offset, size }: HeaderField, value: number): void {
  block.set(utf8(value.toString(8).padStart(size - 1, '0')), offset)
}

function finish(block: Uint8Array, typeFlag: string): void {
  block.set(utf8(typeFlag), HEADER.typeFlag.offset)
  block.set(utf8(POSIX_MAGIC), HEADER.magic.offset)
  // Six digits, a NUL and a blank: as every tar has written it since Version 7.
  const sum = checksums(block).unsigned.toString(8).padStart(6, '0')
  block.set(utf8(`${sum}\0 `), HEADER.checksum.offset)
}
