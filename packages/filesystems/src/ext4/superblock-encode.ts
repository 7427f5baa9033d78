import { availableBlocks } from './allocation.ts'
import { superblockChecksum } from './checksum.ts'
import { countBlocks } from './extents.ts'
import { writtenFeatures } from './features.ts'
import * as ext4 from './format.ts'
import { LOG_GROUPS_PER_FLEX } from './layout.ts'
import type { Ext4Identity } from './options.ts'
import type { Ext4Plan } from './plan.ts'

/** Blocks and inodes in use and free. */
export interface Ext4Counts {
  readonly freeBlocks: number
  readonly freeInodes: number
  /** Blocks that are no file's: metadata and the journal. */
  readonly overheadBlocks: number
  readonly inodes: number
}

/** What the superblock counts. */
export function countPlan({ geometry, inventory, placement }: Ext4Plan): Ext4Counts {
  const { journal } = placement
  const available = availableBlocks(geometry)
  const inodes = geometry.inodesPerGroup * geometry.groupCount
  const journalBlocks = journal ? countBlocks(journal.extents) : 0
  return {
    freeBlocks: available - placement.taken,
    freeInodes: inodes - inventory.lastInode,
    overheadBlocks: geometry.blockCount - available + journalBlocks,
    inodes,
  }
}

/** `EXT3_JNL_BACKUP_BLOCKS`: `s_jnl_blocks` is a copy of the journal's inode. */
const JNL_BACKUP_BLOCKS = 1

/** `i_block` and size of the journal as `s_jnl_blocks` repeats them. */
function journalBackup(journal: { readonly block: Uint8Array; readonly size: number }): number[] {
  const view = new DataView(journal.block.buffer, journal.block.byteOffset, 60)
  const words = Array.from({ length: 15 }, (_, index) => view.getUint32(index * 4, true))
  return [...words, Math.floor(journal.size / 2 ** 32), journal.size % 2 ** 32]
}

/**
 * One copy of the superblock.
 * @param journal root of the journal's extent tree and its bytes
 * @param group whose copy it is; 0 for the primary
 */
export function encodeSuperblock(
  plan: Ext4Plan,
  identity: Ext4Identity,
  journal: { readonly block: Uint8Array; readonly size: number } | undefined,
  group: number,
): Uint8Array {
  const { geometry } = plan
  const counts = countPlan(plan)
  const [featureCompat, featureIncompat, featureRoCompat] = writtenFeatures({
    journal: plan.journalBlocks > 0,
    resize: geometry.reservedDescriptorBlocks > 0,
    verity: identity.verity,
  })
  const reserved = Math.floor((geometry.blockCount * identity.reservedPercent) / 100)
  const time = identity.time % 2 ** 32
  const timeHi = Math.floor(identity.time / 2 ** 32)
  const bytes = ext4.SuperBlock.encode({
    inodesCount: counts.inodes,
    blocksCountLo: geometry.blockCount % 2 ** 32,
    blocksCountHi: Math.floor(geometry.blockCount / 2 ** 32),
    rBlocksCountLo: reserved % 2 ** 32,
    rBlocksCountHi: Math.floor(reserved / 2 ** 32),
    freeBlocksCountLo: counts.freeBlocks % 2 ** 32,
    freeBlocksCountHi: Math.floor(counts.freeBlocks / 2 ** 32),
    freeInodesCount: counts.freeInodes,
    overheadBlocks: counts.overheadBlocks % 2 ** 32,

    firstDataBlock: geometry.firstDataBlock,
    logBlockSize: Math.log2(geometry.blockSize / 1024),
    logClusterSize: Math.log2(geometry.blockSize / 1024),
    blocksPerGroup: geometry.blocksPerGroup,
    clustersPerGroup: geometry.blocksPerGroup,
    inodesPerGroup: geometry.inodesPerGroup,
    reservedGdtBlocks: geometry.reservedDescriptorBlocks,
    logGroupsPerFlex: LOG_GROUPS_PER_FLEX,
    descSize: ext4.GroupDescriptor.size,
    blockGroupNr: group,

    mkfsTime: time,
    mkfsTimeHi: timeHi,
    wtime: time,
    wtimeHi: timeHi,
    lastcheck: time,
    lastcheckHi: timeHi,
    maxMntCount: 0xffff, // −1: no check after a number of mounts

    magic: ext4.EXT4_SUPER_MAGIC,
    // e2fsprogs marks no copy as valid, so that none is taken for the primary.
    state: group === 0 ? ext4.EXT4_VALID_FS : 0,
    errors: ext4.EXT4_ERRORS_CONTINUE,
    revLevel: ext4.EXT4_DYNAMIC_REV,
    firstIno: ext4.EXT4_GOOD_OLD_FIRST_INO,
    inodeSize: ext4.INODE_SIZE,
    minExtraIsize: ext4.EXTRA_ISIZE,
    wantExtraIsize: ext4.EXTRA_ISIZE,
    featureCompat,
    featureIncompat,
    featureRoCompat,
    defaultMountOpts: ext4.EXT4_DEFM_XATTR_USER | ext4.EXT4_DEFM_ACL,
    flags: ext4.EXT2_FLAGS_SIGNED_HASH,

    uuid: identity.uuid,
    volumeName: identity.label,
    hashSeed: identity.hashSeed,
    defHashVersion: ext4.DX_HASH_HALF_MD4,
    checksumType: ext4.EXT4_CRC32C_CHKSUM,
    ...(journal && {
      journalInum: ext4.EXT4_JOURNAL_INO,
      jnlBackupType: JNL_BACKUP_BLOCKS,
      jnlBlocks: journalBackup(journal),
    }),
  })
  ext4.SuperBlock.write(bytes, 0, { checksum: superblockChecksum(bytes) })
  return bytes
}
