import type { BlockDevice, Uuid } from '@bootable/bytes'
import { utf8, uuidFromBytes } from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import { statMode } from '@bootable/tree'
import { filesystemSeed, inodeSeed, xattrBlockChecksum } from './checksum.ts'
import { encodeDirectory, encodeEmptyBlocks } from './directory.ts'
import { emitPieces, type Piece } from './emit.ts'
import {
  type BlockRun,
  buildExtentTree,
  countBlocks,
  encodeExtentBlock,
  encodeExtentRoot,
} from './extents.ts'
import * as ext4 from './format.ts'
import { encodeDescriptors, type GroupUsage, groupUsage } from './groups.ts'
import { hashSeed } from './htree.ts'
import { createInodeEncoder, encodeDevice, type InodeRecord } from './inode.ts'
import { type Ext4Node, type Inventory, takeInventory } from './inventory.ts'
import { encodeJournalSuperblock } from './journal.ts'
import { groupStart } from './layout.ts'
import { checkIdentity, checkSizes, type Ext4Identity, type WriteExt4Options } from './options.ts'
import type { PlacedContent } from './placement.ts'
import { type Ext4Plan, planExt4 } from './plan.ts'
import { backupGroups, encodeReservedDescriptors, encodeResizeIndirect, resizeInodeSize } from './resize.ts'
import { findSparseRuns } from './sparse.ts'
import { countPlan, encodeSuperblock } from './superblock-encode.ts'

/** What {@link writeExt4} made. */
export interface Ext4Layout {
  readonly uuid: Uuid
  readonly label: string
  /** Bytes of a block. */
  readonly blockSize: number
  readonly blockCount: number
  readonly freeBlocks: number
  readonly inodeCount: number
  readonly freeInodes: number
  /** Blocks of the journal, 0 for none. */
  readonly journalBlocks: number
}

/**
 * Makes an ext4 filesystem over the whole of a device and puts a tree into it.
 *
 * The features are those of `mke2fs -t ext4` before e2fsprogs 1.47.1: no `metadata_csum_seed` and no
 * `orphan_file`, which GRUB 2.06 cannot read. All four times of an inode are its modification time. The
 * device must read as zero where nothing was written. The primary superblock is written last: a device
 * that was given up half-way is not taken for a filesystem.
 *
 * @throws BootableError with an `Ext4ErrorCode` before anything is written, or what the device throws
 */
export async function writeExt4(
  tree: FileTree,
  device: BlockDevice,
  options: WriteExt4Options,
): Promise<Ext4Layout> {
  const { signal, onProgress } = options
  signal?.throwIfAborted()
  const sizes = checkSizes(options)
  const identity = checkIdentity(tree, options)
  const inventory = takeInventory(tree, sizes.blockSize, hashSeed(identity.hashSeed))
  const sparse = await findSparseRuns(inventory, sizes.blockSize, signal)
  const plan = planExt4(inventory, device.size, sizes, sparse)
  const { geometry, placement } = plan

  const id = `ext4 ${uuidFromBytes(identity.uuid)}`
  const total = placement.taken * geometry.blockSize
  onProgress?.({ type: 'start', id, label: 'ext4', unit: 'bytes', total })
  let done = 0
  const onWritten = (bytes: number): void => {
    done = Math.min(done + bytes, total)
    onProgress?.({ type: 'advance', id, done, total })
  }
  const journal = journalContent(plan)
  await emitPieces(device, pieces(plan, identity, journal), { signal, onWritten })
  await device.write(ext4.SUPERBLOCK_OFFSET, encodeSuperblock(plan, identity, journal, 0))
  onProgress?.({ type: 'end', id })

  const { freeBlocks, freeInodes, inodes } = countPlan(plan)
  const { blockSize, blockCount } = geometry
  return {
    uuid: uuidFromBytes(identity.uuid),
    label: options.label ?? '',
    blockSize,
    blockCount,
    freeBlocks,
    inodeCount: inodes,
    freeInodes,
    journalBlocks: plan.journalBlocks,
  }
}

type JournalContent = { readonly block: Uint8Array; readonly size: number } | undefined

function journalContent({ placement, geometry, journalBlocks }: Ext4Plan): JournalContent {
  if (!placement.journal) return undefined
  const { extents, tree } = placement.journal
  const { root } = buildExtentTree(extents, tree, geometry.blockSize)
  return { block: encodeExtentRoot(root), size: journalBlocks * geometry.blockSize }
}

