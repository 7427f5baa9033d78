import { alignUp } from '@bootable/bytes'
import { seal } from './checksum.ts'
import * as da from './da-format.ts'
import { type BlockOwner, type DaTree, leafPlace, planDaTree, siblings, writeDaNodes } from './da-tree.ts'
import type { BlockRun } from './extents.ts'
import { hashName } from './hash.ts'
import { BLOCK_SIZE, diskAddress } from './layout.ts'

/*
 * Directories (`xfs_dir2*.c`) have four forms, each as small as it can be: names in the inode; one block of
 * names with their hashes at its end; blocks of names with one leaf of hashes; and with many leaves, nodes
 * over them and an index of the blocks' free space.
 */

/** A name of a directory and the inode that it stands for. */
export interface DirectoryEntry {
  readonly name: string
  /** Bytes of the name as UTF-8. */
  readonly length: number
  /** Number of the inode among those of the filesystem. */
  readonly child: { readonly ordinal: number }
  /** `XFS_DIR3_FT_*`. */
  readonly fileType: number
}

/** How a directory spreads over its blocks. */
export interface DirectoryPlan {
  readonly form: 'short' | 'block' | 'leaf' | 'node'
  /** Bytes in the inode, of the short form. */
  readonly shortSize: number
  /** Blocks of names. */
  readonly dataBlocks: number
  /** Leaves and nodes, of the leaf and node form. */
  readonly tree: DaTree
  /** Blocks of the index of free space, of the node form. */
  readonly freeBlocks: number
}

/** First block of the leaves, and of the index of free space. */
const LEAF_OFFSET = da.XFS_DIR2_SPACE_SIZE / BLOCK_SIZE
const FREE_OFFSET = 2 * LEAF_OFFSET

const DATA_ROOM = BLOCK_SIZE - da.DirDataHeader.size
const LEAF_ROOM = (BLOCK_SIZE - da.DaHeader.size) / da.DirLeafEntry.size
const FREE_ROOM = (BLOCK_SIZE - da.DirFreeHeader.size) / 2
/** `.` and `..`. */
const DOT_ENTRIES = 2
const DOTS = DOT_ENTRIES * entrySize(2)
const NO_TREE: DaTree = { levels: [], leaves: 0, blocks: 0 }
const ENCODER = new TextEncoder()

/** Bytes of an entry: number, length, name, type, tag. */
function entrySize(nameLength: number): number {
  return alignUp(da.DirDataEntry.size + nameLength + 3, 8)
}

/** Bytes of a directory in an inode: a header, and each entry with its length, offset, type and number. */
export function shortDirectorySize(entries: readonly DirectoryEntry[]): number {
  return entries.reduce((sum, { length }) => sum + length + 8, 6)
}

/** @param area bytes of the inode's data fork */
export function planDirectory(entries: readonly DirectoryEntry[], area: number): DirectoryPlan {
  const nothing = { shortSize: 0, dataBlocks: 0, tree: NO_TREE, freeBlocks: 0 }
  const shortSize = shortDirectorySize(entries)
  if (shortSize <= area) return { ...nothing, form: 'short', shortSize }

  const count = entries.length + DOT_ENTRIES
  const length = entries.reduce((sum, entry) => sum + entrySize(entry.length), DOTS)
  const blockSize = da.DirDataHeader.size + length + count * da.DirLeafEntry.size + da.DirBlockTail.size
  if (blockSize <= BLOCK_SIZE) return { ...nothing, form: 'block', dataBlocks: 1 }

  const dataBlocks = countDataBlocks(entries)
  const leafSize = da.DaHeader.size + count * da.DirLeafEntry.size + dataBlocks * 2 + 4
  if (leafSize <= BLOCK_SIZE) return { ...nothing, form: 'leaf', dataBlocks, tree: planDaTree(1) }
  const tree = planDaTree(Math.ceil(count / LEAF_ROOM))
  return { ...nothing, form: 'node', dataBlocks, tree, freeBlocks: Math.ceil(dataBlocks / FREE_ROOM) }
}

function countDataBlocks(entries: readonly DirectoryEntry[]): number {
  let blocks = 1
  let used = DOTS
  for (const { length } of entries) {
    const size = entrySize(length)
    if (used + size > DATA_ROOM) {
      blocks++
      used = 0
    }
    used += size
  }
  return blocks
}

/** The runs of blocks that a directory has. */
export function directoryRuns({ dataBlocks, tree, freeBlocks }: DirectoryPlan): BlockRun[] {
  return [
    { block: 0, length: dataBlocks },
    { block: LEAF_OFFSET, length: tree.blocks },
    { block: FREE_OFFSET, length: freeBlocks },
  ].filter(({ length }) => length > 0)
}

