import { EXT4_ACL_VERSION, POSIX_ACL_XATTR_VERSION } from './format.ts'

/*
 * POSIX ACLs have two forms. What `getxattr` shows and archives carry is version 2 with an id in every
 * entry (`posix_acl_xattr.h`); ext4 keeps version 1, where only named users and groups have one
 * (`fs/ext4/acl.c`).
 */

/** `ACL_USER` and `ACL_GROUP`: the tags whose entries name somebody. */
const NAMED_TAGS: readonly number[] = [0x02, 0x08]
/** `ACL_USER_OBJ`, `ACL_GROUP_OBJ`, `ACL_MASK`, `ACL_OTHER`. */
const OBJECT_TAGS: readonly number[] = [0x01, 0x04, 0x10, 0x20]
/** `ACL_UNDEFINED_ID`. */
const UNDEFINED_ID = 0xffff_ffff

const HEADER = 4
const SHORT_ENTRY = 4
const ENTRY = 8

interface AclEntry {
  readonly tag: number
  readonly permissions: number
  readonly id: number
}

/** From the form of `getxattr` to that of ext4; `undefined` where the value is not an ACL. */
export function aclToDisk(value: Uint8Array): Uint8Array | undefined {
  const entries = parse(value, POSIX_ACL_XATTR_VERSION, () => ENTRY)
  if (!entries) return undefined
  const length = entries.reduce((sum, { tag }) => sum + diskLength(tag), HEADER)
  return encode(entries, length, EXT4_ACL_VERSION, diskLength)
}

/** From the form of ext4 to that of `getxattr`; `undefined` where the value is not an ACL. */
export function aclFromDisk(value: Uint8Array): Uint8Array | undefined {
  const entries = parse(value, EXT4_ACL_VERSION, diskLength)
  if (!entries) return undefined
  return encode(entries, HEADER + entries.length * ENTRY, POSIX_ACL_XATTR_VERSION, () => ENTRY)
}

function diskLength(tag: number): number {
  return NAMED_TAGS.includes(tag) ? ENTRY : SHORT_ENTRY
}

function parse(
  value: Uint8Array,
  version: number,
  lengthOf: (tag: number) => number,
): AclEntry[] | undefined {
  const view = new DataView(value.buffer, value.byteOffset, value.length)
  if (value.length < HEADER || view.getUint32(0, true) !== version) return undefined
  const entries: AclEntry[] = []
  for (let at = HEADER; at < value.length; ) {
    if (at + SHORT_ENTRY > value.length) return undefined
    const tag = view.getUint16(at, true)
    if (!NAMED_TAGS.includes(tag) && !OBJECT_TAGS.includes(tag)) return undefined
    const length = lengthOf(tag)
    if (at + length > value.length) return undefined
    const id = NAMED_TAGS.includes(tag) ? view.getUint32(at + SHORT_ENTRY, true) : UNDEFINED_ID
    entries.push({ tag, permissions: view.getUint16(at + 2, true), id })
    at += length
  }
  return entries
}

function encode(
  entries: readonly AclEntry[],
  length: number,
  version: number,
  lengthOf: (tag: number) => number,
): Uint8Array {
  const value = new Uint8Array(length)
  const view = new DataView(value.buffer)
  view.setUint32(0, version, true)
  let at = HEADER
  for (const { tag, permissions, id } of entries) {
    view.setUint16(at, tag, true)
    view.setUint16(at + 2, permissions, true)
    if (lengthOf(tag) === ENTRY) view.setUint32(at + SHORT_ENTRY, id, true)
    at += lengthOf(tag)
  }
  return value
}
