import { alignUp, compareBytewise, utf8 } from '@bootable/bytes'
import { erofsError } from './errors.ts'
import {
  EROFS_XATTR_FILTER_DEFAULT,
  EROFS_XATTR_FILTER_SEED,
  XattrEntry,
  XattrIbodyHeader,
} from './format.ts'
import { xxh32 } from './xxhash.ts'

/** `EROFS_XATTR_INDEX_*`: what stands in place of a name's beginning. */
export const XATTR_PREFIXES: readonly (readonly [index: number, prefix: string])[] = [
  [1, 'user.'],
  [2, 'system.posix_acl_access'],
  [3, 'system.posix_acl_default'],
  [4, 'trusted.'],
  [6, 'security.'],
]
/** Index of a name that is kept whole: libcomposefs writes such, Linux shows none. */
export const WHOLE_NAME = 0

/** An attribute, one object however many inodes have it. */
export interface Xattr {
  /** The full name. */
  readonly name: string
  readonly index: number
  /** The name without the prefix of the index. */
  readonly suffix: Uint8Array
  readonly value: Uint8Array
  /** Bytes of its entry. */
  readonly size: number
  /** The bit of `h_name_filter` that its name clears. */
  readonly filter: number
  /** Inodes that have it. */
  uses: number
  /** Its place in the table of shared attributes, in bytes; `undefined` where it is not shared. */
  shared?: number
}

/** All attributes of a tree. */
export interface XattrPool {
  /**
   * The attributes of one inode, by name; counts one use of each.
   * @param path the inode's name in messages
   * @throws BootableError `EROFS_XATTR_INVALID`
   */
  add(xattrs: ReadonlyMap<string, Uint8Array>, path: string): readonly Xattr[]
  /** The table of the attributes that several inodes have. Afterwards `shared` tells the place of each. */
  share(): SharedXattrs
}

/** The table of shared attributes. */
export interface SharedXattrs {
  readonly entries: readonly Xattr[]
  /** Bytes. */
  readonly size: number
}

const NO_XATTRS: readonly Xattr[] = []
/** Injective on bytes: windows-1252 gives each its own character. */
const KEY = new TextDecoder('latin1')

/** @param wholeNames whether names that no prefix covers are kept whole; else they are refused */
export function createXattrPool(wholeNames: boolean): XattrPool {
  const known = new Map<string, Xattr>()
  return {
    add(xattrs, path) {
      if (xattrs.size === 0) return NO_XATTRS
      return [...xattrs]
        .sort((a, b) => compareBytewise(a[0], b[0]))
        .map(([name, value]) => {
          const key = `${name}\0${KEY.decode(value)}`
          let xattr = known.get(key)
          if (!xattr) {
            xattr = makeXattr(name, value, path, wholeNames)
            known.set(key, xattr)
          }
          xattr.uses++
          return xattr
        })
    },
    share() {
      // libcomposefs's order; any would do for Linux.
      const entries = [...known.values()].filter(({ uses }) => uses > 1).sort((a, b) => -compareXattrs(a, b))
      let size = 0
      for (const entry of entries) {
        entry.shared = size
        size += entry.size
      }
      return { entries, size }
    },
  }
}

function makeXattr(name: string, value: Uint8Array, path: string, wholeNames: boolean): Xattr {
  const found = XATTR_PREFIXES.find(([, prefix]) =>
    prefix.endsWith('.') ? name.startsWith(prefix) : name === prefix,
  )
  const [index, prefix] = found ?? [WHOLE_NAME, '']
  const suffix = utf8(name.slice(prefix.length))
  const refusal =
    !wholeNames && (!found || (suffix.length === 0 && prefix.endsWith('.')))
      ? 'EROFS has no place for that name'
      : suffix.length > 255
        ? `its name has ${suffix.length} bytes, 255 are possible`
        : value.length > 0xffff
          ? `its value has ${value.length} bytes, 65535 are possible`
          : undefined
  if (refusal !== undefined) {
    throw erofsError('EROFS_XATTR_INVALID', `extended attribute ${name} of /${path}: ${refusal}`, {
      details: { path, name, size: value.length },
    })
  }
  return {
    name,
    index,
    suffix,
    value,
    size: alignUp(XattrEntry.size + suffix.length + value.length, 4),
    filter: xxh32(suffix, EROFS_XATTR_FILTER_SEED + index) & 31,
    uses: 0,
  }
}

