import type { ByteRange, ByteSource, GatherPiece } from '@bootable/bytes'
import { FormatError, gather, sliceSource, sparseSource, zeroSource } from '@bootable/bytes'
import type { Directory, FileTree } from '@bootable/tree'
import { createDirectory, createFile, createTree } from '@bootable/tree'
import type { FatBootSector } from './boot-sector.ts'
import { readFatBootSector } from './boot-sector.ts'
import type { ChainWalker } from './chains.ts'
import { createChainWalker } from './chains.ts'
import type { DecodedDirectory } from './entries.ts'
import { decodeDirectory } from './entries.ts'
import { ENTRY_SIZE, MAX_DIRECTORY_ENTRIES } from './format.ts'
import { clusterSize, rootOffset } from './layout.ts'

/** A FAT volume opened for reading. */
export interface FatFilesystem extends FatBootSector {
  /**
   * All directories and files; contents are read when they are asked for.
   *
   * FAT has neither owners nor modes: everything is root's, directories 0755, files 0644, or 0444 where
   * they are marked read-only. The root has no time.
   *
   * @throws FormatError
   */
  tree(): Promise<FileTree>
}

/**
 * Opens a FAT12, FAT16 or FAT32 volume. The label is that of the root directory where it has one, as
 * Windows and Linux show it, else the boot sector's.
 *
 * @param source byte 0 is the volume's; it must stay open as long as the tree's files are read
 * @throws FormatError
 */
export async function readFat(source: ByteSource): Promise<FatFilesystem> {
  const boot = await readFatBootSector(source)
  const root = await readRoot(source, boot, createChainWalker(source, boot))
  return {
    ...boot,
    label: root.label ?? boot.label,
    tree: () => readTree(source, boot),
  }
}

async function readRoot(
  source: ByteSource,
  boot: FatBootSector,
  chains: ChainWalker,
): Promise<DecodedDirectory> {
  const ranges =
    boot.type === 32
      ? await directoryRanges(chains, boot, boot.rootCluster, '/')
      : [{ offset: rootOffset(boot), length: boot.rootEntries * ENTRY_SIZE }]
  const [bytes] = await readRanges(source, [ranges])
  return decodeDirectory(bytes as Uint8Array, '', boot.type)
}

/** A directory whose entries are still to be read. */
interface PendingDirectory {
  readonly path: string
  readonly inode: Directory
  readonly ranges: readonly ByteRange[]
}

/** Bytes of directories read together. */
const BATCH = 8 * 1_048_576

/** Level by level, the directories of a level read together: no awaited read for each. */
async function readTree(source: ByteSource, boot: FatBootSector): Promise<FileTree> {
  const tree = createTree()
  const chains = createChainWalker(source, boot)
  const root = await readRoot(source, boot, chains)
  let level = await addEntries(source, boot, chains, root, { path: '', inode: tree.root })
  while (level.length > 0) {
    const below: PendingDirectory[] = []
    for (const batch of batches(level)) {
      const contents = await readRanges(
        source,
        batch.map(({ ranges }) => ranges),
      )
      for (const [index, bytes] of contents.entries()) {
        const parent = batch[index] as PendingDirectory
        const entries = decodeDirectory(bytes, parent.path, boot.type)
        below.push(...(await addEntries(source, boot, chains, entries, parent)))
      }
    }
    level = below
  }
  return tree
}

function* batches(level: readonly PendingDirectory[]): Generator<PendingDirectory[]> {
  let batch: PendingDirectory[] = []
  let size = 0
  for (const directory of level) {
    batch.push(directory)
    for (const range of directory.ranges) size += range.length
    if (size < BATCH) continue
    yield batch
    batch = []
    size = 0
  }
  if (batch.length > 0) yield batch
}

/** Puts the entries under their directory. Answers with those that are directories themselves. */
async function addEntries(
  source: ByteSource,
  boot: FatBootSector,
  chains: ChainWalker,
  { entries }: DecodedDirectory,
  parent: Pick<PendingDirectory, 'path' | 'inode'>,
): Promise<PendingDirectory[]> {
  const directories: PendingDirectory[] = []
  for (const { name, directory, readOnly, firstCluster, size, mtime } of entries) {
    const path = `${parent.path}/${name}`
    if (parent.inode.entries.has(name)) {
      throw new FormatError(
        'FORMAT_INVALID',
        { format: 'fat', structure: path },
        'the name stands there twice',
      )
    }
    if (directory) {
      const inode = createDirectory({ mtime })
      parent.inode.entries.set(name, inode)
      directories.push({ path, inode, ranges: await directoryRanges(chains, boot, firstCluster, path) })
      continue
    }
    const needed = Math.ceil(size / clusterSize(boot))
    const { clusters, ranges } = await chains.walk(firstCluster, needed, path)
    if (clusters < needed) {
      const details = { format: 'fat', structure: path, expected: needed, actual: clusters }
      throw new FormatError('FORMAT_INVALID', details, `${size} bytes, but a chain of ${clusters} clusters`)
    }
    const content = joinRanges(source, ranges, size)
    parent.inode.entries.set(name, createFile(content, { mtime, mode: readOnly ? 0o444 : 0o644 }))
  }
  return directories
}

async function directoryRanges(
  chains: ChainWalker,
  boot: FatBootSector,
  firstCluster: number,
  path: string,
): Promise<readonly ByteRange[]> {
  const most = Math.ceil((MAX_DIRECTORY_ENTRIES * ENTRY_SIZE) / clusterSize(boot))
  const { clusters, ranges } = await chains.walk(firstCluster, most + 1, path)
  if (clusters >= 1 && clusters <= most) return ranges
  const details = { format: 'fat', structure: path, expected: `1 to ${most}`, actual: clusters }
  throw new FormatError('FORMAT_INVALID', details, `a directory of ${clusters} clusters`)
}

async function readRanges(
  source: ByteSource,
  lists: readonly (readonly ByteRange[])[],
): Promise<Uint8Array[]> {
  const pieces: GatherPiece[] = []
  const results = lists.map((ranges) => {
    const bytes = new Uint8Array(ranges.reduce((sum, { length }) => sum + length, 0))
    let at = 0
    for (const { offset, length } of ranges) {
      pieces.push({ source, offset, target: bytes.subarray(at, at + length) })
      at += length
    }
    return bytes
  })
  await gather(pieces)
  return results
}

/** A file's bytes; what its last cluster has beyond its size is cut off. */
function joinRanges(source: ByteSource, ranges: readonly ByteRange[], size: number): ByteSource {
  const [first] = ranges
  if (!first || size === 0) return zeroSource(0)
  if (ranges.length === 1) return sliceSource(source, first.offset, size)
  let position = 0
  const extents = ranges.map(({ offset, length }) => {
    const extent = {
      offset: position,
      length: Math.min(length, size - position),
      source,
      sourceOffset: offset,
    }
    position += length
    return extent
  })
  return sparseSource(size, extents)
}
