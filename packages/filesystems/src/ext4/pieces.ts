import { utf8 } from '@bootable/bytes'
import type { Piece } from '../content/emit.ts'
import { filesystemSeed, inodeSeed, xattrBlockChecksum } from './checksum.ts'
import { encodeDirectory, encodeEmptyBlocks } from './directory.ts'
import { buildExtentTree, encodeExtentBlock } from './extents.ts'
import * as ext4 from './format.ts'
import { encodeDescriptors, type GroupUsage, groupUsage } from './groups.ts'
import { createInodeEncoder } from './inode.ts'
import type { Ext4Node } from './inventory.ts'
import { encodeJournalSuperblock } from './journal.ts'
import { groupStart } from './layout.ts'
import type { Ext4Identity } from './options.ts'
import type { PlacedContent } from './placement.ts'
import type { Ext4Plan } from './plan.ts'
import { inodeRecords, type JournalContent } from './records.ts'
import { backupGroups, encodeReservedDescriptors, encodeResizeIndirect } from './resize.ts'
import { encodeSuperblock } from './superblock-encode.ts'

/**
 * Everything but the primary superblock: metadata of the groups first, then contents in ascending order.
 * @param zeroed whether the device reads as zero where nothing is written
 */
export function* filesystemPieces(
  plan: Ext4Plan,
  identity: Ext4Identity,
  journal: JournalContent | undefined,
  zeroed: boolean,
): Generator<Piece> {
  const { geometry } = plan
  const seed = filesystemSeed(identity.uuid)
  // Bitmaps are made twice rather than kept: a large filesystem has gigabytes of them.
  const descriptors = encodeDescriptors(plan, groupUsage(plan), seed, zeroed)
  yield at(plan, geometry.firstDataBlock + 1, descriptors)
  if (backupGroups(geometry).length > 0 || !zeroed) {
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
function* inodeTables(plan: Ext4Plan, seed: number, journal: JournalContent | undefined): Generator<Piece> {
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
  yield* files(plan, seed)
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
  for (const node of buildExtentTree(extents, tree, blockSize).blocks) {
    yield at(plan, node.block, encodeExtentBlock(node, blockSize, seed))
  }
}

/** The contents of regular files. */
function* files(plan: Ext4Plan, seed: number): Generator<Piece> {
  const { blockSize } = plan.geometry
  for (const [index, { inode, number }] of plan.inventory.nodes.entries()) {
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
