import { alignUp } from '@bootable/bytes'
import { directoryBlockChecksum, inodeSeed } from './checksum.ts'
import { DirEntry, DirEntryTail, EXT4_FT_BY_MODE, EXT4_FT_DIR_CSUM } from './format.ts'
import { CONTINUED, type HashSeed, hashName, indexBlocks, writeIndex } from './htree.ts'

/** A name of a directory and the inode that it stands for. */
export interface DirectoryEntry {
  readonly name: string
  /** Bytes of the name as UTF-8. */
  readonly length: number
  readonly child: {
    readonly number: number
    readonly inode: { readonly mode: number; readonly type: string }
  }
  /** `st_mode` of the child: decides `file_type`. */
  readonly mode: number
}

/** How a directory spreads over its blocks. */
export interface DirectoryPlan {
  readonly blocks: number
  /** Set where the names do not fit one block: they are hashed. */
  readonly leaves?: readonly Leaf[]
}

/** One block of a hashed directory. */
interface Leaf {
  /** The lowest hash in it, or that hash {@link CONTINUED}. */
  readonly hash: number
  readonly entries: readonly DirectoryEntry[]
}

const ENCODER = new TextEncoder()
const NAME = new Uint8Array(256 * 3)

/** `ext4_dir_rec_len`. */
function recordLength(nameLength: number): number {
  return alignUp(DirEntry.size + nameLength, 4)
}

/** `.` and `..`. */
const DOT_ENTRIES = 2 * recordLength(2)

/**
 * Decides between one plain block and a hashed directory.
 * @param seed key of the hash; without it, `blocks` counts as many as any key can ask for, and no more
 * is decided
 * @returns `undefined` where a hashed directory of two levels does not hold the names
 */
export function planDirectory(
  entries: readonly DirectoryEntry[],
  blockSize: number,
  seed: HashSeed | undefined,
): DirectoryPlan | undefined {
  const room = blockSize - DirEntryTail.size
  const length = entries.reduce((sum, entry) => sum + recordLength(entry.length), DOT_ENTRIES)
  if (length <= room) return { blocks: 1 }
  if (!seed) {
    const longest = entries.reduce((most, entry) => Math.max(most, recordLength(entry.length)), 0)
    // A leaf ends where the next entry does not fit.
    const most = Math.ceil(length / (room - longest + 4))
    const index = indexBlocks(most, blockSize)
    return index === undefined ? undefined : { blocks: index + most }
  }

  const leaves: { hash: number; entries: DirectoryEntry[] }[] = []
  let used = Number.POSITIVE_INFINITY
  let previous = -1
  for (const { entry, hash } of sortByHash(entries, seed)) {
    const needed = recordLength(entry.length)
    if (used + needed > room) {
      leaves.push({ hash: hash === previous ? hash | CONTINUED : hash, entries: [] })
      used = 0
    }
    leaves[leaves.length - 1]?.entries.push(entry)
    used += needed
    previous = hash
  }
  const index = indexBlocks(leaves.length, blockSize)
  return index === undefined ? undefined : { blocks: index + leaves.length, leaves }
}

function sortByHash(
  entries: readonly DirectoryEntry[],
  seed: HashSeed,
): { entry: DirectoryEntry; hash: number; minor: number }[] {
  return entries
    .map((entry) => {
      ENCODER.encodeInto(entry.name, NAME)
      return { entry, ...hashName(NAME, entry.length, seed) }
    })
    .sort((a, b) => a.hash - b.hash || a.minor - b.minor)
}

/**
 * The blocks of a directory, sealed.
 * @param seed checksum seed of the filesystem
 */
export function encodeDirectory(
  directory: {
    readonly number: number
    readonly parent: number
    readonly entries: readonly DirectoryEntry[]
  },
  plan: DirectoryPlan,
  blockSize: number,
  seed: number,
): Uint8Array {
  const blocks = new Uint8Array(plan.blocks * blockSize)
  const ownSeed = inodeSeed(seed, directory.number, 0)
  const dot = writeEntry(blocks, 0, directory.number, 0o04, '.', 1)
  if (!plan.leaves) {
    const last = writeEntry(blocks, dot, directory.parent, 0o04, '..', 2)
    fillLeaf(blocks.subarray(0, blockSize), directory.entries, dot, last, ownSeed)
    return blocks
  }
  writeEntry(blocks, dot, directory.parent, 0o04, '..', 2)
  // `..` covers the index in block 0, for implementations that do not know it.
  DirEntry.write(blocks, dot, { recLen: blockSize - dot })
  const first = plan.blocks - plan.leaves.length
  const hashes: number[] = []
  for (const [index, leaf] of plan.leaves.entries()) {
    const start = (first + index) * blockSize
    fillLeaf(blocks.subarray(start, start + blockSize), leaf.entries, 0, 0, ownSeed)
    hashes.push(leaf.hash)
  }
  writeIndex(blocks, blockSize, hashes, ownSeed)
  return blocks
}

/** The blocks of `lost+found`: room for names, so that e2fsck need not look for free blocks. */
export function encodeEmptyBlocks(blocks: Uint8Array, blockSize: number, number: number, seed: number): void {
  const ownSeed = inodeSeed(seed, number, 0)
  for (let start = blockSize; start < blocks.length; start += blockSize) {
    fillLeaf(blocks.subarray(start, start + blockSize), [], 0, 0, ownSeed)
  }
}

/**
 * Writes entries behind those that end at `end`, the last of which starts at `last`; the last of all
 * covers the rest of the block up to the tail.
 */
function fillLeaf(
  block: Uint8Array,
  entries: readonly DirectoryEntry[],
  last: number,
  end: number,
  seed: number,
): void {
  let start = last
  let next = end
  for (const entry of entries) {
    start = next
    next = writeEntry(block, start, entry.child.number, entry.mode >>> 12, entry.name, entry.length)
  }
  const room = block.length - DirEntryTail.size
  DirEntry.write(block, start, { recLen: room - start })
  DirEntryTail.write(block, room, { recLen: DirEntryTail.size, reservedFt: EXT4_FT_DIR_CSUM })
  DirEntryTail.write(block, room, { checksum: directoryBlockChecksum(block, seed) })
}

/** @returns where the next entry starts */
function writeEntry(
  block: Uint8Array,
  at: number,
  inode: number,
  type: number,
  name: string,
  length: number,
): number {
  const recLen = recordLength(length)
  const fileType = EXT4_FT_BY_MODE[type] as number
  DirEntry.write(block, at, { inode, recLen, nameLen: length, fileType })
  ENCODER.encodeInto(name, block.subarray(at + DirEntry.size))
  return at + recLen
}