/** Everything but the primary superblock: metadata of the groups first, then contents in ascending order. */
function* pieces(plan: Ext4Plan, identity: Ext4Identity, journal: JournalContent): Generator<Piece> {
  const { geometry } = plan
  const seed = filesystemSeed(identity.uuid)
  // Bitmaps are made twice rather than kept: a large filesystem has gigabytes of them.
  const descriptors = encodeDescriptors(plan, groupUsage(plan), seed)
  yield at(plan, geometry.firstDataBlock + 1, descriptors)
  if (backupGroups(geometry).length > 0) {
    const reserved = encodeReservedDescriptors(geometry)
    yield at(plan, geometry.firstDataBlock + 1 + geometry.descriptorBlocks, reserved)
  }
  yield* bitmaps(plan, groupUsage(plan))
  yield* inodeTables(plan, seed, journal)
  yield* contents(plan, identity, seed)
  for (const group of backupGroups(geometry)) {
    const start = groupStart(geometry, group)
    yield { ...at(plan, start, encodeSuperblock(plan, identity, journal, group)), span: geometry.blockSize }
    yield at(plan, start + 1, descriptors)
  }
}

function at({ geometry }: Ext4Plan, block: number, content: Uint8Array): Piece {
  return { position: block * geometry.blockSize, span: content.length, content }
}

/** Block bitmaps of 16 groups lie together, and so do their inode bitmaps: two rounds keep writes large. */
function* bitmaps(plan: Ext4Plan, usages: Iterable<GroupUsage>): Generator<Piece> {
  const { blockBitmaps, inodeBitmaps } = plan.geometry
  const later: Piece[] = []
  for (const { group, blockBitmap, inodeBitmap } of usages) {
    if (blockBitmap) yield at(plan, blockBitmaps[group] as number, blockBitmap)
    if (inodeBitmap) later.push(at(plan, inodeBitmaps[group] as number, inodeBitmap))
  }
  yield* later
}

/** Bytes of an inode table that are made at a time. */
const TABLE_CHUNK = 1_048_576

/** The inodes in use; the rest of every table stays unwritten. */
function* inodeTables(plan: Ext4Plan, seed: number, journal: JournalContent): Generator<Piece> {
  const { inodesPerGroup, inodeTables, blockSize } = plan.geometry
  const { lastInode } = plan.inventory
  const records = inodeRecords(plan, journal)
  let next = records.next()
  for (let first = 1; first <= lastInode; ) {
    const group = Math.floor((first - 1) / inodesPerGroup)
    const groupEnd = (group + 1) * inodesPerGroup
    const last = Math.min(groupEnd, lastInode, first + TABLE_CHUNK / ext4.INODE_SIZE - 1)
    const content = new Uint8Array((last - first + 1) * ext4.INODE_SIZE)
    const encoder = createInodeEncoder(content)
    for (; !next.done && next.value[0] <= last; next = records.next()) {
      const [number, record] = next.value
      encoder.encode((number - first) * ext4.INODE_SIZE, record, inodeSeed(seed, number, 0))
    }
    const start = (inodeTables[group] as number) * blockSize
    const position = start + ((first - 1) % inodesPerGroup) * ext4.INODE_SIZE
    yield { position, span: Math.ceil(content.length / blockSize) * blockSize, content }
    first = last + 1
  }
}

/** All inodes in use, ascending. Number 1, the list of bad blocks, stays empty. */
function* inodeRecords(plan: Ext4Plan, journal: JournalContent): Generator<[number, InodeRecord]> {
  const { geometry, inventory, placement } = plan
  const [root, ...others] = inventory.nodes.entries()
  if (root) yield [ext4.EXT4_ROOT_INO, nodeRecord(plan, root[0], root[1])]

  const time = inventory.nodes[0]?.inode.mtime ?? { seconds: 0, nanoseconds: 0 }
  const system = { mode: 0o100600, uid: 0, gid: 0, links: 1, time }
  if (placement.resizeIndirect !== undefined) {
    const block = new Uint8Array(60)
    // `i_block[13]`, `EXT4_DIND_BLOCK`: it has no extents.
    new DataView(block.buffer).setUint32(13 * 4, placement.resizeIndirect, true)
    const { size, blocks } = resizeInodeSize(geometry)
    const sectors = (blocks * geometry.blockSize) / 512
    yield [ext4.EXT4_RESIZE_INO, { ...system, size, flags: 0, sectors, block }]
  }
  if (journal && placement.journal) {
    const sectors = contentSectors(plan, placement.journal)
    yield [ext4.EXT4_JOURNAL_INO, { ...system, ...journal, flags: ext4.EXT4_EXTENTS_FL, sectors }]
  }
  for (const [index, node] of others) yield [node.number, nodeRecord(plan, index, node)]
}

function nodeRecord(plan: Ext4Plan, index: number, node: Ext4Node): InodeRecord {
  const { inode, links, xattrs, directory } = node
  const { blockSize } = plan.geometry
  const content = plan.placement.contents[index]
  const xattrBlock = plan.placement.xattrBlocks.get(node) ?? 0
  const sectors = contentSectors(plan, content) + (xattrBlock > 0 ? blockSize / 512 : 0)
  const { uid, gid, mtime: time } = inode
  const shared = { mode: statMode(inode), uid, gid, links, time, sectors, xattrBlock, xattrs: xattrs.body }

  if (inode.type === 'device') return { ...shared, size: 0, flags: 0, block: encodeDevice(inode) }
  if (inode.type === 'fifo' || inode.type === 'socket') return { ...shared, size: 0, flags: 0 }
  if (inode.type === 'symlink' && !content) {
    const block = utf8(inode.target)
    return { ...shared, size: block.length, flags: 0, block }
  }
  const { root } = buildExtentTree(content?.extents ?? [], content?.tree ?? [], blockSize)
  const flags = ext4.EXT4_EXTENTS_FL | (directory?.plan.leaves ? ext4.EXT4_INDEX_FL : 0)
  return { ...shared, size: contentSize(node, blockSize), flags, block: encodeExtentRoot(root) }
}

