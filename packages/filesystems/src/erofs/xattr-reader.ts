import { alignUp, decodeUtf8, gather } from '@bootable/bytes'
import { erofsFormatError } from './errors.ts'
import { EROFS_XATTR_LONG_PREFIX, XattrEntry, XattrIbodyHeader } from './format.ts'
import type { RawInode } from './inode-reader.ts'
import { checkRange, type ReadBudget, type Volume } from './volume.ts'
import { WHOLE_NAME, XATTR_PREFIXES } from './xattrs.ts'

interface Attribute {
  readonly name: string
  readonly value: Uint8Array
}

/** Reads the attributes of inodes. */
export interface XattrReader {
  /**
   * Adds the attributes of many inodes, read together.
   * @throws FormatError
   */
  read(inodes: readonly { readonly raw: RawInode; readonly xattrs: Map<string, Uint8Array> }[]): Promise<void>
}

export function createXattrReader(volume: Volume, budget: ReadBudget): XattrReader {
  const { source, superblock } = volume
  /** By number. Shared values are kept once, however many inodes have them. */
  const shared = new Map<number, Attribute>()

  return {
    async read(inodes) {
      const bodies = inodes
        .filter(({ raw }) => raw.xattrSize > 0)
        .map(({ raw, xattrs }) => {
          budget.spend(raw.xattrSize, `attributes of inode ${raw.nid}`)
          return { raw, xattrs, bytes: new Uint8Array(raw.xattrSize) }
        })
      await gather(bodies.map(({ raw, bytes }) => ({ source, offset: raw.xattrStart, target: bytes })))
      const decoded = bodies.map(({ raw, xattrs, bytes }) => ({ xattrs, ...decodeBody(bytes, raw) }))
      await loadShared(decoded.flatMap(({ ids }) => ids))
      for (const { xattrs, ids, inline } of decoded) {
        for (const id of ids) {
          const { name, value } = shared.get(id) as Attribute
          xattrs.set(name, value)
        }
        for (const { name, value } of inline) xattrs.set(name, value)
      }
    },
  }

  /** Reads the shared attributes that were not met before: the heads of all, then their bodies. */
  async function loadShared(wanted: readonly number[]): Promise<void> {
    const fresh = [...new Set(wanted)].filter((id) => !shared.has(id))
    const entries = fresh.map((id) => ({
      id,
      offset: superblock.xattrStart + id * 4,
      head: new Uint8Array(4),
    }))
    const what = 'erofs_xattr_entry'
    for (const { offset } of entries) checkRange(volume, offset, XattrEntry.size, what)
    await gather(entries.map(({ offset, head }) => ({ source, offset, target: head })))
    const bodies = entries.map(({ id, offset, head }) => {
      const size = entrySize(head, 0)
      budget.spend(size, what)
      const length = size - XattrEntry.size
      checkRange(volume, offset + XattrEntry.size, length, what)
      const bytes = new Uint8Array(XattrEntry.size + length)
      bytes.set(head)
      return { id, offset, bytes }
    })
    await gather(
      bodies.map(({ offset, bytes }) => ({
        source,
        offset: offset + XattrEntry.size,
        target: bytes.subarray(XattrEntry.size),
      })),
    )
    for (const { id, offset, bytes } of bodies) shared.set(id, decodeEntry(bytes, 0, offset))
  }
}

/** Bytes of an entry without its padding. */
function entrySize(bytes: Uint8Array, at: number): number {
  const { nameLen, valueSize } = XattrEntry.read(bytes, at)
  return XattrEntry.size + nameLen + valueSize
}

function decodeBody(
  bytes: Uint8Array,
  { nid, xattrStart }: RawInode,
): { ids: number[]; inline: Attribute[] } {
  const { sharedCount } = XattrIbodyHeader.read(bytes)
  const start = XattrIbodyHeader.size + 4 * sharedCount
  const fail = (message: string, at: number): never => {
    throw erofsFormatError('FORMAT_INVALID', `attributes of inode ${nid}`, message, xattrStart + at)
  }
  if (start > bytes.length) fail(`${sharedCount} shared ones do not fit`, 0)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const ids = Array.from({ length: sharedCount }, (_, index) =>
    view.getUint32(XattrIbodyHeader.size + 4 * index, true),
  )
  const inline: Attribute[] = []
  for (let at = start; at < bytes.length; ) {
    const size = entrySize(bytes, at)
    if (at + size > bytes.length) fail('an entry reaches too far', at)
    inline.push(decodeEntry(bytes, at, xattrStart))
    at = alignUp(at + size, 4)
  }
  return { ids, inline }
}

/** @param base offset of `bytes` in the volume, for messages */
function decodeEntry(bytes: Uint8Array, at: number, base: number): Attribute {
  const { nameLen, nameIndex, valueSize } = XattrEntry.read(bytes, at)
  const start = at + XattrEntry.size
  const suffix = decodeUtf8(bytes.subarray(start, start + nameLen))
  const prefix = nameIndex === WHOLE_NAME ? '' : XATTR_PREFIXES.find(([index]) => index === nameIndex)?.[1]
  if (prefix === undefined) {
    const isLong = (nameIndex & EROFS_XATTR_LONG_PREFIX) !== 0
    const message = isLong ? 'its prefix is one of the volume' : `index ${nameIndex} is not known`
    throw erofsFormatError('FORMAT_UNSUPPORTED', 'erofs_xattr_entry', message, base + at)
  }
  const name = `${prefix}${suffix}`
  if (suffix === undefined || suffix.includes('\0') || name === '' || name.length > 1024) {
    throw erofsFormatError('FORMAT_INVALID', 'erofs_xattr_entry', 'its name is not a name', base + at)
  }
  return { name, value: bytes.slice(start + nameLen, start + nameLen + valueSize) }
}
