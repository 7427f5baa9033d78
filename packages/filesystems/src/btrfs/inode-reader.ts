import { decodeUtf8 } from '@bootable/bytes'
import type { Timestamp } from '@bootable/tree'
import { decodeExtent, type FileContent } from './content.ts'
import { btrfsFormatError } from './errors.ts'
import * as btrfs from './format.ts'
import { leafItems, type ReadItem, type TreeBlock } from './leaf.ts'
import { type FileRoot, readName } from './roots.ts'
import { type BlockBudget, scanTree } from './scan.ts'
import type { Volume } from './volume.ts'
import { decodeXattrs } from './xattrs.ts'

/** A name in a directory. */
export interface RawEntry {
  readonly name: string
  /** Of the inode, or of the subvolume that hangs there. */
  readonly number: number
  readonly isRoot: boolean
}

/** An inode as its items say it. */
export interface RawInode {
  readonly number: number
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  readonly flags: bigint
  readonly rdev: number
  readonly mtime: Timestamp
  readonly xattrs: Map<string, Uint8Array>
  readonly entries: RawEntry[]
  readonly contents: FileContent[]
  /** Of a symbolic link whose target is UTF-8. */
  target?: string
}

/** All inodes of a tree of files, by number. @throws FormatError */
export async function readInodes(
  volume: Volume,
  { root }: FileRoot,
  budget: BlockBudget,
): Promise<ReadonlyMap<number, RawInode>> {
  const inodes = new Map<number, RawInode>()
  for await (const leaves of scanTree(volume, root, budget)) {
    for (const leaf of leaves) {
      for (const item of leafItems(leaf)) addItem(volume, leaf, item, inodes)
    }
  }
  return inodes
}

function addItem(volume: Volume, leaf: TreeBlock, item: ReadItem, inodes: Map<number, RawInode>): void {
  const { objectid, type, data } = item
  const structure = `inode ${objectid}`
  if (type === btrfs.BTRFS_INODE_ITEM_KEY) {
    inodes.set(objectid, decodeInode(objectid, data))
    return
  }
  // Items of other objects, such as those of files that are being deleted, have no inode before them.
  const inode = inodes.get(objectid)
  if (!inode) return
  if (type === btrfs.BTRFS_XATTR_ITEM_KEY) decodeXattrs(data, structure, inode.xattrs)
  else if (type === btrfs.BTRFS_DIR_INDEX_KEY) inode.entries.push(decodeEntry(data, structure))
  else if (type === btrfs.BTRFS_EXTENT_DATA_KEY) {
    const content = decodeExtent(volume, structure, item.offset, data, leaf.position + item.at)
    if (!content) return
    const last = inode.contents[inode.contents.length - 1]
    const end = last?.kind === 'extent' ? last.fileOffset + last.length : 0
    const isNext = content.kind === 'inline' ? last === undefined : content.fileOffset >= end
    if (!isNext || last?.kind === 'inline') {
      throw btrfsFormatError(
        'FORMAT_INVALID',
        structure,
        `the extent at ${item.offset} overlaps the one before`,
      )
    }
    inode.contents.push(content)
    // Targets are stored as they are, and are part of the tree.
    if (content.kind === 'inline' && (inode.mode & 0o170000) === 0o120000 && content.compression === 0) {
      // mkfs.btrfs stores a zero behind the target; the size does not count it.
      const start = data.length - content.length
      const target = decodeUtf8(data.subarray(start, start + Math.min(inode.size, content.length)))
      if (target !== undefined && target !== '' && !target.includes('\0')) inode.target = target
    }
  }
}

function decodeInode(number: number, data: Uint8Array): RawInode {
  const raw = btrfs.InodeItem.read(data)
  // What no kernel writes counts as 0.
  const nanoseconds = raw.mtimeNsec < 1_000_000_000 ? raw.mtimeNsec : 0
  return {
    number,
    mode: raw.mode,
    uid: raw.uid,
    gid: raw.gid,
    size: raw.size,
    flags: raw.flags,
    rdev: raw.rdev,
    mtime: { seconds: raw.mtime, nanoseconds },
    xattrs: new Map(),
    entries: [],
    contents: [],
  }
}

function decodeEntry(data: Uint8Array, structure: string): RawEntry {
  const { objectid, locationType, nameLen } = btrfs.DirItem.read(data)
  const isRoot = locationType === btrfs.BTRFS_ROOT_ITEM_KEY
  if (!isRoot && locationType !== btrfs.BTRFS_INODE_ITEM_KEY) {
    throw btrfsFormatError(
      'FORMAT_INVALID',
      structure,
      `an entry that leads to a key of type ${locationType}`,
    )
  }
  return { name: readName(data, btrfs.DirItem.size, nameLen, structure), number: Number(objectid), isRoot }
}
