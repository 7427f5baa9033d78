import type { ByteSource, Uuid } from '@bootable/bytes'
import { decodeUtf8, rawCrc32c, uuidFromBytes } from '@bootable/bytes'
import { erofsFormatError } from './errors.ts'
import {
  BLOCK_BITS,
  BLOCK_SIZE,
  ComposefsHeader,
  EROFS_FEATURE_COMPAT_SB_CHKSUM,
  EROFS_FEATURE_INCOMPAT_KNOWN,
  EROFS_SUPER_MAGIC,
  EROFS_SUPER_OFFSET,
  LCFS_EROFS_MAGIC,
  SuperBlock,
} from './format.ts'
import { type ErofsLayout, nodeNid } from './layout.ts'

/** What only the superblock says. */
export interface ErofsIdentity {
  readonly featureCompat: number
  /** @defaultValue 0, also of composefs images, though their files are in chunks: Linux does not mind */
  readonly featureIncompat?: number
  /** Seconds since 1970. */
  readonly buildTime: number
  readonly uuid?: Uint8Array
  readonly label?: Uint8Array
}

/** @returns 128 bytes, the checksum still zero */
export function encodeSuperblock(
  { places, inventory, inodesEnd, blocks }: ErofsLayout,
  { featureCompat, featureIncompat = 0, buildTime, uuid, label }: ErofsIdentity,
): Uint8Array {
  const [root] = places
  return SuperBlock.encode({
    magic: EROFS_SUPER_MAGIC,
    featureCompat,
    blkszbits: BLOCK_BITS,
    rootNid: root ? nodeNid(root) : 0,
    inos: inventory.nodes.length,
    buildTime,
    blocks,
    xattrBlkaddr: Math.floor(inodesEnd / BLOCK_SIZE),
    ...(uuid && { uuid }),
    ...(label && { volumeName: label }),
    featureIncompat,
  })
}

/**
 * `erofs_superblock_csum_verify`: CRC-32C from the superblock to the end of its block, the checksum zero.
 * @param bytes from the superblock on
 */
export function superblockChecksum(bytes: Uint8Array): number {
  const zeroed = bytes.slice()
  SuperBlock.write(zeroed, 0, { checksum: 0 })
  return rawCrc32c(zeroed, 0xffff_ffff)
}

/** What the superblock of an EROFS says. */
export interface ErofsSuperblock {
  readonly uuid: Uuid
  readonly label: string
  /** Bytes of a block. */
  readonly blockSize: number
  /** Blocks that are in use, from the start of the volume. */
  readonly blocks: number
  readonly inodes: number
  /** When it was made, in seconds since 1970: the time of inodes that have none of their own. */
  readonly time: number
  /** Whether it has the header of a composefs image, whose files keep their content elsewhere. */
  readonly composefs: boolean
}

/** What the reader needs besides. */
export interface VolumeSuperblock extends ErofsSuperblock {
  readonly timeNanoseconds: number
  readonly rootNid: number
  /** Bytes: where nid 0 is. */
  readonly metaStart: number
  /** Bytes: from where shared attributes are counted. */
  readonly xattrStart: number
}

/** @throws FormatError */
export async function readSuperblock(source: ByteSource): Promise<VolumeSuperblock> {
  const start = new Uint8Array(EROFS_SUPER_OFFSET + SuperBlock.size)
  if (source.size < start.length) {
    throw erofsFormatError('FORMAT_TRUNCATED', 'erofs_super_block', `${source.size} bytes are no EROFS`, 0)
  }
  await source.read(0, start)
  const superblock = SuperBlock.read(start, EROFS_SUPER_OFFSET)
  if (superblock.magic !== EROFS_SUPER_MAGIC) {
    const message = `the magic number is 0x${superblock.magic.toString(16)}`
    throw erofsFormatError('FORMAT_INVALID', 'erofs_super_block', message, EROFS_SUPER_OFFSET)
  }
  const { blkszbits, dirblkbits, featureIncompat, blocks } = superblock
  if (blkszbits < 9 || blkszbits > 16) {
    throw erofsFormatError('FORMAT_INVALID', 'blkszbits', `${blkszbits} bits are no block size`)
  }
  const unknown = featureIncompat & ~EROFS_FEATURE_INCOMPAT_KNOWN
  if (unknown !== 0 || dirblkbits !== 0) {
    const message = `0x${(unknown >>> 0).toString(16)} is not known, dirblkbits is ${dirblkbits}`
    throw erofsFormatError('FORMAT_UNSUPPORTED', 'feature_incompat', message)
  }
  const blockSize = 2 ** blkszbits
  if (blocks * blockSize > source.size) {
    const message = `it has ${blocks * blockSize} bytes, only ${source.size} are there`
    throw erofsFormatError('FORMAT_TRUNCATED', 'filesystem', message)
  }
  if (superblock.featureCompat & EROFS_FEATURE_COMPAT_SB_CHKSUM) {
    await verifyChecksum(source, superblock.checksum, blockSize)
  }
  return {
    uuid: uuidFromBytes(superblock.uuid),
    label: decodeLabel(superblock.volumeName),
    blockSize,
    blocks,
    inodes: superblock.inos,
    time: superblock.buildTime,
    timeNanoseconds: superblock.buildTimeNsec,
    composefs: ComposefsHeader.read(start).magic === LCFS_EROFS_MAGIC,
    rootNid: superblock.rootNid,
    metaStart: superblock.metaBlkaddr * blockSize,
    xattrStart: superblock.xattrBlkaddr * blockSize,
  }
}

async function verifyChecksum(source: ByteSource, expected: number, blockSize: number): Promise<void> {
  const length = blockSize > EROFS_SUPER_OFFSET ? blockSize - EROFS_SUPER_OFFSET : blockSize
  const bytes = new Uint8Array(Math.min(length, source.size - EROFS_SUPER_OFFSET))
  await source.read(EROFS_SUPER_OFFSET, bytes)
  if (superblockChecksum(bytes) === expected) return
  throw erofsFormatError('FORMAT_CHECKSUM', 'erofs_super_block', 'its checksum is wrong', EROFS_SUPER_OFFSET)
}

/** Bytes that are not UTF-8 are no label anyone gave. */
function decodeLabel(bytes: Uint8Array): string {
  const zero = bytes.indexOf(0)
  return decodeUtf8(zero < 0 ? bytes : bytes.subarray(0, zero)) ?? ''
}
