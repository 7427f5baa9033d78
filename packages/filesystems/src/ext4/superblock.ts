import type { ByteSource, Uuid } from '@bootable/bytes'
import { decodeUtf8, uuidFromBytes } from '@bootable/bytes'
import { filesystemSeed, superblockChecksum } from './checksum.ts'
import { ext4FormatError } from './errors.ts'
import { featureNames, READABLE_INCOMPAT } from './features.ts'
import * as ext4 from './format.ts'

/** What the superblock of an ext2, ext3 or ext4 filesystem says. */
export interface Ext4Superblock {
  readonly uuid: Uuid
  readonly label: string
  /** Names of the features as `dumpe2fs` prints them; unknown ones as `FEATURE_I20` and the like. */
  readonly features: readonly string[]
  /** Bytes of the filesystem. */
  readonly size: number
  /** Bytes of a block. */
  readonly blockSize: number
  readonly blockCount: number
  readonly freeBlocks: number
  readonly inodeCount: number
  readonly freeInodes: number
  /** Where the filesystem was last mounted, as the kernel noted it; empty for never. */
  readonly lastMounted: string
  /** Whether it was unmounted cleanly. Otherwise its journal may know better than its blocks. */
  readonly clean: boolean
}

/** What the reader needs of the superblock besides {@link Ext4Superblock}. */
export interface SuperblockDetails extends Ext4Superblock {
  readonly featureCompat: number
  readonly featureIncompat: number
  readonly featureRoCompat: number
  readonly firstDataBlock: number
  readonly blocksPerGroup: number
  readonly inodesPerGroup: number
  readonly inodeSize: number
  /** Bytes of a group descriptor. */
  readonly descriptorSize: number
  /** Seed of all checksums; `undefined` without the feature metadata_csum. */
  readonly checksumSeed: number | undefined
}

/** Refuses features that move things: meta_bg, external journals, what nobody has invented yet. */
export function checkReadable({ featureIncompat }: SuperblockDetails): void {
  const unknown = featureIncompat & ~READABLE_INCOMPAT
  if (unknown === 0) return
  const names = featureNames({ C: 0, I: unknown, R: 0 }).join(', ')
  throw ext4FormatError(
    'FORMAT_UNSUPPORTED',
    's_feature_incompat',
    `it has the features ${names}`,
    1024 + 0x60,
  )
}

/**
 * Reads the superblock of an ext2, ext3 or ext4 filesystem: 1 KiB, and nothing else.
 * @throws FormatError
 */
export async function readExt4Superblock(source: ByteSource): Promise<Ext4Superblock> {
  const { featureCompat, featureIncompat, featureRoCompat, ...details } = await readSuperblock(source)
  const {
    firstDataBlock,
    blocksPerGroup,
    inodesPerGroup,
    inodeSize,
    descriptorSize,
    checksumSeed,
    ...facts
  } = details
  return facts
}

