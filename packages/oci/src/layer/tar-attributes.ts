import { FormatError } from '@bootable/bytes'
import type { Timestamp } from '@bootable/tree'
import { checkLimit, type LayerLimits } from './limits.ts'
import { HEADER, type HeaderField } from './tar-format.ts'
import { numberField } from './tar-header.ts'
import type { MemberPlace } from './tar-path.ts'
import { type PaxRecords, paxNumber, paxTime, paxXattr } from './tar-pax.ts'

/**
 * Takes in the records of a global header (`typeflag` g). Values for all members that make sense are few;
 * an extended attribute is refused, since nothing writes one and every member would have to carry it.
 * @throws FormatError
 */
export function addGlobalRecords(global: Map<string, Uint8Array>, records: PaxRecords, at: number): void {
  for (const [key, value] of records) {
    if (paxXattr(key, value, at)) {
      throw new FormatError(
        'FORMAT_UNSUPPORTED',
        { format: 'tar', structure: 'global extended header', offset: at, actual: key },
        'an extended attribute for all members',
      )
    }
    global.set(key, value)
  }
}

/** The records that hold for one member: those of its own header over those of global headers. */
export interface EffectivePax {
  /** The last value of a key; `undefined` where it is absent or was deleted by an empty value. */
  get(key: string): Uint8Array | undefined
  readonly xattrs: ReadonlyMap<string, Uint8Array>
}

const NO_XATTRS: ReadonlyMap<string, Uint8Array> = new Map()
/** Most members have no extended header: they share this. */
const NO_PAX: EffectivePax = { get: () => undefined, xattrs: NO_XATTRS }

/** `XATTR_NAME_MAX` of Linux. */
const MAX_XATTR_NAME = 255

/**
 * Merges records. An empty value deletes a key (POSIX), but an xattr with an empty value is one: Docker
 * and its kin write them, and overlayfs marks mean something by being there.
 * @throws FormatError; BootableError `LIMIT_EXCEEDED`
 */
export function mergePax(
  global: ReadonlyMap<string, Uint8Array>,
  own: PaxRecords,
  place: MemberPlace,
  limits: Required<LayerLimits>,
): EffectivePax {
  if (global.size === 0 && own.length === 0) return NO_PAX
  const values = new Map<string, Uint8Array>()
  const xattrs = new Map<string, Uint8Array>()
  for (const [key, value] of own) {
    const xattr = paxXattr(key, value, place.offset)
    if (!xattr) {
      values.set(key, value)
      continue
    }
    const { name } = xattr
    if (name === '' || name.length > MAX_XATTR_NAME || name.includes('\0')) {
      throw new FormatError(
        'FORMAT_INVALID',
        { format: 'tar', structure: `member ${place.index}, xattr`, offset: place.offset, actual: name },
        `${JSON.stringify(name.slice(0, MAX_XATTR_NAME))} cannot be the name of an extended attribute`,
      )
    }
    checkLimit(`member ${place.index}: xattr ${name}`, xattr.value.length, 'xattrSize', limits.xattrSize)
    xattrs.set(name, xattr.value)
  }
  return {
    get(key) {
      const value = values.get(key) ?? global.get(key)
      return value && value.length > 0 ? value : undefined
    },
    xattrs: xattrs.size > 0 ? xattrs : NO_XATTRS,
  }
}

/** The greatest user or group id: −1 means "none" to the kernel. */
const MAX_ID = 0xffff_fffe

/** A number from the PAX record `key` or, without one, from a field of the header. @throws FormatError */
export function memberNumber(
  block: Uint8Array,
  field: HeaderField,
  pax: EffectivePax,
  key: string,
  at: number,
): number {
  const value = pax.get(key)
  const number = value ? paxNumber(key, value, at) : numberField(block, field, at)
  if (number >= 0) return number
  throw outOfRange(field.name, number, at)
}

/** A user or group id. @throws FormatError */
export function memberId(block: Uint8Array, key: 'uid' | 'gid', pax: EffectivePax, at: number): number {
  const id = memberNumber(block, HEADER[key], pax, key, at)
  if (id <= MAX_ID) return id
  throw outOfRange(key, id, at)
}

/** The modification time, in nanoseconds where the archive has them. @throws FormatError */
export function memberTime(block: Uint8Array, pax: EffectivePax, at: number): Timestamp {
  const value = pax.get('mtime')
  if (value) return paxTime('mtime', value, at)
  return { seconds: numberField(block, HEADER.mtime, at), nanoseconds: 0 }
}

function outOfRange(field: string, actual: number, offset: number): FormatError {
  return new FormatError(
    'FORMAT_INVALID',
    { format: 'tar', structure: `header, ${field}`, offset, actual },
    `${actual} is out of range`,
  )
}
