import type { GatherPiece } from '@bootable/bytes'
import { decodeUtf8, gather } from '@bootable/bytes'
import type { Directory, FileTree, Inode, Symlink } from '@bootable/tree'
import { fileContent } from './content.ts'
import { XFS_DIR2_SPACE_SIZE } from './da-format.ts'
import { decodeDeviceNumber } from './device-number.ts'
import { decodeDirectoryBlock, decodeShortDirectory, type RawEntry } from './entries.ts'
import { xfsFormatError } from './errors.ts'
import type { Extent } from './extents.ts'
import { inlineExtents, resolveExtents } from './fork-reader.ts'
import * as xfs from './format.ts'
import { createInodeReader, type RawInode } from './inode-reader.ts'
import { checkBlock, createClaims, forkPieces, type Volume } from './volume.ts'
import { decodeShortAttributes, readAttributes } from './xattr-reader.ts'

/** A directory whose names are still to be read. */
interface OpenDirectory {
  readonly path: string
  readonly raw: RawInode
  readonly inode: Directory
  /** Blocks of names, in blocks of the filesystem from the start of the directory. */
  readonly blocks: readonly number[]
  readonly extents: readonly Extent[]
}

/** A name that was read, its inode not yet. */
interface FoundName extends RawEntry {
  readonly parent: OpenDirectory
}

/** An inode met for the first time. */
interface AddedInode<T extends Inode = Inode> {
  readonly raw: RawInode
  readonly inode: T
  readonly path: string
}

/** Bytes of directories read at a time. */
const BATCH = 4 * 1_048_576
/** Bytes of all directories together, which no real tree comes near. */
const MAX_DIRECTORY_BYTES = 2 ** 32
/** Names looked up at a time: bounds the inodes that a hostile directory can make us load. */
const LOOKUPS = 1024

/**
 * Reads all names of a filesystem, breadth first: the directories, inodes, links and attributes of a batch
 * are each gathered in one go.
 * @throws FormatError
 */
