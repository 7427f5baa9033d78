import type { ByteSource, Uuid } from '@bootable/bytes'
import { decodeUtf8, isZero, uuidFromBytes } from '@bootable/bytes'
import { isSealed } from './checksum.ts'
import { xfsFormatError } from './errors.ts'
import { featureNames, READABLE_INCOMPAT } from './features.ts'
import * as xfs from './format.ts'

/** What the superblock of an XFS says. */
export interface XfsSuperblock {
  readonly uuid: Uuid
  readonly label: string
  /** Names of the features as `mkfs.xfs` takes them; unknown ones as `incompat_9` and the like. */
  readonly features: readonly string[]
  /** Bytes of the filesystem. */
  readonly size: number
  /** Bytes of a block. */
  readonly blockSize: number
  readonly blockCount: number
  /** Bytes of a sector of the device. */
  readonly sectorSize: number
  readonly agCount: number
  readonly freeBlocks: number
  readonly inodeCount: number
  readonly freeInodes: number
}

/** What the reader needs of the superblock besides {@link XfsSuperblock}. */
export interface SuperblockDetails extends XfsSuperblock {
  readonly featuresIncompat: number
  /** Number of the root directory. */
  readonly root: number
  readonly inodeSize: number
  /** Blocks of every group but the last. */
  readonly agBlocks: number
  /** Bits of a block's number within its group. */
  readonly agBlockLog: number
  /** Bits of an inode's number within its block. */
  readonly inodeBlockLog: number
  /** Bytes of a block of a directory. */
  readonly directoryBlockSize: number
  /** The uuid that stands in every structure. */
  readonly metaUuid: Uint8Array
  /** First block of the log as its number is stored, 0 for one on a device of its own. */
  readonly logStart: number
  readonly logBlocks: number
}

/** Refuses features that move things, and what nobody has invented yet. */
export function checkReadable({ featuresIncompat }: SuperblockDetails): void {
  const unknown = featuresIncompat & ~READABLE_INCOMPAT
  if (unknown !== 0) {
    const names = featureNames({ roCompat: 0, incompat: unknown }).join(', ')
    throw xfsFormatError('FORMAT_UNSUPPORTED', 'sb_features_incompat', `it has the features ${names}`, 0xd8)
  }
  if (featuresIncompat & xfs.XFS_SB_FEAT_INCOMPAT_FTYPE) return
  throw xfsFormatError('FORMAT_UNSUPPORTED', 'sb_features_incompat', 'names without a type (ftype)', 0xd8)
}

/**
 * Reads the superblock of an XFS of version 5: one sector, and nothing else.
 * @throws FormatError; `FORMAT_UNSUPPORTED` for version 4, which has no checksums
 */
export async function readXfsSuperblock(source: ByteSource): Promise<XfsSuperblock> {
  return publicFacts(await readSuperblock(source))
}

/** The part of the superblock that users see. */
export function publicFacts(details: SuperblockDetails): XfsSuperblock {
  const { uuid, label, features, size, blockSize, blockCount, sectorSize, agCount } = details
  const { freeBlocks, inodeCount, freeInodes } = details
  return {
    uuid,
    label,
    features,
    size,
    blockSize,
    blockCount,
    sectorSize,
    agCount,
    freeBlocks,
    inodeCount,
    freeInodes,
  }
}

const MIN_SECTOR = 512

/** @throws FormatError */
export async function readSuperblock(source: ByteSource): Promise<SuperblockDetails> {
  if (source.size < MIN_SECTOR) {
    throw xfsFormatError('FORMAT_TRUNCATED', 'xfs_dsb', `there are only ${source.size} bytes`, 0)
  }
  const first = new Uint8Array(MIN_SECTOR)
  await source.read(0, first)
  const magic = new DataView(first.buffer).getUint32(0)
  check(magic === xfs.XFS_SB_MAGIC, 'magicnum', `it is ${magic.toString(16)}`)
  const raw = xfs.SuperBlock.read(first)
  const version = raw.versionnum & xfs.XFS_SB_VERSION_NUMBITS
  if (version !== xfs.XFS_SB_VERSION_5) {
    throw xfsFormatError('FORMAT_UNSUPPORTED', 'sb_versionnum', `version ${version} has no checksums`, 0x64)
  }
  check(isPower(raw.sectsize, 512, 32_768, raw.sectlog), 'sectsize', `${raw.sectsize} is no sector size`)
  await checkSector(source, raw.sectsize)
  return decode(raw)
}

