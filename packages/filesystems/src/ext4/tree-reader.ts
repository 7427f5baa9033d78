import type { GatherPiece } from '@bootable/bytes'
import { decodeUtf8, gather } from '@bootable/bytes'
import type { Directory, FileTree, Inode, Symlink } from '@bootable/tree'
import { type BlockMap, type Claims, inlineExtents, resolveExtents, type Volume } from './blocks.ts'
import { xattrBlockChecksum } from './checksum.ts'
import { fileContent } from './content.ts'
import { decodeDirectoryBlock } from './entries.ts'
import { ext4FormatError } from './errors.ts'
import * as ext4 from './format.ts'
import { decodeDevice } from './inode.ts'
import { createInodeReader, type RawInode } from './inode-reader.ts'
import { FAST_SYMLINK } from './inventory.ts'
import { decodeXattrBlock } from './xattrs.ts'

/** A directory whose names are still to be read. */
interface OpenDirectory {
  readonly path: string
  readonly inode: Directory
  readonly seed: number | undefined
}

/** Blocks of a directory that lie together. */
interface DirectoryRun {
  readonly directory: OpenDirectory
  /** Block of the filesystem. */
  readonly physical: number
  readonly blocks: number
}

/** A name that was read, its inode not yet. */
interface FoundName {
  readonly parent: OpenDirectory
  readonly name: string
  readonly number: number
}

/** Bytes of directories read at a time. */
const BATCH = 4 * 1_048_576
/** Blocks of all directories together, which no real tree comes near. */
const MAX_DIRECTORY_BLOCKS = 2 ** 20
/** Names looked up at a time: bounds the inode tables that a hostile directory can make us load. */
const LOOKUPS = 1024

/**
 * Reads all names of a filesystem, breadth first: the directories, inodes, links and attribute blocks of
 * a batch are each gathered in one go.
 * @throws FormatError
 */
