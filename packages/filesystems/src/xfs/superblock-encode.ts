import { seal } from './checksum.ts'
import * as xfs from './format.ts'
import * as layout from './layout.ts'
import type { XfsIdentity } from './options.ts'
import type { XfsPlan } from './plan.ts'

/** What the superblock says besides the plan. */
export interface SuperblockFacts {
  readonly identity: XfsIdentity
  /** Number of the root directory; the two inodes of the realtime section follow it. */
  readonly root: number
}

/** Blocks and inodes, in use and free. */
export interface XfsCounts {
  readonly freeBlocks: number
  readonly inodes: number
  readonly freeInodes: number
}

/** What the superblock counts. */
export function countPlan({ geometry, inventory, placement }: XfsPlan): XfsCounts {
  const { blockCount, agCount, headBlocks, logBlocks } = geometry
  const inodes = placement.chunks * xfs.XFS_INODES_PER_CHUNK
  return {
    // Blocks set aside for the trees of free space count as free.
    freeBlocks: blockCount - agCount * headBlocks - logBlocks - placement.taken,
    inodes,
    freeInodes: inodes - inventory.inodes,
  }
}

/** Bytes to which records of the log are padded (`sb_logsunit`). */
export function logStripe({ sectorSize }: layout.Geometry): number {
  return sectorSize > 512 ? layout.BLOCK_SIZE : 1
}

/** `SECTORBIT` says that the sector sizes of the log mean something. */
function versionNumber({ sectorSize }: layout.Geometry, hasAttributes: boolean): number {
  return (
    xfs.XFS_SB_VERSION_5 |
    xfs.XFS_SB_VERSION_NLINKBIT |
    xfs.XFS_SB_VERSION_ALIGNBIT |
    xfs.XFS_SB_VERSION_LOGV2BIT |
    xfs.XFS_SB_VERSION_EXTFLGBIT |
    xfs.XFS_SB_VERSION_DIRV2BIT |
    xfs.XFS_SB_VERSION_MOREBITSBIT |
    (hasAttributes ? xfs.XFS_SB_VERSION_ATTRBIT : 0) |
    (sectorSize > 512 ? xfs.XFS_SB_VERSION_SECTORBIT : 0)
  )
}

const FEATURES2 =
  xfs.XFS_SB_VERSION2_LAZYSBCOUNTBIT |
  xfs.XFS_SB_VERSION2_ATTR2BIT |
  xfs.XFS_SB_VERSION2_PROJID32BIT |
  xfs.XFS_SB_VERSION2_CRCBIT

/**
 * The sector of one superblock.
 * @param group whose copy it is; 0 for the primary
 */
export function encodeSuperblock(
  plan: XfsPlan,
  { identity, root }: SuperblockFacts,
  group: number,
): Uint8Array {
  const { geometry, inventory, placement } = plan
  const { sectorSize } = geometry
  const counts = countPlan(plan)
  const sectorLog = Math.log2(sectorSize)
  const hasAttributes = inventory.nodes.some(({ inode }) => inode.xattrs.size > 0)
  const logStart = layout.linearBlock(geometry, geometry.logGroup, geometry.headBlocks)
  const bytes = new Uint8Array(sectorSize)
  xfs.SuperBlock.write(bytes, 0, {
    magicnum: xfs.XFS_SB_MAGIC,
    blocksize: layout.BLOCK_SIZE,
    dblocks: geometry.blockCount,
    uuid: identity.uuid,
    logstart: layout.fsBlock(geometry, logStart),
    rootino: root,
    rbmino: BigInt(root + 1),
    rsumino: BigInt(root + 2),
    rextsize: 1,
    agblocks: geometry.agBlocks,
    agcount: geometry.agCount,

    logblocks: geometry.logBlocks,
    versionnum: versionNumber(geometry, hasAttributes),
    sectsize: sectorSize,
    inodesize: layout.INODE_SIZE,
    inopblock: layout.INODES_PER_BLOCK,
    fname: identity.label,
    blocklog: Math.log2(layout.BLOCK_SIZE),
    sectlog: sectorLog,
    inodelog: Math.log2(layout.INODE_SIZE),
    inopblog: Math.log2(layout.INODES_PER_BLOCK),
    agblklog: geometry.agBlockLog,
    // As in copies that growfs makes: nothing but the primary is to be mounted.
    inprogress: group === 0 ? 0 : 1,
    imaxPct: layout.inodePercent(geometry, placement.chunks),

    icount: counts.inodes,
    ifree: counts.freeInodes,
    fdblocks: counts.freeBlocks,

    inoalignmt: layout.CHUNK_BLOCKS,
    logsectlog: sectorSize > 512 ? sectorLog : 0,
    logsectsize: sectorSize > 512 ? sectorSize : 0,
    logsunit: logStripe(geometry),
    features2: FEATURES2,
    badFeatures2: FEATURES2,

    featuresRoCompat:
      xfs.XFS_SB_FEAT_RO_COMPAT_FINOBT |
      xfs.XFS_SB_FEAT_RO_COMPAT_REFLINK |
      xfs.XFS_SB_FEAT_RO_COMPAT_INOBTCNT,
    featuresIncompat:
      xfs.XFS_SB_FEAT_INCOMPAT_FTYPE | xfs.XFS_SB_FEAT_INCOMPAT_SPINODES | xfs.XFS_SB_FEAT_INCOMPAT_BIGTIME,
    // Half a chunk: the least of one that the kernel allocates when space is in pieces.
    spinoAlign: layout.CHUNK_BLOCKS / 2,
  })
  seal(bytes, xfs.SuperBlock.fields.crc.offset)
  return bytes
}
