import { alignUp, concatBytes, utf8 } from '@bootable/bytes'
import type { TarMember } from '@bootable/oci'
import { createTarParser } from '@bootable/oci'

/** A header as the bytes that stand in its fields: what our own writer would never write. */
export interface RawHeader {
  readonly name?: string | Uint8Array
  readonly type?: string
  /** Number for octal, text or bytes for themselves. */
  readonly size?: number | string | Uint8Array
  readonly mode?: number | string
  readonly uid?: number | string | Uint8Array
  readonly gid?: number | string | Uint8Array
  readonly mtime?: number | string | Uint8Array
  readonly linkName?: string
  readonly magic?: string
  readonly prefix?: string
  readonly major?: number | string
  readonly minor?: number | string
  /** More bytes at an offset of the block. */
  readonly extra?: readonly (readonly [offset: number, data: string | Uint8Array])[]
  /** Sums bytes above 127 as negative. */
  readonly signedSum?: boolean
}

const bytesOf = (data: string | Uint8Array): Uint8Array => (typeof data === 'string' ? utf8(data) : data)

/** One header block, its checksum right. */
export function header(fields: RawHeader): Uint8Array {
  const block = new Uint8Array(512)
  const put = (offset: number, data: string | Uint8Array): void => block.set(bytesOf(data), offset)
  const number = (offset: number, size: number, value: number | string | Uint8Array): void =>
    put(offset, typeof value === 'number' ? `${value.toString(8).padStart(size - 1, '0')}\0` : value)
  put(0, fields.name ?? 'file')
  number(100, 8, fields.mode ?? 0o644)
  number(108, 8, fields.uid ?? 0)
  number(116, 8, fields.gid ?? 0)
  number(124, 12, fields.size ?? 0)
  number(136, 12, fields.mtime ?? 0)
  put(148, '        ')
  put(156, fields.type ?? '0')
  put(157, fields.linkName ?? '')
  put(257, fields.magic ?? 'ustar\x0000')
  number(329, 8, fields.major ?? 0)
  number(337, 8, fields.minor ?? 0)
  put(345, fields.prefix ?? '')
  for (const [offset, data] of fields.extra ?? []) put(offset, data)
  const sum = block.reduce((total, byte) => total + (fields.signedSum && byte > 127 ? byte - 256 : byte), 0)
  put(148, `${sum.toString(8).padStart(6, '0')}\0 `)
  return block
}

/** Bytes padded to whole blocks. */
export function padded(data: string | Uint8Array): Uint8Array {
  const bytes = bytesOf(data)
  const block = new Uint8Array(alignUp(bytes.length, 512))
  block.set(bytes)
  return block
}

/** A header, its size set, and content. */
export function member(fields: RawHeader, content: string | Uint8Array = ''): Uint8Array {
  const data = bytesOf(content)
  return concatBytes([header({ size: data.length, ...fields }), padded(data)])
}

export type Records = readonly (readonly [key: string, value: string | Uint8Array])[]

/** Records of an extended header, their lengths right. */
export function records(entries: Records): Uint8Array {
  return concatBytes(
    entries.map(([key, value]) => {
      const rest = concatBytes([utf8(` ${key}=`), bytesOf(value), utf8('\n')])
      let length = rest.length
      while (String(length).length + rest.length !== length) length = String(length).length + rest.length
      return concatBytes([utf8(String(length)), rest])
    }),
  )
}

/** An extended header: `x`, or `g` for all that follows. */
export function pax(entries: Records, type = 'x'): Uint8Array {
  return member({ name: 'PaxHeaders.0/file', type }, records(entries))
}

/** An archive with its end. */
export function archive(...parts: readonly Uint8Array[]): Uint8Array {
  return concatBytes([...parts, new Uint8Array(1024)])
}

/** The members of an archive, pushed in chunks of `step` bytes. */
export function parse(tar: Uint8Array, step = tar.length): TarMember[] {
  const members: TarMember[] = []
  const parser = createTarParser({ onMember: (found) => members.push(found) })
  for (let at = 0; at < tar.length; at += step) parser.push(tar.subarray(at, at + step))
  parser.end()
  return members
}

/** The only member of an archive made of these parts. */
export function only(...parts: readonly Uint8Array[]): TarMember {
  const members = parse(archive(...parts))
  if (members.length !== 1) throw new Error(`${members.length} members, not one`)
  return members[0] as TarMember
}