export async function readTree(volume: Volume): Promise<FileTree> {
  const { source, superblock } = volume
  const { blockSize, blockCount, checksumSeed } = superblock
  const inodes = createInodeReader(volume)
  const known = new Map<number, Inode>()
  const claims: Claims = new Set()
  const sharedXattrs = new Map<number, ReadonlyMap<string, Uint8Array>>()
  let level: DirectoryRun[] = []
  let below: DirectoryRun[] = []

  await inodes.load([ext4.EXT4_ROOT_INO])
  const rawRoot = inodes.get(ext4.EXT4_ROOT_INO)
  const root = toInode(volume, rawRoot)
  if (root.type !== 'directory') {
    throw ext4FormatError('FORMAT_INVALID', 'inode 2', 'the root is not a directory')
  }
  known.set(ext4.EXT4_ROOT_INO, root)
  await complete([{ raw: rawRoot, inode: root, path: '' }])
  while (below.length > 0) {
    level = below
    below = []
    for (const batch of batches(level, blockSize)) {
      const names = await readNames(batch)
      for (let first = 0; first < names.length; first += LOOKUPS) {
        await addNames(names.slice(first, first + LOOKUPS))
      }
    }
  }
  return { root }

  async function readNames(runs: readonly DirectoryRun[]): Promise<FoundName[]> {
    const contents = runs.map(({ blocks }) => new Uint8Array(blocks * blockSize))
    await gather(
      runs.map(({ physical }, index) => ({
        source,
        offset: physical * blockSize,
        target: contents[index] as Uint8Array,
      })),
    )
    return runs.flatMap(({ directory, physical, blocks }, index) => {
      const content = contents[index] as Uint8Array
      return Array.from({ length: blocks }, (_, block) => {
        const bytes = content.subarray(block * blockSize, (block + 1) * blockSize)
        const offset = (physical + block) * blockSize
        return decodeDirectoryBlock(bytes, offset, directory.path, directory.seed)
      })
        .flat()
        .map((entry) => ({ parent: directory, name: entry.name, number: entry.inode }))
    })
  }

  async function addNames(names: readonly FoundName[]): Promise<void> {
    await inodes.load(names.filter(({ number }) => !known.has(number)).map(({ number }) => number))
    const added: AddedInode[] = []
    for (const { parent, name, number } of names) {
      const path = parent.path === '' ? name : `${parent.path}/${name}`
      let inode = known.get(number)
      if (inode?.type === 'directory' || parent.inode.entries.has(name)) {
        throw ext4FormatError('FORMAT_INVALID', `inode ${number}`, `/${path} stands there a second time`)
      }
      if (!inode) {
        const raw = inodes.get(number)
        inode = toInode(volume, raw)
        known.set(number, inode)
        added.push({ raw, inode, path })
      }
      parent.inode.entries.set(name, inode)
    }
    await complete(added)
  }

  /** Adds what does not stand in the inodes themselves. */
  async function complete(added: readonly AddedInode[]): Promise<void> {
    const links = added.filter(({ inode }) => inode.type === 'symlink')
    await readTargets(links as readonly (AddedInode & { inode: Symlink })[])
    await readXattrs(added.filter(({ raw }) => raw.xattrBlock !== 0))
    for (const { raw, inode, path } of added) {
      if (inode.type === 'directory') await openDirectory(raw, { path, inode, seed: raw.seed })
    }
  }

  async function openDirectory(raw: RawInode, directory: OpenDirectory): Promise<void> {
    const extents = inlineExtents(volume, raw) ?? (await resolveExtents(volume, raw, claims))
    const end = Math.ceil(raw.size / blockSize)
    for (const { logical, physical, length } of extents) {
      const blocks = Math.min(length, end - logical)
      if (claims.size + blocks > MAX_DIRECTORY_BLOCKS) {
        const message = `the directories have more than ${MAX_DIRECTORY_BLOCKS} blocks`
        throw ext4FormatError('FORMAT_UNSUPPORTED', `directory /${directory.path}`, message)
      }
      for (let block = physical; block < physical + blocks; block++) {
        if (claims.has(block)) {
          const message = `block ${block} is in use already`
          throw ext4FormatError('FORMAT_INVALID', `directory /${directory.path}`, message)
        }
        claims.add(block)
      }
      if (blocks > 0) below.push({ directory, physical, blocks })
    }
  }

  async function readTargets(links: readonly { raw: RawInode; inode: Symlink }[]): Promise<void> {
    const pieces: GatherPiece[] = []
    const targets: [Symlink, Uint8Array][] = []
    for (const { raw, inode } of links) {
      if (isFastSymlink(raw)) {
        targets.push([inode, raw.block.subarray(0, raw.size)])
        continue
      }
      if (raw.size >= Math.max(blockSize, 4096)) {
        throw ext4FormatError('FORMAT_INVALID', `inode ${raw.number}`, `a link to ${raw.size} bytes`)
      }
      const target = new Uint8Array(raw.size)
      pieces.push({ source: fileContent(volume, raw), offset: 0, target })
      targets.push([inode, target])
    }
    await gather(pieces)
    for (const [inode, bytes] of targets) inode.target = decodeTarget(bytes)
  }

  async function readXattrs(added: readonly { raw: RawInode; inode: Inode }[]): Promise<void> {
    const wanted = new Set(added.map(({ raw }) => raw.xattrBlock).filter((block) => !sharedXattrs.has(block)))
    for (const block of wanted) {
      if (block < blockCount) continue
      throw ext4FormatError('FORMAT_INVALID', 'i_file_acl', `block ${block} is outside`)
    }
    const blocks = [...wanted].map((block) => ({ block, target: new Uint8Array(blockSize) }))
    await gather(blocks.map(({ block, target }) => ({ source, offset: block * blockSize, target })))
    for (const { block, target } of blocks) {
      const offset = block * blockSize
      const { checksum } = ext4.XattrHeader.read(target)
      if (checksumSeed !== undefined && checksum !== xattrBlockChecksum(target, block, checksumSeed)) {
        throw ext4FormatError('FORMAT_CHECKSUM', 'ext4_xattr_header', 'its checksum is wrong', offset)
      }
      const values = new Map<string, Uint8Array>()
      decodeXattrBlock(target, offset, values)
      sharedXattrs.set(block, values)
    }
    for (const { raw, inode } of added) {
      for (const [name, value] of sharedXattrs.get(raw.xattrBlock) ?? []) inode.xattrs.set(name, value)
    }
  }
}