async function checkSector(source: ByteSource, size: number): Promise<void> {
  if (source.size < size) {
    throw xfsFormatError('FORMAT_TRUNCATED', 'xfs_dsb', `there are only ${source.size} bytes`, 0)
  }
  const sector = new Uint8Array(size)
  await source.read(0, sector)
  if (isSealed(sector, xfs.SuperBlock.fields.crc.offset)) return
  throw xfsFormatError('FORMAT_CHECKSUM', 'xfs_dsb', 'its checksum is wrong', 0)
}

function check(isGood: boolean, field: keyof typeof xfs.SuperBlock.fields, message: string): void {
  if (isGood) return
  throw xfsFormatError('FORMAT_INVALID', `sb_${field}`, message, xfs.SuperBlock.fields[field].offset)
}

function isPower(value: number, least: number, most: number, log: number): boolean {
  return value >= least && value <= most && value === 2 ** log
}

function decode(raw: ReturnType<typeof xfs.SuperBlock.read>): SuperblockDetails {
  const { blocksize, dblocks, agblocks, agcount, inodesize, sectsize } = raw
  check(isPower(blocksize, 1024, 65_536, raw.blocklog), 'blocksize', `${blocksize} is no block size`)
  check(isPower(inodesize, 512, 2048, raw.inodelog), 'inodesize', `${inodesize} is no inode size`)
  check(inodesize <= blocksize && sectsize <= blocksize, 'inodesize', 'a block is smaller than what is in it')
  check(raw.inopblog === raw.blocklog - raw.inodelog, 'inopblog', `it is ${raw.inopblog}`)
  const directoryBlockSize = blocksize * 2 ** raw.dirblklog
  check(directoryBlockSize <= 65_536, 'dirblklog', `it is ${raw.dirblklog}`)

  check(agblocks >= 64 && agblocks <= 2 ** 31, 'agblocks', `${agblocks} blocks`)
  check(raw.agblklog === Math.ceil(Math.log2(agblocks)), 'agblklog', `it is ${raw.agblklog}`)
  check(dblocks * blocksize <= Number.MAX_SAFE_INTEGER, 'dblocks', `${dblocks} blocks`)
  check(agcount >= 1 && agcount === Math.ceil(dblocks / agblocks), 'agcount', `${agcount} groups`)

  const hasMetaUuid = (raw.featuresIncompat & xfs.XFS_SB_FEAT_INCOMPAT_META_UUID) !== 0
  const label = raw.fname.subarray(0, indexOrLength(raw.fname, 0))
  return {
    uuid: uuidFromBytes(raw.uuid),
    label: decodeUtf8(label) ?? String.fromCharCode(...label),
    features: featureNames({ roCompat: raw.featuresRoCompat, incompat: raw.featuresIncompat }),
    size: dblocks * blocksize,
    blockSize: blocksize,
    blockCount: dblocks,
    sectorSize: sectsize,
    agCount: agcount,
    freeBlocks: raw.fdblocks,
    inodeCount: raw.icount,
    freeInodes: raw.ifree,
    featuresIncompat: raw.featuresIncompat,
    root: raw.rootino,
    inodeSize: inodesize,
    agBlocks: agblocks,
    agBlockLog: raw.agblklog,
    inodeBlockLog: raw.inopblog,
    directoryBlockSize,
    metaUuid: hasMetaUuid && !isZero(raw.metaUuid) ? raw.metaUuid : raw.uuid,
    logStart: raw.logstart,
    logBlocks: raw.logblocks,
  }
}

function indexOrLength(bytes: Uint8Array, value: number): number {
  const index = bytes.indexOf(value)
  return index < 0 ? bytes.length : index
}