export async function readTree(volume: Volume): Promise<FileTree> {
  const { source, superblock } = volume
  const { blockSize, directoryBlockSize } = superblock
  const perBlock = directoryBlockSize / blockSize
  const inodes = createInodeReader(volume)
  const known = new Map<number, Inode>()
  const claims = createClaims()
  let below: OpenDirectory[] = []
  let directoryBytes = 0

  await inodes.load([superblock.root])
  const rawRoot = inodes.get(superblock.root)
  const root = toInode(volume, rawRoot)
  if (root.type !== 'directory') {
    throw xfsFormatError('FORMAT_INVALID', `inode ${superblock.root}`, 'the root is not a directory')
  }
  known.set(superblock.root, root)
  await complete([{ raw: rawRoot, inode: root, path: '' }])
  while (below.length > 0) {
    const level = below
    below = []
    for (const batch of batches(level, directoryBlockSize)) {
      const names = await readNames(batch)
      for (let first = 0; first < names.length; first += LOOKUPS) {
        await addNames(names.slice(first, first + LOOKUPS))
      }
    }
  }
  return { root }

  async function readNames(portion: readonly OpenDirectory[]): Promise<FoundName[]> {
    const reads: GatherPiece[] = []
    const contents = portion.map(({ blocks, extents }) =>
      blocks.map((block) => {
        const bytes = new Uint8Array(directoryBlockSize)
        reads.push(...forkPieces(volume, extents, block, bytes))
        return bytes
      }),
    )
    await gather(reads)
    return portion.flatMap((parent, index) => {
      const { raw, path, blocks, extents } = parent
      const inBlocks = blocks.flatMap((logical, at) => {
        const place = { owner: raw.number, block: addressOf(extents, logical, path), path }
        return decodeDirectoryBlock(volume, contents[index]?.[at] as Uint8Array, place)
      })
      const isShort = raw.data.format === xfs.XFS_DINODE_FMT_LOCAL
      const entries = isShort ? decodeShortDirectory(raw, path) : inBlocks
      return entries.map(({ name, inode }) => ({ parent, name, inode }))
    })
  }

  async function addNames(names: readonly FoundName[]): Promise<void> {
    await inodes.load(names.filter(({ inode }) => !known.has(inode)).map(({ inode }) => inode))
    const added: AddedInode[] = []
    for (const { parent, name, inode: number } of names) {
      const path = parent.path === '' ? name : `${parent.path}/${name}`
      let inode = known.get(number)
      if (inode?.type === 'directory' || parent.inode.entries.has(name)) {
        throw xfsFormatError('FORMAT_INVALID', `inode ${number}`, `/${path} stands there a second time`)
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
    await readTargets(added.filter((one): one is AddedInode<Symlink> => one.inode.type === 'symlink'))
    const apart: { fork: NonNullable<RawInode['attributes']>; into: Inode['xattrs'] }[] = []
    for (const { raw, inode } of added) {
      const fork = raw.attributes
      if (fork && !decodeShortAttributes(fork, inode.xattrs)) apart.push({ fork, into: inode.xattrs })
    }
    await readAttributes(volume, apart, claims)
    for (const { raw, inode, path } of added) {
      if (inode.type === 'directory') await openDirectory(raw, inode, path)
    }
  }

  async function openDirectory(raw: RawInode, inode: Directory, path: string): Promise<void> {
    const isShort = raw.data.format === xfs.XFS_DINODE_FMT_LOCAL
    const extents = isShort
      ? []
      : (inlineExtents(volume, raw.data) ?? (await resolveExtents(volume, raw.data, claims)))
    const end = XFS_DIR2_SPACE_SIZE / blockSize
    const blocks: number[] = []
    for (const { logical, physical, length } of extents) {
      if (logical >= end) break
      directoryBytes += length * blockSize
      if (directoryBytes > MAX_DIRECTORY_BYTES) {
        const message = `the directories have more than ${MAX_DIRECTORY_BYTES} bytes`
        throw xfsFormatError('FORMAT_UNSUPPORTED', `directory /${path}`, message)
      }
      for (let done = 0; done < length; done++) {
        claims.add(physical + done, `directory /${path}`)
        if ((logical + done) % perBlock === 0) blocks.push(logical + done)
      }
    }
    below.push({ path, raw, inode, blocks, extents })
  }

  async function readTargets(links: readonly AddedInode<Symlink>[]): Promise<void> {
    const reads: GatherPiece[] = []
    const remote: { link: AddedInode<Symlink>; extents: readonly Extent[]; parts: Uint8Array[] }[] = []
    for (const link of links) {
      const { data, size, number } = link.raw
      if (size > xfs.XFS_SYMLINK_MAXLEN) {
        throw xfsFormatError('FORMAT_INVALID', `inode ${number}`, `a link to ${size} bytes`)
      }
      if (data.format === xfs.XFS_DINODE_FMT_LOCAL) {
        link.inode.target = decodeTarget(data.bytes.subarray(0, size), number)
        continue
      }
      const extents = inlineExtents(volume, data) ?? (await resolveExtents(volume, data, claims))
      // A block of 1 KiB is short of a target for its header alone.
      const parts = extents.slice(0, 2).map(({ physical, length }) => {
        const target = new Uint8Array(Math.min(length, 2) * blockSize)
        reads.push({ source, offset: physical * blockSize, target })
        return target
      })
      remote.push({ link, extents, parts })
    }
    await gather(reads)
    for (const { link, extents, parts } of remote) {
      const bytes = joinTarget(volume, link.raw, extents, parts)
      link.inode.target = decodeTarget(bytes, link.raw.number)
    }
  }
}

/** Directories in portions of at most {@link BATCH} bytes; a larger one is cut. */
function* batches(directories: readonly OpenDirectory[], blockSize: number): Generator<OpenDirectory[]> {
  const room = BATCH / blockSize
  let batch: OpenDirectory[] = []
  let filled = 0
  for (const directory of directories) {
    let done = 0
    do {
      const blocks = directory.blocks.slice(done, done + room - filled)
      batch.push({ ...directory, blocks })
      done += blocks.length
      // One in its inode takes room as well, so that no batch has too many.
      filled += Math.max(1, blocks.length)
      if (filled < room) continue
      yield batch
      batch = []
      filled = 0
    } while (done < directory.blocks.length)
  }
  yield batch
}

function addressOf(extents: readonly Extent[], logical: number, path: string): number {
  const extent = extents.find((one) => logical >= one.logical && logical < one.logical + one.length)
  if (extent) return extent.physical + logical - extent.logical
  throw xfsFormatError('FORMAT_INVALID', `directory /${path}`, `block ${logical} is a hole`)
}

/** A target that stands in blocks: every extent starts with a header. */
function joinTarget(
  volume: Volume,
  { number, size }: RawInode,
  extents: readonly Extent[],
  parts: readonly Uint8Array[],
): Uint8Array {
  const target = new Uint8Array(size)
  let done = 0
  for (const [index, bytes] of parts.entries()) {
    const header = xfs.SymlinkHeader.at(bytes)
    const isPart = header.magic === xfs.XFS_SYMLINK_MAGIC && header.offset === done
    if (!isPart || done + header.bytes > size || xfs.SymlinkHeader.size + header.bytes > bytes.length) {
      throw xfsFormatError('FORMAT_INVALID', `inode ${number}`, 'its target is not there')
    }
    const block = extents[index]?.physical as number
    const { fields } = xfs.SymlinkHeader
    checkBlock(volume, bytes, { structure: `target of inode ${number}`, fields, owner: number, block })
    target.set(bytes.subarray(xfs.SymlinkHeader.size, xfs.SymlinkHeader.size + header.bytes), done)
    done += header.bytes
    if (done === size) return target
  }
  throw xfsFormatError('FORMAT_INVALID', `inode ${number}`, `${done} of ${size} bytes of its target`)
}

/** The inode of a tree. Link targets and attributes outside of the inode are still missing. */
function toInode(volume: Volume, raw: RawInode): Inode {
  const { number, mode, uid, gid, mtime, flags, data } = raw
  const immutable = (flags & xfs.XFS_DIFLAG_IMMUTABLE) !== 0 && { immutable: true }
  const attributes = { mode: mode & 0o7777, uid, gid, mtime, xattrs: new Map(), ...immutable }
  const device = (): { major: number; minor: number } => {
    if (data.format !== xfs.XFS_DINODE_FMT_DEV) {
      throw xfsFormatError('FORMAT_INVALID', `inode ${number}`, `a device of format ${data.format}`)
    }
    return decodeDeviceNumber(new DataView(data.bytes.buffer, data.bytes.byteOffset).getUint32(0))
  }
  switch (mode & 0o170000) {
    case 0o100000:
      return { type: 'file', ...attributes, content: fileContent(volume, raw) }
    case 0o040000:
      return { type: 'directory', ...attributes, entries: new Map() }
    case 0o120000:
      return { type: 'symlink', ...attributes, target: '' }
    case 0o020000:
      return { type: 'device', kind: 'character', ...device(), ...attributes }
    case 0o060000:
      return { type: 'device', kind: 'block', ...device(), ...attributes }
    case 0o010000:
      return { type: 'fifo', ...attributes }
    case 0o140000:
      return { type: 'socket', ...attributes }
    default:
      throw xfsFormatError('FORMAT_INVALID', `inode ${number}`, `its mode is 0${mode.toString(8)}`)
  }
}

function decodeTarget(bytes: Uint8Array, number: number): string {
  const target = decodeUtf8(bytes)
  if (target === undefined) {
    throw xfsFormatError('FORMAT_UNSUPPORTED', `inode ${number}`, 'the target of the link is not UTF-8')
  }
  if (target !== '' && !target.includes('\0')) return target
  throw xfsFormatError('FORMAT_INVALID', `inode ${number}`, 'the target of the link is empty or holds a zero')
}
