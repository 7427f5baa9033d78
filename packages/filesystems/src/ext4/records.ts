import { utf8 } from '@bootable/bytes'
import { statMode } from '@bootable/tree'
import { buildExtentTree, countBlocks, encodeExtentRoot } from './extents.ts'
import * as ext4 from './format.ts'
import { encodeDevice, type InodeRecord } from './inode.ts'
import type { Ext4Node } from './inventory.ts'
import type { PlacedContent } from './placement.ts'
import type { Ext4Plan } from './plan.ts'
import { resizeInodeSize } from './resize.ts'

/** What the inode of the journal and the superblock's copy of it say. */
export interface JournalContent {
  /** `i_block`. */
  readonly block: Uint8Array
  /** Bytes. */
  readonly size: number
}

/** The journal of a filesystem; `undefined` where it has none. */
export function journalContent({ placement, geometry, journalBlocks }: Ext4Plan): JournalContent | undefined {
  if (!placement.journal) return undefined
  return {
    block: extentRoot(placement.journal, geometry.blockSize),
    size: journalBlocks * geometry.blockSize,
  }
}

/** All inodes in use, ascending. Number 1, the list of bad blocks, stays empty. */
export function* inodeRecords(
  plan: Ext4Plan,
  journal: JournalContent | undefined,
): Generator<[number, InodeRecord]> {
  const { geometry, inventory, placement } = plan
  const [root, ...others] = inventory.nodes.entries()
  if (root) yield [ext4.EXT4_ROOT_INO, nodeRecord(plan, root[0], root[1])]

  const time = inventory.nodes[0]?.inode.mtime ?? { seconds: 0, nanoseconds: 0 }
  const system = { mode: 0o100600, uid: 0, gid: 0, links: 1, time, xattrBlock: 0, xattrs: undefined }
  if (placement.resizeIndirect !== undefined) {
    const block = new Uint8Array(60)
    // `i_block[13]`, `EXT4_DIND_BLOCK`: it has no extents.
    new DataView(block.buffer).setUint32(13 * 4, placement.resizeIndirect, true)
    const { size, blocks } = resizeInodeSize(geometry)
    const sectors = (blocks * geometry.blockSize) / 512
    yield [ext4.EXT4_RESIZE_INO, { ...system, size, flags: 0, sectors, block }]
  }
  if (journal && placement.journal) {
    const sectors = contentSectors(placement.journal, geometry.blockSize)
    yield [ext4.EXT4_JOURNAL_INO, { ...system, ...journal, flags: ext4.EXT4_EXTENTS_FL, sectors }]
  }
  for (const [index, node] of others) yield [node.number, nodeRecord(plan, index, node)]
}

function nodeRecord({ geometry, placement }: Ext4Plan, index: number, node: Ext4Node): InodeRecord {
  const { inode, links, xattrs, directory } = node
  const { blockSize } = geometry
  const content = placement.contents[index]
  const xattrBlock = xattrs.block ? (placement.xattrBlocks.get(node) ?? 0) : 0
  const hasExtents = inode.type === 'file' || inode.type === 'directory' || content !== undefined
  // Every field by name: spreading objects costs more than the rest of this function.
  return {
    mode: statMode(inode),
    uid: inode.uid,
    gid: inode.gid,
    size: contentSize(node, blockSize),
    links,
    flags:
      (hasExtents ? ext4.EXT4_EXTENTS_FL : 0) |
      (directory?.plan.leaves ? ext4.EXT4_INDEX_FL : 0) |
      (inode.immutable && mayBeImmutable(inode) ? ext4.EXT4_IMMUTABLE_FL : 0),
    sectors: contentSectors(content, blockSize) + (xattrBlock > 0 ? blockSize / 512 : 0),
    block: hasExtents ? extentRoot(content ?? NOTHING, blockSize) : shortContent(node),
    time: inode.mtime,
    xattrBlock,
    xattrs: xattrs.body,
  }
}

/** Of anything else e2fsck clears the flag: nobody could. */
function mayBeImmutable({ type }: Ext4Node['inode']): boolean {
  return type === 'file' || type === 'directory'
}

/** `i_size`. */
function contentSize({ inode, blocks }: Ext4Node, blockSize: number): number {
  if (inode.type === 'file') return inode.content.size
  if (inode.type === 'symlink') return utf8(inode.target).length
  return blocks * blockSize
}

/** `i_block` of an inode whose content stands in it. */
function shortContent({ inode }: Ext4Node): Uint8Array | undefined {
  if (inode.type === 'symlink') return utf8(inode.target)
  return inode.type === 'device' ? encodeDevice(inode) : undefined
}

const NOTHING: PlacedContent = { extents: [], tree: [] }

function extentRoot({ extents, tree }: PlacedContent, blockSize: number): Uint8Array {
  return encodeExtentRoot(buildExtentTree(extents, tree, blockSize).root)
}

function contentSectors(content: PlacedContent | undefined, blockSize: number): number {
  if (!content) return 0
  return ((countBlocks(content.extents) + countBlocks(content.tree)) * blockSize) / 512
}