/** `i_size`. */
function contentSize({ inode, blocks }: Ext4Node, blockSize: number): number {
  if (inode.type === 'file') return inode.content.size
  return inode.type === 'symlink' ? utf8(inode.target).length : blocks * blockSize
}

function contentSectors({ geometry }: Ext4Plan, content: PlacedContent | undefined): number {
  if (!content) return 0
  return ((countBlocks(content.extents) + countBlocks(content.tree)) * geometry.blockSize) / 512
}

/** Everything that was placed, in the order of its placement. */
function* contents(plan: Ext4Plan, identity: Ext4Identity, seed: number): Generator<Piece> {
  const { geometry, placement, inventory, journalBlocks } = plan
  const { blockSize } = geometry
  if (placement.resizeIndirect !== undefined) {
    yield at(plan, placement.resizeIndirect, encodeResizeIndirect(geometry))
  }
  for (const [index, node] of inventory.nodes.entries()) {
    if (!node.directory) continue
    const bytes = directoryBytes(node, blockSize, seed)
    yield* placedBytes(plan, placement.contents[index], bytes, inodeSeed(seed, node.number, 0))
  }
  for (const [{ xattrs }, block] of placement.xattrBlocks) {
    const bytes = (xattrs.block as Uint8Array).slice()
    ext4.XattrHeader.write(bytes, 0, { checksum: xattrBlockChecksum(bytes, block, seed) })
    yield at(plan, block, bytes)
  }
  for (const [index, { inode, number }] of inventory.nodes.entries()) {
    const content = placement.contents[index]
    if (inode.type === 'symlink' && content) {
      yield* placedBytes(plan, content, utf8(inode.target), inodeSeed(seed, number, 0))
    }
  }
  if (placement.journal) {
    const first = encodeJournalSuperblock(journalBlocks, blockSize, identity.uuid)
    yield at(plan, placement.journal.extents[0]?.physical ?? 0, first)
    yield* treePieces(plan, placement.journal, inodeSeed(seed, ext4.EXT4_JOURNAL_INO, 0))
  }
  yield* files(plan, inventory, seed)
}

function directoryBytes(node: Ext4Node, blockSize: number, seed: number): Uint8Array {
  const directory = node.directory as NonNullable<Ext4Node['directory']>
  const bytes = encodeDirectory({ number: node.number, ...directory }, directory.plan, blockSize, seed)
  if (bytes.length === node.blocks * blockSize) return bytes
  const padded = new Uint8Array(node.blocks * blockSize)
  padded.set(bytes)
  encodeEmptyBlocks(padded, blockSize, node.number, seed)
  return padded
}

/** Content that is at hand, spread over its extents, and its extent tree. */
function* placedBytes(
  plan: Ext4Plan,
  content: PlacedContent | undefined,
  bytes: Uint8Array,
  seed: number,
): Generator<Piece> {
  const { blockSize } = plan.geometry
  for (const { logical, physical, length } of content?.extents ?? []) {
    const part = bytes.subarray(logical * blockSize, (logical + length) * blockSize)
    yield { ...at(plan, physical, part), span: length * blockSize }
  }
  if (content) yield* treePieces(plan, content, seed)
}

/** The blocks of an extent tree. @param seed checksum seed of the inode */
function* treePieces(plan: Ext4Plan, { extents, tree }: PlacedContent, seed: number): Generator<Piece> {
  if (tree.length === 0) return
  const { blockSize } = plan.geometry
  for (const node of buildExtentTree(extents, tree satisfies readonly BlockRun[], blockSize).blocks) {
    yield at(plan, node.block, encodeExtentBlock(node, blockSize, seed))
  }
}

/** The contents of regular files. */
function* files(plan: Ext4Plan, { nodes }: Inventory, seed: number): Generator<Piece> {
  const { blockSize } = plan.geometry
  for (const [index, { inode, number }] of nodes.entries()) {
    const content = plan.placement.contents[index]
    if (inode.type !== 'file' || !content) continue
    const source = inode.content
    for (const { logical, physical, length } of content.extents) {
      const offset = logical * blockSize
      const span = length * blockSize
      const piece = { source, offset, length: Math.min(span, source.size - offset) }
      yield { position: physical * blockSize, span, content: piece }
    }
    yield* treePieces(plan, content, inodeSeed(seed, number, 0))
  }
}
