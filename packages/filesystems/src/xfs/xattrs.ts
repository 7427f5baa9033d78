import { alignUp, decodeUtf8, utf8 } from '@bootable/bytes'
import { aclFromDisk, aclToDisk } from './acl.ts'
import * as da from './da-format.ts'
import { xfsError } from './errors.ts'
import { XFS_NAME_LEN } from './format.ts'
import { hashName } from './hash.ts'

/** An extended attribute as XFS knows it: a namespace and a name in it. */
export interface Attribute {
  /** `XFS_ATTR_ROOT`, `XFS_ATTR_SECURE` or none. */
  readonly flags: number
  readonly name: Uint8Array
  readonly value: Uint8Array
  /** `xfs_da_hashname` of the name. */
  readonly hash: number
}

/** Namespaces, and the two names that stand for POSIX ACLs. */
const PREFIXES: readonly (readonly [flags: number, prefix: string])[] = [
  [0, 'user.'],
  [da.XFS_ATTR_ROOT, 'trusted.'],
  [da.XFS_ATTR_SECURE, 'security.'],
]
const ACLS: readonly (readonly [shown: string, stored: string])[] = [
  ['system.posix_acl_access', 'SGI_ACL_FILE'],
  ['system.posix_acl_default', 'SGI_ACL_DEFAULT'],
]

/**
 * The attributes of an inode in the order of their hashes.
 * @param path the inode's name in messages
 * @throws BootableError `XFS_XATTR_INVALID`, `XFS_XATTR_NO_SPACE`
 */
export function encodeAttributes(xattrs: ReadonlyMap<string, Uint8Array>, path: string): Attribute[] {
  return [...xattrs]
    .map(([name, value]) => toAttribute(name, value, path))
    .sort((a, b) => a.hash - b.hash || a.flags - b.flags)
}

function toAttribute(shown: string, value: Uint8Array, path: string): Attribute {
  const refuse = (code: 'XFS_XATTR_INVALID' | 'XFS_XATTR_NO_SPACE', reason: string): never => {
    throw xfsError(code, `extended attribute ${shown} of /${path}: ${reason}`, {
      details: { path, name: shown },
    })
  }
  const acl = ACLS.find(([name]) => name === shown)?.[1]
  const prefix = PREFIXES.find(([, start]) => shown.startsWith(start))
  const isTaken = ACLS.some(([, stored]) => shown === `trusted.${stored}`)
  if (acl === undefined && (!prefix || isTaken))
    return refuse('XFS_XATTR_INVALID', 'XFS has no place for that name')
  const name = utf8(acl ?? shown.slice(prefix?.[1].length))
  if (name.length === 0 || name.length > XFS_NAME_LEN || name.includes(0)) {
    return refuse('XFS_XATTR_INVALID', `a name holds 1 to ${XFS_NAME_LEN} bytes, none of them zero`)
  }
  const stored = acl === undefined ? value : aclToDisk(value)
  if (!stored) return refuse('XFS_XATTR_INVALID', 'its value is not a POSIX ACL')
  if (stored.length > da.XFS_XATTR_SIZE_MAX) {
    return refuse('XFS_XATTR_NO_SPACE', `its value has ${stored.length} bytes, more than 65536`)
  }
  const flags = acl === undefined ? (prefix?.[0] ?? 0) : da.XFS_ATTR_ROOT
  return { flags, name, value: stored, hash: hashName(name) }
}

/**
 * The name and value that `getxattr` shows.
 * @returns `undefined` for a name that is not UTF-8 or an ACL that is none
 */
export function decodeAttribute(
  flags: number,
  bytes: Uint8Array,
  value: Uint8Array,
): readonly [name: string, value: Uint8Array] | undefined {
  const name = decodeUtf8(bytes)
  const prefix = PREFIXES.find(([flag]) => flag === (flags & (da.XFS_ATTR_ROOT | da.XFS_ATTR_SECURE)))?.[1]
  if (name === undefined || prefix === undefined) return undefined
  const acl = prefix === 'trusted.' ? ACLS.find(([, stored]) => stored === name)?.[0] : undefined
  if (acl === undefined) return [prefix + name, value]
  const shown = aclFromDisk(value)
  return shown && [acl, shown]
}

/** Bytes of attributes in an inode; `undefined` where a value is too long for that. */
export function shortAttributesSize(attributes: readonly Attribute[]): number | undefined {
  if (attributes.length > 255 || attributes.some(({ value }) => value.length > 255)) return undefined
  return attributes.reduce(
    (sum, { name, value }) => sum + da.AttrShortEntry.size + name.length + value.length,
    da.AttrShortHeader.size,
  )
}

/** Attributes that stand in the inode. @param size what {@link shortAttributesSize} answers */
export function encodeShortAttributes(attributes: readonly Attribute[], size: number): Uint8Array {
  const bytes = new Uint8Array(size)
  da.AttrShortHeader.write(bytes, 0, { totsize: size, count: attributes.length })
  let at = da.AttrShortHeader.size
  for (const { flags, name, value } of attributes) {
    da.AttrShortEntry.write(bytes, at, { namelen: name.length, valuelen: value.length, flags })
    bytes.set(name, at + da.AttrShortEntry.size)
    bytes.set(value, at + da.AttrShortEntry.size + name.length)
    at += da.AttrShortEntry.size + name.length + value.length
  }
  return bytes
}

/** `xfs_attr_leaf_entsize_local`. */
export function localSize({ name, value }: Pick<Attribute, 'name' | 'value'>): number {
  return alignUp(da.AttrLocalName.size + name.length + value.length, 4)
}

/** `xfs_attr_leaf_entsize_remote`: two bytes more than it takes, since the structure once was padded. */
export function remoteSize({ name }: Pick<Attribute, 'name'>): number {
  return alignUp(da.AttrRemoteName.size + 2 + name.length, 4)
}