/** By name, then the longer value last, then by the bytes of the value. */
function compareXattrs(a: Xattr, b: Xattr): number {
  if (a.name !== b.name) return compareBytewise(a.name, b.name)
  if (a.value.length !== b.value.length) return a.value.length - b.value.length
  const at = a.value.findIndex((byte, index) => byte !== b.value[index])
  return at < 0 ? 0 : (a.value[at] as number) - (b.value[at] as number)
}

/** Shared attributes of one inode, as libcomposefs limits them; the field could say 255. */
const MAX_SHARED = 128
/** `i_xattr_icount` is what the attributes take in words, less the header's three, plus one. */
const MAX_SIZE = XattrIbodyHeader.size + 4 * (0xffff - 1)

/** How the attributes of an inode stand behind it. */
export interface XattrBody {
  readonly shared: readonly Xattr[]
  readonly inline: readonly Xattr[]
  /** Bytes; 0 for an inode without attributes. */
  readonly size: number
}

const NO_BODY: XattrBody = { shared: [], inline: [], size: 0 }

/**
 * @param path of the inode, for messages
 * @throws BootableError `EROFS_XATTR_NO_SPACE`
 */
export function planXattrBody(xattrs: readonly Xattr[], path: () => string): XattrBody {
  if (xattrs.length === 0) return NO_BODY
  const shared: Xattr[] = []
  const inline: Xattr[] = []
  let size = XattrIbodyHeader.size
  for (const xattr of xattrs) {
    const isShared = xattr.shared !== undefined && shared.length < MAX_SHARED
    if (isShared) shared.push(xattr)
    else inline.push(xattr)
    size += isShared ? 4 : xattr.size
  }
  if (size <= MAX_SIZE) return { shared, inline, size }
  throw erofsError(
    'EROFS_XATTR_NO_SPACE',
    `the extended attributes of /${path()} take ${size} bytes, ${MAX_SIZE} are possible`,
    { details: { path: path(), size, maximum: MAX_SIZE } },
  )
}

/** @param tableStart first byte of the table of shared attributes, counted from `xattr_blkaddr` */
export function encodeXattrBody(into: Uint8Array, at: number, body: XattrBody, tableStart: number): void {
  if (body.size === 0) return
  let nameFilter = EROFS_XATTR_FILTER_DEFAULT
  for (const { filter } of body.shared) nameFilter &= ~(1 << filter)
  for (const { filter } of body.inline) nameFilter &= ~(1 << filter)
  XattrIbodyHeader.write(into, at, { nameFilter: nameFilter >>> 0, sharedCount: body.shared.length })
  let position = at + XattrIbodyHeader.size
  const view = new DataView(into.buffer, into.byteOffset, into.length)
  for (const { shared = 0 } of body.shared) {
    view.setUint32(position, (tableStart + shared) / 4, true)
    position += 4
  }
  for (const xattr of body.inline) position += encodeEntry(into, position, xattr)
}

/** The table of shared attributes. */
export function encodeSharedXattrs({ entries, size }: SharedXattrs): Uint8Array {
  const table = new Uint8Array(size)
  for (const xattr of entries) encodeEntry(table, xattr.shared as number, xattr)
  return table
}

function encodeEntry(into: Uint8Array, at: number, { index, suffix, value, size }: Xattr): number {
  into[at] = suffix.length
  into[at + 1] = index
  into[at + 2] = value.length & 0xff
  into[at + 3] = value.length >>> 8
  into.set(suffix, at + XattrEntry.size)
  into.set(value, at + XattrEntry.size + suffix.length)
  return size
}