/** What a directory says besides its own names. */
export interface DirectoryContent {
  readonly number: number
  /** Number of the parent; the root is its own. */
  readonly parent: number
  readonly entries: readonly DirectoryEntry[]
  /** Inode number of an inode of the filesystem. */
  numberOf(ordinal: number): number
}

/** A directory in an inode. Inode numbers have 32 bits: inodes come first on the device. */
export function encodeShortDirectory(
  { entries, parent, numberOf }: Omit<DirectoryContent, 'number'>,
  size: number,
): Uint8Array {
  const bytes = new Uint8Array(size)
  const view = new DataView(bytes.buffer)
  view.setUint8(0, entries.length)
  view.setUint32(2, parent)
  let at = 6
  /** Where the entry would stand in a block (`xfs_dir2_sf_put_offset`). */
  let offset = da.DirDataHeader.size + DOTS
  for (const { name, length, child, fileType } of entries) {
    view.setUint8(at, length)
    view.setUint16(at + 1, offset)
    ENCODER.encodeInto(name, bytes.subarray(at + 3))
    view.setUint8(at + 3 + length, fileType)
    view.setUint32(at + 4 + length, numberOf(child.ordinal))
    at += 8 + length
    offset += entrySize(length)
  }
  return bytes
}

/** A hash of a name and where the name stands, in units of 8 bytes. */
interface HashedName {
  readonly hash: number
  readonly address: number
}

/** The blocks of a directory in the order of its runs, sealed. */
export function encodeDirectoryBlocks(
  directory: DirectoryContent,
  plan: DirectoryPlan,
  owner: BlockOwner,
): Uint8Array {
  const { dataBlocks, tree, freeBlocks } = plan
  const bytes = new Uint8Array((dataBlocks + tree.blocks + freeBlocks) * BLOCK_SIZE)
  const isBlock = plan.form === 'block'
  const { names, free } = writeNames(bytes, directory, isBlock ? reserveForHashes(directory) : 0)
  names.sort((a, b) => a.hash - b.hash || a.address - b.address)
  if (isBlock) writeBlockTail(bytes, names)
  for (let block = 0; block < dataBlocks; block++) {
    const content = bytes.subarray(block * BLOCK_SIZE, (block + 1) * BLOCK_SIZE)
    da.DirDataHeader.write(content, 0, {
      magic: isBlock ? da.XFS_DIR3_BLOCK_MAGIC : da.XFS_DIR3_DATA_MAGIC,
      blkno: diskAddress(owner.address(block)),
      uuid: owner.uuid,
      owner: owner.number,
    })
    seal(content, da.DirDataHeader.fields.crc.offset)
  }
  const leaves = bytes.subarray(dataBlocks * BLOCK_SIZE, (dataBlocks + tree.blocks) * BLOCK_SIZE)
  if (plan.form === 'leaf') writeLeaf(leaves, tree, 0, names, owner, free)
  if (plan.form === 'node') {
    const count = tree.leaves
    const bounds = Array.from({ length: count + 1 }, (_, leaf) => Math.round((names.length * leaf) / count))
    const parts = bounds.slice(1).map((end, leaf) => names.slice(bounds[leaf], end))
    for (const [index, part] of parts.entries()) writeLeaf(leaves, tree, index, part, owner)
    const greatest = parts.map((part) => (part[part.length - 1] as HashedName).hash)
    writeDaNodes(leaves, LEAF_OFFSET, tree, greatest, owner)
    writeFreeIndex(bytes.subarray((dataBlocks + tree.blocks) * BLOCK_SIZE), free, owner)
  }
  return bytes
}

/** Bytes at the end of a single block that hold the hashes of its names. */
function reserveForHashes({ entries }: DirectoryContent): number {
  return (entries.length + DOT_ENTRIES) * da.DirLeafEntry.size + da.DirBlockTail.size
}

/**
 * Fills the blocks of names in the order of the tree.
 * @param reserved bytes left alone at the end of every block
 * @returns the hashes, and the free bytes of every block
 */
