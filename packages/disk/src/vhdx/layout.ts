import { alignUp, GiB, MiB, TiB } from '@bootable/bytes'
import { BAT_ENTRY_SIZE, HEADER_SECTION_SIZE, SECTORS_PER_BITMAP } from './format.ts'

/** Where the parts of a vhdx stand, in bytes. */
export interface VhdxLayout {
  /** Bytes of a payload block. */
  readonly blockSize: number
  readonly blocks: number
  readonly log: number
  readonly bat: number
  readonly batLength: number
  readonly metadata: number
  /** The first payload block. */
  readonly payload: number
}

export const LOG_LENGTH = MiB
export const METADATA_LENGTH = MiB
/** What QEMU leaves between the block allocation table and the payload, metadata included. */
const PAYLOAD_GAP = 5 * MiB

/** The positions that `qemu-img` gives to a disk of `size` bytes. */
export function layoutVhdx(size: number, sectorSize: number): VhdxLayout {
  const blockSize = chooseBlockSize(size)
  const blocks = Math.ceil(size / blockSize)
  const entries = blocks === 0 ? 0 : batIndex(blocks - 1, blockSize, sectorSize) + 1
  const log = HEADER_SECTION_SIZE
  const bat = log + LOG_LENGTH
  const batLength = alignUp(entries * BAT_ENTRY_SIZE, MiB)
  return {
    blockSize,
    blocks,
    log,
    bat,
    batLength,
    metadata: bat + batLength,
    payload: bat + batLength + PAYLOAD_GAP,
  }
}

/** QEMU's choice, which keeps the table short: 8 MiB, and more the larger the disk is. */
function chooseBlockSize(size: number): number {
  if (size > 32 * TiB) return 64 * MiB
  if (size > 100 * GiB) return 32 * MiB
  return size > GiB ? 16 * MiB : 8 * MiB
}

/**
 * Position of a payload block in the block allocation table ([MS-VHDX] 2.5): after every chunk of them
 * stands the entry of the sector bitmap block that describes them, which only differencing disks use.
 */
export function batIndex(block: number, blockSize: number, sectorSize: number): number {
  return block + Math.floor(block / ((SECTORS_PER_BITMAP * sectorSize) / blockSize))
}
