import { utf8 } from '@bootable/bytes'
import { statMode } from '@bootable/tree'
import { encodeDeviceNumber } from './device-number.ts'
import { encodeShortDirectory } from './directory.ts'
import { buildExtentTree, encodeExtentList } from './extents.ts'
import { FORK_BYTES } from './forks.ts'
import * as xfs from './format.ts'
import type { InodeRecord } from './inode.ts'
import { BITMAP_ORDINAL, SUMMARY_ORDINAL, type XfsNode } from './inventory.ts'
import { BLOCK_SIZE } from './layout.ts'
import { forkBlocks, type PlacedFork } from './placement.ts'
import type { XfsPlan } from './plan.ts'

/** What records are made of besides the plan. */
export interface RecordContext {
  readonly uuid: Uint8Array
  /** Time of the inodes that no tree has, in seconds since 1970. */
  readonly time: number
  /** Inode number of an inode of the filesystem. */
  numberOf(ordinal: number): number
}

/** All inodes in use by ordinal, ascending. */
export function* inodeRecords(plan: XfsPlan, context: RecordContext): Generator<[number, InodeRecord]> {
  const { nodes } = plan.inventory
  for (const [index, node] of nodes.entries()) {
    yield [node.ordinal, nodeRecord(plan, index, node, context)]
    if (index > 0) continue
    yield [BITMAP_ORDINAL, realtimeRecord(context, xfs.XFS_DIFLAG_NEWRTBM)]
    yield [SUMMARY_ORDINAL, realtimeRecord(context, 0)]
  }
}

/** Bitmap and summary of a realtime section that has no blocks: every filesystem has them. */
function realtimeRecord({ time }: RecordContext, flags: number): InodeRecord {
  return {
    mode: 0o100000,
    uid: 0,
    gid: 0,
    size: 0,
    links: 1,
    flags,
    blocks: 0,
    time: { seconds: time, nanoseconds: 0 },
    format: xfs.XFS_DINODE_FMT_EXTENTS,
    extents: 0,
    data: undefined,
    forkOffset: 0,
    attributeFormat: xfs.XFS_DINODE_FMT_EXTENTS,
    attributeExtents: 0,
    attributes: undefined,
  }
}

function nodeRecord(plan: XfsPlan, index: number, node: XfsNode, context: RecordContext): InodeRecord {
  const { placement } = plan
  const { inode, links, forks } = node
  const owner = { number: context.numberOf(node.ordinal), uuid: context.uuid }
  const fork = placement.data[index]
  const attributeFork = placement.attributes.get(node)
  const local = fork ? undefined : localData(node, context)
  const data = local ?? forkBytes(plan, fork, forks.area, owner)
  const outer = forkBytes(plan, attributeFork, FORK_BYTES - forks.area, owner)
  const hasAttributes = forks.short !== undefined || attributeFork !== undefined
  // Every field by name: spreading objects costs more than the rest of this function.
  return {
    mode: statMode(inode),
    uid: inode.uid,
    gid: inode.gid,
    size: contentSize(node),
    links,
    flags: inode.immutable && isImmutable(inode) ? xfs.XFS_DIFLAG_IMMUTABLE : 0,
    blocks: forkBlocks(fork) + forkBlocks(attributeFork),
    time: inode.mtime,
    format: dataFormat(node, fork, local !== undefined),
    extents: fork?.extents.length ?? 0,
    data,
    forkOffset: hasAttributes ? forks.area : 0,
    attributeFormat: forks.short ? xfs.XFS_DINODE_FMT_LOCAL : forkFormat(attributeFork),
    attributeExtents: attributeFork?.extents.length ?? 0,
    attributes: forks.short ?? outer,
  }
}

/** Of anything else the flag would mean nothing: `chattr` sets it on these alone. */
function isImmutable({ type }: XfsNode['inode']): boolean {
  return type === 'file' || type === 'directory'
}

function dataFormat({ inode }: XfsNode, fork: PlacedFork | undefined, isLocal: boolean): number {
  if (inode.type === 'directory' || inode.type === 'symlink') {
    return isLocal ? xfs.XFS_DINODE_FMT_LOCAL : forkFormat(fork)
  }
  return inode.type === 'file' ? forkFormat(fork) : xfs.XFS_DINODE_FMT_DEV
}

function forkFormat(fork: PlacedFork | undefined): number {
  return fork && fork.tree.length > 0 ? xfs.XFS_DINODE_FMT_BTREE : xfs.XFS_DINODE_FMT_EXTENTS
}

/** Data that stands in the inode itself. */
function localData({ inode, directory }: XfsNode, { numberOf }: RecordContext): Uint8Array | undefined {
  if (inode.type === 'symlink') return utf8(inode.target)
  if (directory) {
    const parent = numberOf(directory.parent)
    return encodeShortDirectory({ entries: directory.entries, parent, numberOf }, directory.plan.shortSize)
  }
  if (inode.type !== 'device') return undefined
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, encodeDeviceNumber(inode))
  return bytes
}

/** A fork's list of extents, or the root of their tree. */
function forkBytes(
  { geometry }: XfsPlan,
  fork: PlacedFork | undefined,
  area: number,
  owner: { readonly number: number; readonly uuid: Uint8Array },
): Uint8Array | undefined {
  if (!fork) return undefined
  if (fork.tree.length === 0) return encodeExtentList(geometry, fork.extents)
  return buildExtentTree(geometry, fork.extents, area, fork.tree, owner).root
}

/** `di_size`; of a directory, the blocks of its names alone. */
function contentSize({ inode, directory }: XfsNode): number {
  if (inode.type === 'file') return inode.content.size
  if (inode.type === 'symlink') return utf8(inode.target).length
  if (!directory) return 0
  const { form, shortSize, dataBlocks } = directory.plan
  return form === 'short' ? shortSize : dataBlocks * BLOCK_SIZE
}
