import { alignUp, decodeUtf8, utf8 } from '@bootable/bytes'
import { aclFromDisk, aclToDisk } from './acl.ts'
import { ext4Error, ext4FormatError } from './errors.ts'
import { EXT4_XATTR_MAGIC, INODE_SIZE, INODE_XATTRS, XattrEntry, XattrHeader } from './format.ts'

/*
 * Extended attributes (`fs/ext4/xattr.c`): entries grow from the front, values from the back. A first
 * part stands in the inode behind its extra fields, the rest in one block.
 */

/** `EXT4_XATTR_INDEX_*`: what stands in place of a name's beginning. Whole names come first. */
const PREFIXES: readonly (readonly [index: number, prefix: string])[] = [
  [2, 'system.posix_acl_access'],
  [3, 'system.posix_acl_default'],
  [8, 'system.richacl'],
  [1, 'user.'],
  [4, 'trusted.'],
  [6, 'security.'],
  [7, 'system.'],
]
const ACL_INDEXES: readonly number[] = [2, 3]
const MAGIC = 4
/** The zero word that ends the entries. */
const TERMINATOR = 4

/** The attributes of one inode as bytes. */
export interface EncodedXattrs {
  /** What follows `i_extra_isize` in the inode. */
  readonly body?: Uint8Array
  /** A block of its own; its checksum waits for its number. */
  readonly block?: Uint8Array
}

interface Attribute {
  readonly index: number
  readonly name: Uint8Array
  readonly value: Uint8Array
}

const NO_XATTRS: EncodedXattrs = {}

/**
 * Puts the attributes of an inode into its body and, where they do not all fit, a block.
 * @param path the inode's name in messages
 * @throws BootableError `EXT4_XATTR_INVALID`, `EXT4_XATTR_NO_SPACE`
 */
export function encodeXattrs(
  xattrs: ReadonlyMap<string, Uint8Array>,
  path: string,
  blockSize: number,
): EncodedXattrs {
  if (xattrs.size === 0) return NO_XATTRS
  // The kernel looks names up in a block by this order, and so does e2fsck.
  const attributes = [...xattrs]
    .map(([name, value]) => toAttribute(name, value, path))
    .sort(compareAttributes)
  const inBody: Attribute[] = []
  const inBlock: Attribute[] = []
  let bodyRoom = INODE_SIZE - INODE_XATTRS - MAGIC - TERMINATOR
  let blockRoom = blockSize - XattrHeader.size - TERMINATOR
  for (const attribute of attributes) {
    const needed = entryLength(attribute) + alignUp(attribute.value.length, 4)
    if (needed <= bodyRoom) {
      inBody.push(attribute)
      bodyRoom -= needed
    } else {
      inBlock.push(attribute)
      blockRoom -= needed
    }
  }
  if (blockRoom < 0) {
    throw ext4Error(
      'EXT4_XATTR_NO_SPACE',
      `the extended attributes of /${path} need ${-blockRoom} bytes more than an inode and a block of ${blockSize} bytes have`,
      { details: { path, blockSize, missing: -blockRoom } },
    )
  }
  return {
    ...(inBody.length > 0 && { body: encodeBody(inBody) }),
    ...(inBlock.length > 0 && { block: encodeBlock(inBlock, blockSize) }),
  }
}

function toAttribute(name: string, value: Uint8Array, path: string): Attribute {
  const found = PREFIXES.find(([, prefix]) =>
    prefix.endsWith('.') ? name.startsWith(prefix) : name === prefix,
  )
  const suffix = found && utf8(name.slice(found[1].length))
  const isWhole = found && !found[1].endsWith('.')
  const stored = found && ACL_INDEXES.includes(found[0]) ? aclToDisk(value) : value
  if (!found || !suffix || !stored || suffix.length > 255 || (suffix.length === 0 && !isWhole)) {
    const reason = stored ? 'ext4 has no place for that name' : 'its value is not a POSIX ACL'
    throw ext4Error('EXT4_XATTR_INVALID', `extended attribute ${name} of /${path}: ${reason}`, {
      details: { path, name },
    })
  }
  return { index: found[0], name: suffix, value: stored }
}

function compareAttributes(a: Attribute, b: Attribute): number {
  if (a.index !== b.index) return a.index - b.index
  if (a.name.length !== b.name.length) return a.name.length - b.name.length
  const at = a.name.findIndex((byte, index) => byte !== b.name[index])
  return at < 0 ? 0 : (a.name[at] as number) - (b.name[at] as number)
}

function entryLength({ name }: { readonly name: Uint8Array }): number {
  return alignUp(XattrEntry.size + name.length, 4)
}

function encodeBody(attributes: readonly Attribute[]): Uint8Array {
  const bytes = new Uint8Array(INODE_SIZE - INODE_XATTRS)
  new DataView(bytes.buffer).setUint32(0, EXT4_XATTR_MAGIC, true)
  // In an inode, offsets of values count from the first entry.
  writeAttributes(bytes.subarray(MAGIC), 0, attributes)
  return bytes
}

