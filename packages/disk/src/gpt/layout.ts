import { alignDown, alignUp, MiB } from '@bootable/bytes'
import { ENTRY_COUNT, ENTRY_SIZE } from './format.ts'

/** Every partition of ours starts and ends at a multiple of this. */
export const GRAIN = MiB

/** Where the parts of a GPT lie, in logical blocks. */
export interface GptLayout {
  /** Blocks of the disk. */
  readonly blocks: number
  /** Blocks of the array of entries. */
  readonly entryBlocks: number
  /**
   * 1 MiB, as sfdisk writes it, rather than the least that is possible: a tool that adds a partition
   * later then keeps the grain. Less where a partition starts before.
   */
  readonly firstUsableLba: number
  readonly lastUsableLba: number
  readonly backupEntriesLba: number
  readonly backupHeaderLba: number
}

/**
 * @param size bytes of the disk
 * @param sectorSize bytes of a logical block
 * @param first where the first partition starts, in bytes
 */
export function gptLayout(size: number, sectorSize: number, first = GRAIN): GptLayout {
  const blocks = Math.floor(size / sectorSize)
  const entryBlocks = Math.ceil((ENTRY_COUNT * ENTRY_SIZE) / sectorSize)
  return {
    blocks,
    entryBlocks,
    firstUsableLba: Math.max(2 + entryBlocks, Math.floor(Math.min(GRAIN, first) / sectorSize)),
    lastUsableLba: blocks - 2 - entryBlocks,
    backupEntriesLba: blocks - 1 - entryBlocks,
    backupHeaderLba: blocks - 1,
  }
}

/**
 * The bytes in which whole-grain partitions fit on a disk of `size` bytes: `start` of the first one and
 * `end` of the last. `end` is below `start` on a disk that is too small for any.
 */
export function usableBytes(size: number, sectorSize: number): { start: number; end: number } {
  const { firstUsableLba, lastUsableLba } = gptLayout(size, sectorSize)
  return {
    start: alignUp(firstUsableLba * sectorSize, GRAIN),
    end: alignDown((lastUsableLba + 1) * sectorSize, GRAIN),
  }
}