/** Reads and checks the superblock, so that all arithmetic with it is safe. @throws FormatError */
export async function readSuperblock(source: ByteSource): Promise<SuperblockDetails> {
  const bytes = new Uint8Array(ext4.SuperBlock.size)
  await source.read(ext4.SUPERBLOCK_OFFSET, bytes)
  const raw = ext4.SuperBlock.at(bytes)
  const check = (isGood: boolean, field: keyof typeof ext4.SuperBlock.fields, message: string): void => {
    if (isGood) return
    const offset = ext4.SUPERBLOCK_OFFSET + ext4.SuperBlock.fields[field].offset
    throw ext4FormatError('FORMAT_INVALID', `ext4_super_block.${field}`, message, offset)
  }
  check(raw.magic === ext4.EXT4_SUPER_MAGIC, 'magic', `0x${raw.magic.toString(16)} is not 0xef53`)

  const { featureCompat, featureIncompat, featureRoCompat } = raw
  const has = (bits: number, bit: number): boolean => (bits & bit) !== 0
  const hasChecksums = has(featureRoCompat, ext4.EXT4_FEATURE_RO_COMPAT_METADATA_CSUM)
  if (hasChecksums && superblockChecksum(bytes) !== raw.checksum) {
    throw ext4FormatError(
      'FORMAT_CHECKSUM',
      'ext4_super_block',
      'its checksum is wrong',
      ext4.SUPERBLOCK_OFFSET,
    )
  }
  const is64Bit = has(featureIncompat, ext4.EXT4_FEATURE_INCOMPAT_64BIT)
  const wide = (low: number, high: number): number => low + (is64Bit ? high * 2 ** 32 : 0)
  const isDynamic = raw.revLevel >= ext4.EXT4_DYNAMIC_REV

  check(raw.logBlockSize <= 6, 'logBlockSize', `2^${raw.logBlockSize} KiB is no block size`)
  const blockSize = 1024 * 2 ** raw.logBlockSize
  const inodeSize = isDynamic ? raw.inodeSize : ext4.EXT4_GOOD_OLD_INODE_SIZE
  const isInodeSize = inodeSize >= 128 && inodeSize <= blockSize && Number.isInteger(Math.log2(inodeSize))
  check(isInodeSize, 'inodeSize', `${inodeSize} is no inode size`)
  const descriptorSize = is64Bit ? raw.descSize : 32
  const isDescriptorSize = [32, 64, 128, 256, 512, 1024].includes(descriptorSize)
  check(isDescriptorSize && (!is64Bit || descriptorSize >= 64), 'descSize', `${descriptorSize} bytes`)

  const blockCount = wide(raw.blocksCountLo, raw.blocksCountHi)
  const { firstDataBlock, blocksPerGroup, inodesPerGroup } = raw
  // Block 0 of 1 KiB is the boot sector, but bigalloc counts it in.
  check(firstDataBlock <= (blockSize === 1024 ? 1 : 0), 'firstDataBlock', `it is ${firstDataBlock}`)
  check(blockCount > firstDataBlock && blockCount < 2 ** 48, 'blocksCountLo', `${blockCount} blocks`)
  check(blocksPerGroup >= 8 && blocksPerGroup % 8 === 0, 'blocksPerGroup', `${blocksPerGroup} blocks`)
  check(inodesPerGroup >= 1 && inodesPerGroup <= blockSize * 8, 'inodesPerGroup', `${inodesPerGroup} inodes`)
  const groups = Math.ceil((blockCount - firstDataBlock) / blocksPerGroup)
  // Tables never overlap, which bounds what a reader may be made to load.
  const fits =
    raw.inodesCount <= inodesPerGroup * groups && raw.inodesCount * inodeSize < blockCount * blockSize
  check(fits, 'inodesCount', `${raw.inodesCount} inodes in ${groups} groups`)

  const label = raw.volumeName.subarray(0, indexOrLength(raw.volumeName, 0))
  const recover = has(featureIncompat, ext4.EXT4_FEATURE_INCOMPAT_RECOVER)
  return {
    uuid: uuidFromBytes(raw.uuid),
    label: decodeUtf8(label) ?? String.fromCharCode(...label),
    features: featureNames({ C: featureCompat, I: featureIncompat, R: featureRoCompat }),
    size: blockCount * blockSize,
    blockSize,
    blockCount,
    freeBlocks: wide(raw.freeBlocksCountLo, raw.freeBlocksCountHi),
    inodeCount: raw.inodesCount,
    freeInodes: raw.freeInodesCount,
    lastMounted: raw.lastMounted.replace(/\0.*/s, ''),
    clean: has(raw.state, ext4.EXT4_VALID_FS) && !recover,
    featureCompat,
    featureIncompat,
    featureRoCompat,
    firstDataBlock,
    blocksPerGroup,
    inodesPerGroup,
    inodeSize,
    descriptorSize,
    checksumSeed: hasChecksums ? seedOf(featureIncompat, raw.checksumSeed, raw.uuid) : undefined,
  }
}

/** With the feature metadata_csum_seed the uuid may change without all checksums changing. */
function seedOf(featureIncompat: number, stored: number, uuid: Uint8Array): number {
  return featureIncompat & ext4.EXT4_FEATURE_INCOMPAT_CSUM_SEED ? stored : filesystemSeed(uuid)
}

function indexOrLength(bytes: Uint8Array, value: number): number {
  const index = bytes.indexOf(value)
  return index < 0 ? bytes.length : index
}
