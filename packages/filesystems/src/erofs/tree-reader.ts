import { decodeUtf8, gather } from '@bootable/bytes'
import type { Directory, FileTree, Inode, Symlink } from '@bootable/tree'
import { decodeDeviceNumber } from '../content/device-number.ts'
import { fileContent, flatPieces } from './content.ts'
import { decodeDirectoryBlock } from './directory.ts'
import { erofsFormatError } from './errors.ts'
import { type RawInode, readInodes } from './inode-reader.ts'
import { createReadBudget, type Volume } from './volume.ts'
import { createXattrReader } from './xattr-reader.ts'

/** A directory whose names are still to be read. */
interface OpenDirectory {
  readonly path: string
  readonly inode: Directory
}

/** Bytes of a directory that lie together; they start with a block. */
interface DirectoryRun {
  readonly directory: OpenDirectory
  readonly offset: number
  readonly length: number
}

/** A name that was read, its inode not yet. */
interface FoundName {
  readonly parent: OpenDirectory
  readonly name: string
  readonly nid: number
}

/** An inode met for the first time. */
interface AddedInode {
  readonly raw: RawInode
  readonly inode: Inode
  readonly path: string
}

/** Bytes of directories read at a time. */
const BATCH = 4 * 1_048_576
/** Names looked up at a time. */
const LOOKUPS = 2048
/** A link's target is shorter than a page. */
const MAX_TARGET = 4096

/**
 * Reads all names of a volume, breadth first: the directories, inodes, links and attributes of a batch are
 * each gathered in one go.
 * @throws FormatError
 */
export async function readTree(volume: Volume): Promise<FileTree> {
  const { source, superblock } = volume
  const { blockSize, rootNid } = superblock
  const budget = createReadBudget(volume)
  const xattrs = createXattrReader(volume, budget)
  const known = new Map<number, Inode>()
  let below: DirectoryRun[] = []

  const [rawRoot] = (await readInodes(volume, [rootNid])) as [RawInode]
  const root = toInode(volume, rawRoot)
  if (root.type !== 'directory') {
    throw erofsFormatError('FORMAT_INVALID', `inode ${rootNid}`, 'the root is not a directory')
  }
  known.set(rootNid, root)
  await complete([{ raw: rawRoot, inode: root, path: '' }])
  while (below.length > 0) {
    const level = below
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
    const contents = runs.map(({ length }) => new Uint8Array(length))
    await gather(runs.map(({ offset }, index) => ({ source, offset, target: contents[index] as Uint8Array })))
    const names: FoundName[] = []
    for (const [index, { directory, offset }] of runs.entries()) {
      const content = contents[index] as Uint8Array
      for (let at = 0; at < content.length; at += blockSize) {
        const block = content.subarray(at, at + blockSize)
        for (const { name, nid } of decodeDirectoryBlock(block, offset + at, directory.path)) {
          names.push({ parent: directory, name, nid })
        }
      }
    }
    return names
  }

  async function addNames(names: readonly FoundName[]): Promise<void> {
    const fresh = [...new Set(names.map(({ nid }) => nid))].filter((nid) => !known.has(nid))
    const raws = new Map((await readInodes(volume, fresh)).map((raw) => [raw.nid, raw]))
    const added: AddedInode[] = []
    for (const { parent, name, nid } of names) {
      const path = parent.path === '' ? name : `${parent.path}/${name}`
      let inode = known.get(nid)
      if (inode?.type === 'directory' || parent.inode.entries.has(name)) {
        throw erofsFormatError('FORMAT_INVALID', `inode ${nid}`, `/${path} stands there a second time`)
      }
      if (!inode) {
        const raw = raws.get(nid) as RawInode
        inode = toInode(volume, raw)
        known.set(nid, inode)
        added.push({ raw, inode, path })
      }
      parent.inode.entries.set(name, inode)
    }
    await complete(added)
  }

  /** Adds what does not stand in the inodes themselves. */
  async function complete(added: readonly AddedInode[]): Promise<void> {
    await xattrs.read(added.map(({ raw, inode }) => ({ raw, xattrs: inode.xattrs })))
    await readTargets(added)
    for (const { raw, inode, path } of added) {
      if (inode.type !== 'directory') continue
      budget.spend(raw.size, `directory /${path}`)
      for (const piece of flatPieces(volume, raw)) below.push({ directory: { path, inode }, ...piece })
    }
  }

  async function readTargets(added: readonly AddedInode[]): Promise<void> {
    const links: { readonly inode: Symlink; readonly raw: RawInode; readonly bytes: Uint8Array }[] = []
    for (const { raw, inode } of added) {
      if (inode.type !== 'symlink') continue
      if (raw.size > MAX_TARGET) {
        throw erofsFormatError('FORMAT_INVALID', `inode ${raw.nid}`, `a link to ${raw.size} bytes`)
      }
      budget.spend(raw.size, `inode ${raw.nid}`)
      links.push({ inode, raw, bytes: new Uint8Array(raw.size) })
    }
    await gather(
      links.flatMap(({ raw, bytes }) => {
        let at = 0
        return flatPieces(volume, raw).map(({ offset, length }) => {
          const target = bytes.subarray(at, at + length)
          at += length
          return { source, offset, target }
        })
      }),
    )
    for (const { inode, bytes } of links) inode.target = decodeTarget(bytes)
  }
}

/** Runs in portions of at most {@link BATCH} bytes; a longer run is cut between blocks. */
function* batches(runs: readonly DirectoryRun[], blockSize: number): Generator<DirectoryRun[]> {
  let batch: DirectoryRun[] = []
  let filled = 0
  for (const { directory, offset, length } of runs) {
    for (let done = 0; done < length; ) {
      const part = Math.min(length - done, BATCH - filled)
      batch.push({ directory, offset: offset + done, length: part })
      done += part
      // Tails count as blocks, so that a cut falls between blocks.
      filled += Math.ceil(part / blockSize) * blockSize
      if (filled < BATCH) continue
      yield batch
      batch = []
      filled = 0
    }
  }
  yield batch
}

/** The inode of a tree. Link targets and attributes are still missing. */
function toInode(volume: Volume, raw: RawInode): Inode {
  const { nid, mode, uid, gid, mtime, u } = raw
  const attributes = { mode: mode & 0o7777, uid, gid, mtime, xattrs: new Map<string, Uint8Array>() }
  switch (mode & 0o170000) {
    case 0o100000:
      return { type: 'file', ...attributes, content: fileContent(volume, raw) }
    case 0o040000:
      return { type: 'directory', ...attributes, entries: new Map() }
    case 0o120000:
      return { type: 'symlink', ...attributes, target: '' }
    case 0o020000:
      return { type: 'device', kind: 'character', ...decodeDeviceNumber(u), ...attributes }
    case 0o060000:
      return { type: 'device', kind: 'block', ...decodeDeviceNumber(u), ...attributes }
    case 0o010000:
      return { type: 'fifo', ...attributes }
    case 0o140000:
      return { type: 'socket', ...attributes }
    default:
      throw erofsFormatError('FORMAT_INVALID', `inode ${nid}`, `its mode is 0${mode.toString(8)}`)
  }
}

function decodeTarget(bytes: Uint8Array): string {
  const target = decodeUtf8(bytes)
  if (target === undefined) {
    throw erofsFormatError('FORMAT_UNSUPPORTED', 'symbolic link', 'its target is not UTF-8')
  }
  if (target !== '' && !target.includes('\0')) return target
  throw erofsFormatError('FORMAT_INVALID', 'symbolic link', 'its target is empty or holds a zero')
}
