import type { ByteSource, Uuid } from '@bootable/bytes'
import { decodeUtf8, uuidFromBytes } from '@bootable/bytes'
import { blockChecksum } from './checksum.ts'
import { btrfsFormatError } from './errors.ts'
import { featureNames, unreadableFeatures } from './features.ts'
import * as btrfs from './format.ts'

/** What the superblock of a btrfs filesystem says. */
export interface BtrfsSuperblock {
  readonly uuid: Uuid
  readonly label: string
  /** Names of the features as `/sys/fs/btrfs/features` spells them; unknown ones as `feature_i40`. */
  readonly features: readonly string[]
  /** Bytes of the filesystem. */
  readonly size: number
  /** Bytes in use by contents and trees, copies not counted. */
  readonly bytesUsed: number
  /** Bytes of a tree block. */
  readonly nodeSize: number
  readonly sectorSize: number
  /** Number of the last transaction. */
  readonly generation: number
  /** Whether no log tree is waiting. Otherwise it holds what was written after the last transaction. */
  readonly clean: boolean
}

/** Where a tree starts. */
export interface TreeRoot {
  /** Logical address of its root block. */
  readonly address: number
  readonly level: number
  readonly generation: number
}

/** What the reader needs of the superblock besides {@link BtrfsSuperblock}. */
export interface SuperblockDetails extends BtrfsSuperblock {
  /** The uuid that tree blocks carry. */
  readonly fsid: Uint8Array
  readonly root: TreeRoot
  readonly chunkRoot: TreeRoot
  /** Keys and chunks of the system block groups, one after the other. */
  readonly systemChunks: Uint8Array
}

/**
 * Reads the primary superblock of a btrfs filesystem: 4 KiB at 64 KiB, and nothing else.
 * @throws FormatError
 */
export async function readBtrfsSuperblock(source: ByteSource): Promise<BtrfsSuperblock> {
  const { fsid, root, chunkRoot, systemChunks, ...facts } = await readSuperblock(source)
  return facts
}

/** Reads and checks the superblock, so that all arithmetic with it is safe. @throws FormatError */
export async function readSuperblock(source: ByteSource): Promise<SuperblockDetails> {
  const [offset] = btrfs.SUPERBLOCK_OFFSETS
  const bytes = new Uint8Array(btrfs.BTRFS_SUPER_INFO_SIZE)
  await source.read(offset, bytes)
  type Name = keyof typeof btrfs.SuperBlock.fields
  const check = (isGood: boolean, field: Name, message: string): void => {
    if (isGood) return
    const place = offset + btrfs.SuperBlock.fields[field].offset
    throw btrfsFormatError('FORMAT_INVALID', `btrfs_super_block.${field}`, message, place)
  }
  const unsupported = (isGood: boolean, field: Name, message: string): void => {
    if (isGood) return
    throw btrfsFormatError('FORMAT_UNSUPPORTED', `btrfs_super_block.${field}`, message, offset)
  }
  // The magic comes first: other bytes may mean anything, also sizes that no number holds.
  const magic = btrfs.SuperBlock.at(bytes).magic
  check(magic === btrfs.BTRFS_MAGIC, 'magic', `${JSON.stringify(magic)} is not ${btrfs.BTRFS_MAGIC}`)
  const raw = btrfs.SuperBlock.read(bytes)
  unsupported(
    raw.csumType === btrfs.BTRFS_CSUM_TYPE_CRC32,
    'csumType',
    `checksums of type ${raw.csumType}; only crc32c is read`,
  )
  if (blockChecksum(bytes) !== raw.csum) {
    throw btrfsFormatError('FORMAT_CHECKSUM', 'btrfs_super_block', 'its checksum is wrong', offset)
  }
  check(raw.bytenr === offset, 'bytenr', `it is ${raw.bytenr}`)
  const { nodesize, sectorsize } = raw
  check(
    isPower(sectorsize) && sectorsize >= 4096 && sectorsize <= 65_536,
    'sectorsize',
    `${sectorsize} bytes`,
  )
  const isNodeSize = isPower(nodesize) && nodesize >= sectorsize && nodesize <= 65_536
  check(isNodeSize, 'nodesize', `${nodesize} bytes`)
  check(raw.sysChunkArraySize <= raw.sysChunkArray.length, 'sysChunkArraySize', `${raw.sysChunkArraySize}`)
  check(raw.rootLevel < btrfs.BTRFS_MAX_LEVEL, 'rootLevel', `${raw.rootLevel}`)
  check(raw.chunkRootLevel < btrfs.BTRFS_MAX_LEVEL, 'chunkRootLevel', `${raw.chunkRootLevel}`)
  check(raw.bytesUsed <= raw.totalBytes, 'bytesUsed', `${raw.bytesUsed} of ${raw.totalBytes}`)
  unsupported(raw.numDevices === 1, 'numDevices', `it lies on ${raw.numDevices} devices`)
  const unreadable = unreadableFeatures(raw.incompatFlags)
  unsupported(unreadable.length === 0, 'incompatFlags', `it has the features ${unreadable.join(', ')}`)

  const hasMetadataUuid = (raw.incompatFlags & btrfs.BTRFS_FEATURE_INCOMPAT_METADATA_UUID) !== 0n
  const labelEnd = raw.label.indexOf(0)
  const label = raw.label.subarray(0, labelEnd < 0 ? undefined : labelEnd)
  return {
    uuid: uuidFromBytes(raw.fsid),
    label: decodeUtf8(label) ?? String.fromCharCode(...label),
    features: featureNames(raw.incompatFlags, raw.compatRoFlags),
    size: raw.totalBytes,
    bytesUsed: raw.bytesUsed,
    nodeSize: nodesize,
    sectorSize: sectorsize,
    generation: raw.generation,
    clean: raw.logRoot === 0,
    fsid: hasMetadataUuid ? raw.metadataUuid : raw.fsid,
    root: { address: raw.root, level: raw.rootLevel, generation: raw.generation },
    chunkRoot: {
      address: raw.chunkRoot,
      level: raw.chunkRootLevel,
      generation: raw.chunkRootGeneration,
    },
    systemChunks: raw.sysChunkArray.subarray(0, raw.sysChunkArraySize),
  }
}

function isPower(value: number): boolean {
  return value > 0 && Number.isInteger(Math.log2(value))
}
