import { FormatError, fromHex, toHex } from '@bootable/bytes'
import type { Codec } from '../gvariant/codec.ts'
import { malformed } from '../gvariant/codec.ts'

/** The name of an object: the SHA-256 of what it consists of, as 64 lower-case hexadecimal digits. */
export type Checksum = string

/**
 * The kinds of objects of a repository in mode `bare`, as their file names spell them. `commitmeta` is
 * detached metadata: it carries the name of its commit and may change.
 */
export type ObjectType = 'file' | 'dirtree' | 'dirmeta' | 'commit' | 'commitmeta'

/** Where an object lies below `objects/`: `xx/rest.type`. */
export function objectPath(checksum: Checksum, type: ObjectType): string {
  return `${checksum.slice(0, 2)}/${checksum.slice(2)}.${type}`
}

/** What {@link objectPath} made; `undefined` for a path of anything else. */
export function parseObjectPath(path: string): { checksum: Checksum; type: ObjectType } | undefined {
  const match = /^([0-9a-f]{2})\/([0-9a-f]{62})\.(file|dirtree|dirmeta|commit|commitmeta)$/.exec(path)
  if (!match) return undefined
  return { checksum: `${match[1]}${match[2]}`, type: match[3] as ObjectType }
}

/** Whether the text is 64 lower-case hexadecimal digits. */
export function isChecksum(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text)
}

/** A checksum as the 32 bytes (`ay`) that objects hold. */
export const checksumBytes: Codec<Checksum> = {
  type: 'ay',
  alignment: 1,
  encode: fromHex,
  decode(bytes, offset) {
    if (bytes.length !== 32) throw malformed('ay', offset, `a checksum has 32 bytes, not ${bytes.length}`)
    return toHex(bytes)
  },
}

/** The error for an object that is well-formed GVariant, but not what ostree allows. */
export function invalidObject(type: ObjectType | 'xattrs', message: string): FormatError {
  return new FormatError('FORMAT_INVALID', { format: 'ostree', structure: type }, message)
}
