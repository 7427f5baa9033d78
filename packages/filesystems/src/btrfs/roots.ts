import { decodeUtf8, uuidFromBytes } from '@bootable/bytes'
import { nameHash } from './checksum.ts'
import { btrfsFormatError } from './errors.ts'
import * as btrfs from './format.ts'
import { leafItems, type ReadItem } from './leaf.ts'
import { type BlockBudget, findItem, scanTree } from './scan.ts'
import type { TreeRoot } from './superblock.ts'
import type { Volume } from './volume.ts'
import { COMPRESSION_PROPERTY, decodeXattrs } from './xattrs.ts'

/** Where a subvolume stands. */
export interface RootPlace {
  /** Number of the tree of files. */
  readonly root: number
  /** Number of the directory. */
  readonly directory: number
  readonly name: string
}

/** A tree of files, as the root tree knows it. */
export interface FileRoot {
  readonly id: number
  readonly root: TreeRoot
  readonly uuid: string
  readonly readOnly: boolean
  /** `undefined` for the top level, and for a subvolume that is being deleted. */
  readonly place: RootPlace | undefined
}

/** What the root tree says. */
export interface Roots {
  /** By number. */
  readonly files: ReadonlyMap<number, FileRoot>
  readonly checksums: TreeRoot | undefined
  /** Number of the tree of files that is mounted when none is named. */
  readonly defaultSubvolume: number
}

/** Reads the root tree. @throws FormatError */
export async function readRoots(volume: Volume, budget: BlockBudget): Promise<Roots> {
  const roots = new Map<number, Omit<FileRoot, 'place'>>()
  const places = new Map<number, RootPlace>()
  let checksums: TreeRoot | undefined
  let defaultSubvolume = btrfs.BTRFS_FS_TREE_OBJECTID
  for await (const leaves of scanTree(volume, volume.superblock.root, budget)) {
    for (const item of leaves.flatMap((leaf) => [...leafItems(leaf)])) {
      const { objectid, type, offset, data } = item
      const isFiles = objectid === btrfs.BTRFS_FS_TREE_OBJECTID || objectid >= btrfs.BTRFS_FIRST_FREE_OBJECTID
      if (type === btrfs.BTRFS_ROOT_ITEM_KEY && objectid === btrfs.BTRFS_CSUM_TREE_OBJECTID) {
        checksums = decodeRoot(item).root
      } else if (type === btrfs.BTRFS_ROOT_ITEM_KEY && isFiles && Number.isSafeInteger(objectid)) {
        const root = decodeRoot(item)
        if (root.isAlive) roots.set(objectid, root)
      } else if (type === btrfs.BTRFS_ROOT_BACKREF_KEY) {
        places.set(objectid, decodePlace(offset, data))
      } else if (type === btrfs.BTRFS_DIR_ITEM_KEY && objectid === btrfs.BTRFS_ROOT_TREE_DIR_OBJECTID) {
        if (offset === DEFAULT_HASH) defaultSubvolume = Number(btrfs.DirItem.read(data).objectid)
      }
    }
  }
  const files = new Map([...roots].map(([id, root]) => [id, { ...root, place: places.get(id) }]))
  return { files, checksums, defaultSubvolume }
}

const DEFAULT_HASH = nameHash(new TextEncoder().encode('default'))

function decodeRoot({ objectid, data }: ReadItem): Omit<FileRoot, 'place'> & { readonly isAlive: boolean } {
  // Root items of before 2011 end early: the rest reads as zero.
  const whole = new Uint8Array(btrfs.RootItem.size)
  const isLegacy = data.length < whole.length
  whole.set(isLegacy ? data.subarray(0, btrfs.LEGACY_ROOT_ITEM_SIZE) : data.subarray(0, whole.length))
  const item = btrfs.RootItem.read(whole)
  if (data.length < btrfs.LEGACY_ROOT_ITEM_SIZE || item.level >= btrfs.BTRFS_MAX_LEVEL) {
    const message = `${data.length} bytes, level ${item.level}`
    throw btrfsFormatError('FORMAT_INVALID', `root ${objectid}`, message)
  }
  return {
    id: objectid,
    root: { address: item.bytenr, level: item.level, generation: item.generation },
    uuid: uuidFromBytes(item.uuid),
    readOnly: (item.flags & btrfs.BTRFS_ROOT_SUBVOL_RDONLY) !== 0n,
    isAlive: item.refs > 0,
  }
}

function decodePlace(root: number, data: Uint8Array): RootPlace {
  const { dirid, nameLen } = btrfs.RootRef.read(data)
  return { root, directory: dirid, name: readName(data, btrfs.RootRef.size, nameLen, `root ref ${root}`) }
}

/** A name within an item. @throws FormatError */
export function readName(data: Uint8Array, at: number, length: number, structure: string): string {
  const name = at + length <= data.length ? decodeUtf8(data.subarray(at, at + length)) : undefined
  if (name !== undefined && /^[^/\0]+$/.test(name) && name !== '.' && name !== '..') return name
  throw btrfsFormatError('FORMAT_INVALID', structure, `a name of ${length} bytes that is none, or not UTF-8`)
}

/** Directories above each other: more than `PATH_MAX` allows are a loop. */
const MAX_DEPTH = 4096

/** The path of a subvolume from the top level; `undefined` where it does not hang on it. @throws FormatError */
export async function pathOfRoot(volume: Volume, roots: Roots, id: number): Promise<string | undefined> {
  const names: string[] = []
  const seen = new Set<number>()
  for (let current = id; current !== btrfs.BTRFS_FS_TREE_OBJECTID; ) {
    const place = roots.files.get(current)?.place
    const parent = place && roots.files.get(place.root)
    if (!parent || seen.has(current)) return undefined
    seen.add(current)
    names.push(place.name)
    let directory = place.directory
    while (directory !== btrfs.BTRFS_FIRST_FREE_OBJECTID) {
      const found = await findName(volume, parent, directory)
      if (!found || names.length > MAX_DEPTH) return undefined
      names.push(found.name)
      directory = found.directory
    }
    current = parent.id
  }
  return names.reverse().join('/')
}

/** Name and parent of a directory. */
async function findName(
  volume: Volume,
  { root }: FileRoot,
  directory: number,
): Promise<{ readonly name: string; readonly directory: number } | undefined> {
  const type = btrfs.BTRFS_INODE_REF_KEY
  const item = await findItem(volume, root, { objectid: directory, type, offset: 0 })
  if (item?.objectid !== directory || item.type !== type) return undefined
  const { nameLen } = btrfs.InodeRef.read(item.data)
  const name = readName(item.data, btrfs.InodeRef.size, nameLen, `inode ref ${directory}`)
  return { name, directory: item.offset }
}

/** The property `btrfs.compression` of a subvolume's top. @throws FormatError */
export async function compressionOfRoot(volume: Volume, { root }: FileRoot): Promise<string | undefined> {
  const key = {
    objectid: btrfs.BTRFS_FIRST_FREE_OBJECTID,
    type: btrfs.BTRFS_XATTR_ITEM_KEY,
    offset: nameHash(new TextEncoder().encode(COMPRESSION_PROPERTY)),
  }
  const item = await findItem(volume, root, key)
  if (!item || item.objectid !== key.objectid || item.type !== key.type || item.offset !== key.offset) {
    return undefined
  }
  const xattrs = new Map<string, Uint8Array>()
  decodeXattrs(item.data, `xattr of root`, xattrs)
  const value = xattrs.get(COMPRESSION_PROPERTY)
  return value && decodeUtf8(value)
}
