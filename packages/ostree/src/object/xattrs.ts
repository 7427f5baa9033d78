import { BootableError, compareBytewise, decodeUtf8 } from '@bootable/bytes'
import type { OstreeErrorCode } from '../errors.ts'
import { bytes, string } from '../gvariant/basic.ts'
import type { Codec } from '../gvariant/codec.ts'
import { array, tuple } from '../gvariant/container.ts'
import { invalidObject } from './checksum.ts'

const pairs = array(tuple(bytes, bytes))

/**
 * `a(ayay)`: names with a zero byte behind them, and values, sorted by the bytes of the names.
 *
 * Attributes without a value are left out: ostree passes over them when it reads an inode (libglnx,
 * `read_xattr_name_array`), so that its fsck would not find an object that counts them.
 *
 * @throws BootableError `OSTREE_INVALID_XATTR`
 */
export function encodeXattrs(xattrs: ReadonlyMap<string, Uint8Array>): Uint8Array {
  if (xattrs.size === 0) return EMPTY
  const sorted = [...keptXattrs(xattrs)].sort(([a], [b]) => compareBytewise(a, b))
  return pairs.encode(sorted.map(([name, value]) => [encodeName(name), value] as const))
}

/** The attributes that an object has: those with a value. See {@link encodeXattrs}. */
export function keptXattrs(xattrs: ReadonlyMap<string, Uint8Array>): Map<string, Uint8Array> {
  if (xattrs.size === 0) return new Map()
  return new Map([...xattrs].filter(([, value]) => value.length > 0))
}

/** @throws FormatError where names are empty, doubled or not sorted */
export function decodeXattrs(encoded: Uint8Array, offset = 0): Map<string, Uint8Array> {
  const xattrs = new Map<string, Uint8Array>()
  let previous = ''
  for (const [raw, value] of pairs.decode(encoded, offset)) {
    const end = raw.length - 1
    const name = raw.indexOf(0) === end ? decodeUtf8(raw.subarray(0, end)) : undefined
    if (!name || compareBytewise(previous, name) >= 0) {
      throw invalidObject(
        'xattrs',
        `the name ${JSON.stringify(name ?? '')} is empty, no text or out of order`,
      )
    }
    xattrs.set(name, value.slice())
    previous = name
  }
  return xattrs
}

/** The attributes as the last member of a larger object. */
export const xattrArray: Codec<ReadonlyMap<string, Uint8Array>> = {
  type: pairs.type,
  alignment: pairs.alignment,
  encode: encodeXattrs,
  decode: decodeXattrs,
}

function encodeName(name: string): Uint8Array {
  if (name !== '' && !name.includes('\0')) return string.encode(name)
  throw new BootableError<OstreeErrorCode>(
    'OSTREE_INVALID_XATTR',
    `an extended attribute cannot be named ${JSON.stringify(name)}`,
    { details: { name } },
  )
}

const EMPTY = new Uint8Array(0)
