import { decodeUtf8, utf8 } from '@bootable/bytes'
import { nameHash } from './checksum.ts'
import { btrfsError, btrfsFormatError } from './errors.ts'
import { BTRFS_FT_XATTR, BTRFS_NAME_LEN, DirItem } from './format.ts'
import { MAX_ITEM_SIZE } from './node.ts'

/** Items of one type that stand under a hash: several names may share one. */
export interface HashedItem {
  readonly hash: number
  readonly data: Uint8Array
}

/** The property that says how files below a directory are compressed. */
export const COMPRESSION_PROPERTY = 'btrfs.compression'

/** Namespaces that btrfs has handlers for, and the two names of POSIX ACLs. */
const ALLOWED = /^(user|trusted|security|btrfs)\.[^\0]|^system\.posix_acl_(access|default)$/

/**
 * The extended attributes of an inode as items, by hash.
 * @throws BootableError `BTRFS_XATTR_INVALID`, `BTRFS_XATTR_NO_SPACE`, `BTRFS_HASH_COLLISION`
 */
export function encodeXattrs(xattrs: ReadonlyMap<string, Uint8Array>, path: string): readonly HashedItem[] {
  const items: HashedItem[] = []
  for (const [name, value] of xattrs) {
    const nameBytes = utf8(name)
    const details = { path, name, value: value.length }
    if (!ALLOWED.test(name) || nameBytes.length > BTRFS_NAME_LEN) {
      throw btrfsError('BTRFS_XATTR_INVALID', `/${path}: btrfs keeps no attribute ${name}`, { details })
    }
    const length = DirItem.size + nameBytes.length + value.length
    if (length > MAX_ITEM_SIZE) {
      const room = MAX_ITEM_SIZE - DirItem.size - nameBytes.length
      throw btrfsError(
        'BTRFS_XATTR_NO_SPACE',
        `/${path}: ${name} has ${value.length} bytes, an item holds ${room} of it`,
        { details },
      )
    }
    const data = new Uint8Array(length)
    DirItem.write(data, 0, { dataLen: value.length, nameLen: nameBytes.length, type: BTRFS_FT_XATTR })
    data.set(nameBytes, DirItem.size)
    data.set(value, DirItem.size + nameBytes.length)
    items.push({ hash: nameHash(nameBytes), data })
  }
  return joinByHash(items, path)
}

/**
 * Items by ascending hash, those of one hash behind each other in one.
 * @throws BootableError `BTRFS_HASH_COLLISION` where that one would be too large
 */
export function joinByHash(items: HashedItem[], path: string): HashedItem[] {
  items.sort((a, b) => a.hash - b.hash)
  const joined: HashedItem[] = []
  for (const item of items) {
    const last = joined[joined.length - 1]
    if (last?.hash !== item.hash) {
      joined.push(item)
      continue
    }
    const data = new Uint8Array(last.data.length + item.data.length)
    data.set(last.data)
    data.set(item.data, last.data.length)
    if (data.length > MAX_ITEM_SIZE) {
      throw btrfsError(
        'BTRFS_HASH_COLLISION',
        `/${path}: names of one hash (${item.hash}) take more than ${MAX_ITEM_SIZE} bytes`,
        { details: { path, hash: item.hash } },
      )
    }
    joined[joined.length - 1] = { hash: item.hash, data }
  }
  return joined
}

/** Adds the attributes of an item to those of its inode. @throws FormatError */
export function decodeXattrs(data: Uint8Array, structure: string, into: Map<string, Uint8Array>): void {
  for (let at = 0; at < data.length; ) {
    const { dataLen, nameLen, type } = DirItem.read(data, at)
    const start = at + DirItem.size + nameLen
    const name = start <= data.length ? decodeUtf8(data.subarray(start - nameLen, start)) : undefined
    if (type !== BTRFS_FT_XATTR || !name || start + dataLen > data.length) {
      throw btrfsFormatError('FORMAT_INVALID', structure, `an attribute of ${nameLen} and ${dataLen} bytes`)
    }
    into.set(name, data.slice(start, start + dataLen))
    at = start + dataLen
  }
}