function writeNames(
  bytes: Uint8Array,
  { number, parent, entries, numberOf }: DirectoryContent,
  reserved: number,
): { names: HashedName[]; free: number[] } {
  const view = new DataView(bytes.buffer)
  const names: HashedName[] = []
  const free: number[] = []
  const end = BLOCK_SIZE - reserved
  let start = 0
  let at = da.DirDataHeader.size

  function put(name: string, length: number, inode: number, fileType: number): void {
    const size = entrySize(length)
    if (at + size > end) {
      closeBlock()
      start += BLOCK_SIZE
      at = da.DirDataHeader.size
    }
    const base = start + at
    view.setUint32(base, Math.floor(inode / 2 ** 32))
    view.setUint32(base + 4, inode % 2 ** 32)
    view.setUint8(base + 8, length)
    const place = bytes.subarray(base + da.DirDataEntry.size, base + da.DirDataEntry.size + length)
    ENCODER.encodeInto(name, place)
    view.setUint8(base + da.DirDataEntry.size + length, fileType)
    view.setUint16(base + size - 2, at)
    names.push({ hash: hashName(place), address: base / 8 })
    at += size
  }
  function closeBlock(): void {
    const length = end - at
    free.push(length)
    if (length === 0) return
    da.DirDataUnused.write(bytes, start + at, { freetag: da.XFS_DIR2_DATA_FREE_TAG, length })
    view.setUint16(start + end - 2, at)
    view.setUint16(start + da.DirDataHeader.fields.bestFree.offset, at)
    view.setUint16(start + da.DirDataHeader.fields.bestFree.offset + 2, length)
  }

  put('.', 1, number, da.XFS_DIR3_FT_BY_MODE[0o04] as number)
  put('..', 2, parent, da.XFS_DIR3_FT_BY_MODE[0o04] as number)
  for (const { name, length, child, fileType } of entries) {
    put(name, length, numberOf(child.ordinal), fileType)
  }
  closeBlock()
  return { names, free }
}

function writeHashes(bytes: Uint8Array, base: number, names: readonly HashedName[]): void {
  const entry = da.DirLeafEntry.at(bytes, base)
  for (const { hash, address } of names) {
    entry.hashval = hash
    entry.address = address
    entry.base += da.DirLeafEntry.size
  }
}

function writeBlockTail(block: Uint8Array, names: readonly HashedName[]): void {
  const tail = BLOCK_SIZE - da.DirBlockTail.size
  da.DirBlockTail.write(block, tail, { count: names.length })
  writeHashes(block, tail - names.length * da.DirLeafEntry.size, names)
}

/** @param free of every block of names, where one leaf is all there is */
function writeLeaf(
  blocks: Uint8Array,
  tree: DaTree,
  index: number,
  names: readonly HashedName[],
  owner: BlockOwner,
  free?: readonly number[],
): void {
  const place = leafPlace(tree, index)
  const block = blocks.subarray(place * BLOCK_SIZE, (place + 1) * BLOCK_SIZE)
  da.DaHeader.write(block, 0, {
    ...siblings(LEAF_OFFSET + leafPlace(tree, 0), tree.leaves, index),
    magic: free ? da.XFS_DIR3_LEAF1_MAGIC : da.XFS_DIR3_LEAFN_MAGIC,
    blkno: diskAddress(owner.address(LEAF_OFFSET + place)),
    uuid: owner.uuid,
    owner: owner.number,
    count: names.length,
  })
  writeHashes(block, da.DaHeader.size, names)
  if (free) {
    const view = new DataView(block.buffer, block.byteOffset, block.length)
    // `xfs_dir2_leaf_tail`: the number of blocks, and before it the free bytes of each.
    view.setUint32(BLOCK_SIZE - 4, free.length)
    for (const [at, bytes] of free.entries()) view.setUint16(BLOCK_SIZE - 4 - 2 * (free.length - at), bytes)
  }
  seal(block, da.DaHeader.fields.crc.offset)
}

function writeFreeIndex(bytes: Uint8Array, free: readonly number[], owner: BlockOwner): void {
  for (let first = 0; first < free.length; first += FREE_ROOM) {
    const index = first / FREE_ROOM
    const block = bytes.subarray(index * BLOCK_SIZE, (index + 1) * BLOCK_SIZE)
    const part = free.slice(first, first + FREE_ROOM)
    da.DirFreeHeader.write(block, 0, {
      magic: da.XFS_DIR3_FREE_MAGIC,
      blkno: diskAddress(owner.address(FREE_OFFSET + index)),
      uuid: owner.uuid,
      owner: owner.number,
      firstdb: first,
      nvalid: part.length,
      nused: part.length,
    })
    const view = new DataView(block.buffer, block.byteOffset, block.length)
    for (const [at, length] of part.entries()) view.setUint16(da.DirFreeHeader.size + at * 2, length)
    seal(block, da.DirFreeHeader.fields.crc.offset)
  }
}