/** An inode met for the first time. */
interface AddedInode {
  readonly raw: RawInode
  readonly inode: Inode
  readonly path: string
}

/** Runs in portions of at most {@link BATCH} bytes; a longer run is cut. */
function* batches(runs: readonly DirectoryRun[], blockSize: number): Generator<DirectoryRun[]> {
  const room = BATCH / blockSize
  let batch: DirectoryRun[] = []
  let filled = 0
  for (const { directory, physical, blocks } of runs) {
    for (let done = 0; done < blocks; ) {
      const part = Math.min(blocks - done, room - filled)
      batch.push({ directory, physical: physical + done, blocks: part })
      done += part
      filled += part
      if (filled < room) continue
      yield batch
      batch = []
      filled = 0
    }
  }
  yield batch
}

/** Flags of inodes whose content is not in blocks, or not legible. */
const UNREADABLE = [
  [ext4.EXT4_ENCRYPT_FL, 'encrypted'],
  [ext4.EXT4_INLINE_DATA_FL, 'kept in its inode (inline_data)'],
  [ext4.EXT4_EA_INODE_FL, 'the value of an attribute (ea_inode)'],
] as const

/** The inode of a tree. Link targets and attributes outside of the inode are still missing. */
function toInode(volume: Volume, raw: RawInode): Inode {
  const { number, mode, uid, gid, mtime, xattrs, flags, block } = raw
  for (const [flag, what] of UNREADABLE) {
    if (flags & flag) throw ext4FormatError('FORMAT_UNSUPPORTED', `inode ${number}`, `its content is ${what}`)
  }
  const immutable = (flags & ext4.EXT4_IMMUTABLE_FL) !== 0 && { immutable: true }
  const attributes = { mode: mode & 0o7777, uid, gid, mtime, xattrs, ...immutable }
  switch (mode & 0o170000) {
    case 0o100000:
      return { type: 'file', ...attributes, content: fileContent(volume, raw satisfies BlockMap) }
    case 0o040000:
      return { type: 'directory', ...attributes, entries: new Map() }
    case 0o120000:
      return { type: 'symlink', ...attributes, target: '' }
    case 0o020000:
      return { type: 'device', kind: 'character', ...decodeDevice(block), ...attributes }
    case 0o060000:
      return { type: 'device', kind: 'block', ...decodeDevice(block), ...attributes }
    case 0o010000:
      return { type: 'fifo', ...attributes }
    case 0o140000:
      return { type: 'socket', ...attributes }
    default:
      throw ext4FormatError('FORMAT_INVALID', `inode ${number}`, `its mode is 0${mode.toString(8)}`)
  }
}

/** `ext4_inode_is_fast_symlink`: the target stands in `i_block`. */
function isFastSymlink({ flags, size }: RawInode): boolean {
  return !(flags & ext4.EXT4_EXTENTS_FL) && size <= FAST_SYMLINK
}

function decodeTarget(bytes: Uint8Array): string {
  const target = decodeUtf8(bytes)
  if (target === undefined) {
    throw ext4FormatError('FORMAT_UNSUPPORTED', 'symbolic link', 'its target is not UTF-8')
  }
  if (target !== '' && !target.includes('\0')) return target
  throw ext4FormatError('FORMAT_INVALID', 'symbolic link', 'its target is empty or holds a zero')
}
