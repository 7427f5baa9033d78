import type { ByteSource, Uuid } from '@bootable/bytes'
import { decodeUtf8, uuidFromBytes } from '@bootable/bytes'
import { filesystemSeed, superblockChecksum } from './checksum.ts'
import { ext4FormatError } from './errors.ts'
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

/** Names of the feature bits, as e2fsprogs gives them. */
const FEATURES: readonly (readonly [word: 'C' | 'I' | 'R', bit: number, name: string])[] = [
  ['C', 0x0001, 'dir_prealloc'],
  ['C', 0x0002, 'imagic_inodes'],
  ['C', ext4.EXT4_FEATURE_COMPAT_HAS_JOURNAL, 'has_journal'],
  ['C', ext4.EXT4_FEATURE_COMPAT_EXT_ATTR, 'ext_attr'],
  ['C', ext4.EXT4_FEATURE_COMPAT_RESIZE_INODE, 'resize_inode'],
  ['C', ext4.EXT4_FEATURE_COMPAT_DIR_INDEX, 'dir_index'],
  ['C', ext4.EXT4_FEATURE_COMPAT_SPARSE_SUPER2, 'sparse_super2'],
  ['C', ext4.EXT4_FEATURE_COMPAT_FAST_COMMIT, 'fast_commit'],
  ['C', ext4.EXT4_FEATURE_COMPAT_STABLE_INODES, 'stable_inodes'],
  ['C', ext4.EXT4_FEATURE_COMPAT_ORPHAN_FILE, 'orphan_file'],
  ['I', ext4.EXT4_FEATURE_INCOMPAT_COMPRESSION, 'compression'],
  ['I', ext4.EXT4_FEATURE_INCOMPAT_FILETYPE, 'filetype'],
  ['I', ext4.EXT4_FEATURE_INCOMPAT_RECOVER, 'needs_recovery'],
  ['I', ext4.EXT4_FEATURE_INCOMPAT_JOURNAL_DEV, 'journal_dev'],
  ['I', ext4.EXT4_FEATURE_INCOMPAT_META_BG, 'meta_bg'],
  ['I', ext4.EXT4_FEATURE_INCOMPAT_EXTENTS, 'extent'],
  ['I', ext4.EXT4_FEATURE_INCOMPAT_64BIT, '64bit'],
  ['I', ext4.EXT4_FEATURE_INCOMPAT_MMP, 'mmp'],
  ['I', ext4.EXT4_FEATURE_INCOMPAT_FLEX_BG, 'flex_bg'],
  ['I', ext4.EXT4_FEATURE_INCOMPAT_EA_INODE, 'ea_inode'],
  ['I', ext4.EXT4_FEATURE_INCOMPAT_CSUM_SEED, 'metadata_csum_seed'],
  ['I', ext4.EXT4_FEATURE_INCOMPAT_LARGEDIR, 'large_dir'],
  ['I', ext4.EXT4_FEATURE_INCOMPAT_INLINE_DATA, 'inline_data'],
  ['I', ext4.EXT4_FEATURE_INCOMPAT_ENCRYPT, 'encrypt'],
  ['I', ext4.EXT4_FEATURE_INCOMPAT_CASEFOLD, 'casefold'],
  ['R', ext4.EXT4_FEATURE_RO_COMPAT_SPARSE_SUPER, 'sparse_super'],
  ['R', ext4.EXT4_FEATURE_RO_COMPAT_LARGE_FILE, 'large_file'],
  ['R', ext4.EXT4_FEATURE_RO_COMPAT_HUGE_FILE, 'huge_file'],
  ['R', ext4.EXT4_FEATURE_RO_COMPAT_GDT_CSUM, 'uninit_bg'],
  ['R', ext4.EXT4_FEATURE_RO_COMPAT_DIR_NLINK, 'dir_nlink'],
  ['R', ext4.EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE, 'extra_isize'],
  ['R', ext4.EXT4_FEATURE_RO_COMPAT_QUOTA, 'quota'],
  ['R', ext4.EXT4_FEATURE_RO_COMPAT_BIGALLOC, 'bigalloc'],
  ['R', ext4.EXT4_FEATURE_RO_COMPAT_METADATA_CSUM, 'metadata_csum'],
  ['R', ext4.EXT4_FEATURE_RO_COMPAT_READONLY, 'read-only'],
  ['R', ext4.EXT4_FEATURE_RO_COMPAT_PROJECT, 'project'],
  ['R', ext4.EXT4_FEATURE_RO_COMPAT_VERITY, 'verity'],
  ['R', ext4.EXT4_FEATURE_RO_COMPAT_ORPHAN_PRESENT, 'orphan_present'],
]

function featureNames(words: Readonly<Record<'C' | 'I' | 'R', number>>): string[] {
  return (['C', 'I', 'R'] as const).flatMap((word) =>
    Array.from({ length: 32 }, (_, position) => position)
      .filter((position) => (words[word] & (1 << position)) !== 0)
      .map((position) => {
        const known = FEATURES.find(([of, bit]) => of === word && bit === 1 << position)
        return known?.[2] ?? `FEATURE_${word}${position}`
      }),
  )
}

/** Feature bits under which directories, inodes and extents stand where this reader looks for them. */
const READABLE_INCOMPAT =
  ext4.EXT4_FEATURE_INCOMPAT_FILETYPE |
  ext4.EXT4_FEATURE_INCOMPAT_RECOVER |
  ext4.EXT4_FEATURE_INCOMPAT_EXTENTS |
  ext4.EXT4_FEATURE_INCOMPAT_64BIT |
  ext4.EXT4_FEATURE_INCOMPAT_MMP |
  ext4.EXT4_FEATURE_INCOMPAT_FLEX_BG |
  ext4.EXT4_FEATURE_INCOMPAT_EA_INODE |
  ext4.EXT4_FEATURE_INCOMPAT_CSUM_SEED |
  ext4.EXT4_FEATURE_INCOMPAT_LARGEDIR |
  ext4.EXT4_FEATURE_INCOMPAT_INLINE_DATA |
  ext4.EXT4_FEATURE_INCOMPAT_ENCRYPT |
  ext4.EXT4_FEATURE_INCOMPAT_CASEFOLD

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
  check(firstDataBlock === (blockSize === 1024 ? 1 : 0), 'firstDataBlock', `it is ${firstDataBlock}`)
  check(blockCount > firstDataBlock && blockCount < 2 ** 48, 'blocksCountLo', `${blockCount} blocks`)
  check(blocksPerGroup >= 8 && blocksPerGroup % 8 === 0, 'blocksPerGroup', `${blocksPerGroup} blocks`)
  check(inodesPerGroup >= 1 && inodesPerGroup <= blockSize * 8, 'inodesPerGroup', `${inodesPerGroup} inodes`)
  const groups = Math.ceil((blockCount - firstDataBlock) / blocksPerGroup)
  check(raw.inodesCount <= inodesPerGroup * groups, 'inodesCount', `${raw.inodesCount} in ${groups} groups`)

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
