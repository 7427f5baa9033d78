import type { OperationOptions, Uuid } from '@bootable/bytes'
import { seededBytes, utf8, uuidToBytes } from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import { ext4Error } from './errors.ts'

/** What decides how much room a filesystem needs. Everything else changes no size. */
export interface Ext4SizeOptions {
  /** Bytes of a block: 1024, 2048 or 4096. @defaultValue 4096 */
  readonly blockSize?: number
  /**
   * Inodes of the filesystem, rounded up to fill their tables.
   * @defaultValue one for every `inodeRatio` bytes, or a few more than the tree has
   */
  readonly inodeCount?: number
  /** Bytes of the device for each inode. @defaultValue as mke2fs: 4096 below 512 MiB, 16384 below 4 TiB … */
  readonly inodeRatio?: number
  /**
   * Blocks of the journal, 0 for none.
   * @defaultValue as mke2fs chooses by size, less where the tree would not fit otherwise, but at least 1024
   */
  readonly journalBlocks?: number
}

/** Options of `writeExt4`. */
export interface WriteExt4Options extends Ext4SizeOptions, OperationOptions {
  /** The uuid by which the filesystem is found. */
  readonly uuid: Uuid
  /** At most 16 bytes. @defaultValue none */
  readonly label?: string
  /** The key under which names of large directories are hashed. @defaultValue derived from `uuid` */
  readonly hashSeed?: Uuid
  /** When the filesystem was made, in seconds since 1970. @defaultValue the time of the tree's root */
  readonly time?: number
  /** Part of the blocks that only root may use, 0 to 50. @defaultValue 5 */
  readonly reservedPercent?: number
  readonly features?: {
    /** Allows files to be sealed with fs-verity (composefs needs it). @defaultValue false */
    readonly verity?: boolean
  }
}

/** Size options, checked and complete but for what depends on the device. */
export interface Ext4Sizes {
  readonly blockSize: number
  readonly inodeCount: number | undefined
  readonly inodeRatio: number | undefined
  readonly journalBlocks: number | undefined
}

/** Everything that stands in the superblock, as bytes. */
export interface Ext4Identity {
  readonly uuid: Uint8Array
  readonly label: Uint8Array
  readonly hashSeed: Uint8Array
  readonly time: number
  readonly reservedPercent: number
  readonly verity: boolean
}

function invalid(option: string, value: unknown, expected: string): never {
  throw ext4Error('EXT4_OPTION_INVALID', `${option} ${JSON.stringify(value)}: ${expected}`, {
    details: { option, value },
  })
}

/** @throws BootableError `EXT4_OPTION_INVALID` */
export function checkSizes(options: Ext4SizeOptions): Ext4Sizes {
  const { blockSize = 4096, inodeCount, inodeRatio, journalBlocks } = options
  if (![1024, 2048, 4096].includes(blockSize)) invalid('blockSize', blockSize, 'must be 1024, 2048 or 4096')
  for (const [name, value, least] of [
    ['inodeCount', inodeCount, 1],
    ['inodeRatio', inodeRatio, 1024],
  ] as const) {
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= least)) {
      invalid(name, value, `must be a whole number from ${least}`)
    }
  }
  // `JBD2_MIN_JOURNAL_BLOCKS`; above 10 240 000 blocks mke2fs refuses as well.
  const isJournal = journalBlocks === undefined || journalBlocks === 0
  if (
    !isJournal &&
    !(Number.isInteger(journalBlocks) && journalBlocks >= 1024 && journalBlocks <= 10_240_000)
  ) {
    invalid('journalBlocks', journalBlocks, 'must be 0, or 1024 to 10240000')
  }
  return { blockSize, inodeCount, inodeRatio, journalBlocks }
}

/** @throws BootableError `EXT4_OPTION_INVALID` */
export function checkIdentity(tree: FileTree, options: WriteExt4Options): Ext4Identity {
  const { label = '', reservedPercent = 5 } = options
  const time = options.time ?? Math.min(Math.max(tree.root.mtime.seconds, 0), 2 ** 40 - 1)
  if (!Number.isInteger(time) || time < 0 || time >= 2 ** 40)
    invalid('time', time, 'must be whole seconds since 1970')
  if (!(reservedPercent >= 0 && reservedPercent <= 50)) {
    invalid('reservedPercent', reservedPercent, 'must be 0 to 50')
  }
  const labelBytes = utf8(label)
  if (labelBytes.length > 16)
    invalid('label', label, `must have at most 16 bytes, and has ${labelBytes.length}`)
  const uuid = toBytes('uuid', options.uuid)
  return {
    uuid,
    label: labelBytes,
    hashSeed:
      options.hashSeed === undefined
        ? seededBytes(options.uuid.toLowerCase(), 'ext4 hash seed', 16)
        : toBytes('hashSeed', options.hashSeed),
    time,
    reservedPercent,
    verity: options.features?.verity ?? false,
  }
}

function toBytes(option: string, uuid: Uuid): Uint8Array {
  try {
    return uuidToBytes(uuid)
  } catch {
    return invalid(option, uuid, 'must be a uuid')
  }
}