function encodeBlock(attributes: readonly Attribute[], blockSize: number): Uint8Array {
  const bytes = new Uint8Array(blockSize)
  let hash = 0
  for (const entryHash of writeAttributes(bytes, XattrHeader.size, attributes)) {
    hash = (hash << 16) ^ (hash >>> 16) ^ entryHash
  }
  XattrHeader.write(bytes, 0, { magic: EXT4_XATTR_MAGIC, refcount: 1, blocks: 1, hash: hash >>> 0 })
  return bytes
}

/** @returns `e_hash` of every entry */
function writeAttributes(bytes: Uint8Array, start: number, attributes: readonly Attribute[]): number[] {
  let at = start
  let end = bytes.length
  return attributes.map((attribute) => {
    const { index, name, value } = attribute
    end -= alignUp(value.length, 4)
    bytes.set(value, end)
    const hash = hashAttribute(name, bytes.subarray(end, end + alignUp(value.length, 4)))
    XattrEntry.write(bytes, at, {
      nameLen: name.length,
      nameIndex: index,
      valueOffs: value.length > 0 ? end : 0,
      valueSize: value.length,
      hash,
    })
    bytes.set(name, at + XattrEntry.size)
    at += entryLength(attribute)
    return hash
  })
}

/** `ext4_xattr_hash_entry`. Characters are signed: what every kernel and e2fsck accept. */
function hashAttribute(name: Uint8Array, value: Uint8Array): number {
  let hash = 0
  for (const byte of name) hash = (hash << 5) ^ (hash >>> 27) ^ ((byte << 24) >> 24)
  const view = new DataView(value.buffer, value.byteOffset, value.length)
  for (let at = 0; at < value.length; at += 4) hash = (hash << 16) ^ (hash >>> 16) ^ view.getInt32(at, true)
  return hash >>> 0
}

/**
 * Reads the attributes that stand in an inode.
 * @param bytes from `i_extra_isize` on to the end of the inode
 * @param offset of `bytes` in the filesystem, for messages
 */
export function decodeXattrBody(bytes: Uint8Array, offset: number, into: Map<string, Uint8Array>): void {
  if (bytes.length < MAGIC + TERMINATOR) return
  const magic = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(0, true)
  if (magic === EXT4_XATTR_MAGIC) readAttributes(bytes.subarray(MAGIC), 0, offset + MAGIC, into)
}

/** Reads the attributes of a block. @param offset of the block in the filesystem, for messages */
export function decodeXattrBlock(block: Uint8Array, offset: number, into: Map<string, Uint8Array>): void {
  const { magic, blocks } = XattrHeader.read(block)
  if (magic !== EXT4_XATTR_MAGIC || blocks !== 1) {
    throw ext4FormatError('FORMAT_INVALID', 'ext4_xattr_header', 'not a block of extended attributes', offset)
  }
  readAttributes(block, XattrHeader.size, offset, into)
}

function readAttributes(
  bytes: Uint8Array,
  start: number,
  offset: number,
  into: Map<string, Uint8Array>,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let at = start
  const check = (isGood: boolean, message: string): void => {
    if (!isGood) throw ext4FormatError('FORMAT_INVALID', 'ext4_xattr_entry', message, offset + at)
  }
  for (;;) {
    check(at + TERMINATOR <= bytes.length, 'the entries run past their end')
    if (view.getUint32(at, true) === 0) return
    check(at + XattrEntry.size <= bytes.length, 'the entry is cut off')
    const entry = XattrEntry.read(bytes, at)
    if (entry.valueInum !== 0) {
      const message = 'its value is an inode (ea_inode)'
      throw ext4FormatError('FORMAT_UNSUPPORTED', 'ext4_xattr_entry', message, offset + at)
    }
    const nameEnd = at + XattrEntry.size + entry.nameLen
    const valueEnd = entry.valueOffs + entry.valueSize
    check(
      nameEnd <= bytes.length && (entry.valueSize === 0 || valueEnd <= bytes.length),
      'it reaches too far',
    )
    const raw = entry.valueSize > 0 ? bytes.slice(entry.valueOffs, valueEnd) : new Uint8Array()
    const name = attributeName(entry.nameIndex, bytes.subarray(at + XattrEntry.size, nameEnd))
    const value = ACL_INDEXES.includes(entry.nameIndex) ? aclFromDisk(raw) : raw
    check(name !== undefined, 'its name is not a name')
    check(value !== undefined, 'its value is not a POSIX ACL')
    if (name !== undefined && value !== undefined) into.set(name, value)
    at = alignUp(nameEnd, 4)
  }
}

function attributeName(nameIndex: number, bytes: Uint8Array): string | undefined {
  const prefix = PREFIXES.find(([index]) => index === nameIndex)?.[1]
  const suffix = decodeUtf8(bytes)
  return prefix === undefined || suffix === undefined ? undefined : prefix + suffix
}
