import { decodeUtf8 } from '@bootable/bytes'
import type { Directory, FileTree, Inode, InodeAttributes } from '@bootable/tree'
import { createDirectory } from '@bootable/tree'
import { MAX_MINOR } from '../content/device-number.ts'
import { type ContentReader, fileContent } from './content.ts'
import { btrfsFormatError } from './errors.ts'
import * as btrfs from './format.ts'
import { type RawEntry, type RawInode, readInodes } from './inode-reader.ts'
import type { FileRoot, Roots } from './roots.ts'
import { createBudget } from './scan.ts'
import { COMPRESSION_PROPERTY } from './xattrs.ts'

/** A subvolume that was found in a directory and is still to be read. */
interface FoundRoot {
  readonly root: FileRoot
  readonly directory: Directory
  readonly name: string
}

/**
 * Reads all names of a filesystem, from the top level on, subvolumes as directories: one after the other, the
 * leaves of each in order.
 * @throws FormatError
 */
export async function readTree(reader: ContentReader, roots: Roots): Promise<FileTree> {
  const budget = createBudget()
  const topLevel = roots.files.get(btrfs.BTRFS_FS_TREE_OBJECTID)
  if (!topLevel) throw btrfsFormatError('FORMAT_INVALID', 'root tree', 'there is no top level')
  const above = createDirectory()
  const pending: FoundRoot[] = [{ root: topLevel, directory: above, name: '' }]
  const seen = new Set<number>()
  for (let next = pending.pop(); next; next = pending.pop()) {
    const { root, directory, name } = next
    if (seen.has(root.id)) throw twice(`subvolume ${root.id}`, name)
    seen.add(root.id)
    const inodes = await readInodes(reader.volume, root, budget)
    directory.entries.set(name, assemble(reader, root, inodes, roots, pending))
  }
  return { root: above.entries.get('') as Directory }
}

function twice(structure: string, name: string): Error {
  return btrfsFormatError('FORMAT_INVALID', structure, `it stands under ${name} a second time`)
}

/** A directory whose names are still to be added. */
interface OpenDirectory {
  readonly raw: RawInode
  readonly inode: Directory
}

/** Makes the tree of one subvolume from its inodes, and lists the subvolumes in it. */
function assemble(
  reader: ContentReader,
  { id }: FileRoot,
  inodes: ReadonlyMap<number, RawInode>,
  roots: Roots,
  found: FoundRoot[],
): Directory {
  const known = new Map<number, Inode>()
  const open: OpenDirectory[] = []
  const top = inodeAt(btrfs.BTRFS_FIRST_FREE_OBJECTID)
  if (top.type !== 'directory') {
    throw btrfsFormatError('FORMAT_INVALID', `subvolume ${id}`, 'its top is not a directory')
  }
  const inherited = id === btrfs.BTRFS_FS_TREE_OBJECTID ? undefined : property(top)
  for (let next = open.pop(); next; next = open.pop()) {
    const { raw, inode } = next
    if (inherited !== undefined && property(inode) === inherited) inode.xattrs.delete(COMPRESSION_PROPERTY)
    for (const entry of raw.entries) {
      if (inode.entries.has(entry.name)) throw twice(`inode ${raw.number}`, entry.name)
      const child = entry.isRoot ? subvolumeAt(raw, inode, entry) : inodeAt(entry.number, entry.name)
      if (child) inode.entries.set(entry.name, child)
    }
  }
  return top

  function inodeAt(number: number, name = ''): Inode {
    const existing = known.get(number)
    if (existing?.type === 'directory') throw twice(`inode ${number}`, name)
    if (existing) return existing
    const raw = inodes.get(number)
    if (!raw)
      throw btrfsFormatError('FORMAT_INVALID', `inode ${number}`, `/${name} leads to it; it is not there`)
    const inode = toInode(reader, raw)
    known.set(number, inode)
    if (inode.type === 'directory') open.push({ raw, inode })
    return inode
  }

  /** A snapshot shows the subvolumes of what it was made of as empty directories. */
  function subvolumeAt(raw: RawInode, directory: Directory, entry: RawEntry): Directory | undefined {
    const root = roots.files.get(entry.number)
    const place = root?.place
    const isHere = place?.root === id && place.directory === raw.number && place.name === entry.name
    if (!root || !isHere) return createDirectory({ mode: 0o755, mtime: directory.mtime })
    found.push({ root, directory, name: entry.name })
    return undefined
  }
}

function property({ xattrs }: Directory): string | undefined {
  const value = xattrs.get(COMPRESSION_PROPERTY)
  return value && decodeUtf8(value)
}

const S_IFMT = 0o170000

function toInode(reader: ContentReader, raw: RawInode): Inode {
  const { size, number } = raw
  const attributes: InodeAttributes = {
    mode: raw.mode & 0o7777,
    uid: raw.uid,
    gid: raw.gid,
    mtime: raw.mtime,
    xattrs: raw.xattrs,
    ...((raw.flags & btrfs.BTRFS_INODE_IMMUTABLE) !== 0n && { immutable: true }),
  }
  switch (raw.mode & S_IFMT) {
    case 0o100000: {
      const isVerified = (raw.flags & btrfs.BTRFS_INODE_NODATASUM) === 0n
      return { type: 'file', ...attributes, content: fileContent(reader, size, raw.contents, isVerified) }
    }
    case 0o040000:
      return { type: 'directory', ...attributes, entries: new Map() }
    case 0o120000:
      if (raw.target === undefined) {
        throw btrfsFormatError(
          'FORMAT_INVALID',
          `inode ${number}`,
          'a symbolic link without a target of UTF-8',
        )
      }
      return { type: 'symlink', ...attributes, mode: 0o777, target: raw.target }
    case 0o020000:
    case 0o060000: {
      const kind = (raw.mode & S_IFMT) === 0o020000 ? 'character' : 'block'
      const minor = raw.rdev % (MAX_MINOR + 1)
      return { type: 'device', ...attributes, kind, major: Math.floor(raw.rdev / (MAX_MINOR + 1)), minor }
    }
    case 0o010000:
      return { type: 'fifo', ...attributes }
    case 0o140000:
      return { type: 'socket', ...attributes }
    default:
      throw btrfsFormatError('FORMAT_INVALID', `inode ${number}`, `its mode is ${raw.mode.toString(8)}`)
  }
}
