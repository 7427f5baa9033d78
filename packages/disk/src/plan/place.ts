import { alignDown, alignUp, MiB } from '@bootable/bytes'
import type { Problems } from '../errors.ts'
import { ENTRY_COUNT, ENTRY_SIZE } from '../gpt/format.ts'
import { type DiskTable, holdsRoot, type TableEntry } from './table.ts'

/** Where a partition lies, in bytes. */
export interface Place {
  readonly start: number
  readonly size: number
}

/**
 * Puts partitions of these sizes one behind the other, from the first grain behind the table's own sectors.
 *
 * @param sizes bytes, one an entry; rounded up to whole grains
 */
export function placeEntries(table: DiskTable, sizes: readonly number[], problems: Problems): Place[] {
  let position = firstByte(table)
  return table.entries.map((entry, index) => {
    // Where the first one is said to start, it starts.
    const next = index === 0 ? position : alignUp(position, table.grain)
    const { start = next, key } = entry
    if (start < position) {
      problems.report(key, `it starts at byte ${start}, before ${position}, where it may`)
    }
    const size = alignUp(Math.max(sizes[index] as number, 1), table.grain)
    position = Math.max(start, position) + size
    return { start, size }
  })
}

/** Whether a partition takes what is left: that of the root does, where it is the last. */
export function grows({ entries, growRoot }: DiskTable, entry: TableEntry): boolean {
  return growRoot && holdsRoot(entry.content) && entry === entries[entries.length - 1]
}

/** Bytes of the smallest disk, in whole MiB, that has room for partitions up to `end`. */
export function diskSize(table: DiskTable, end: number): number {
  return alignUp(alignUp(end, table.grain) + footerSize(table), MiB)
}

/**
 * Where partitions of a disk end at the latest. It is rounded down to whole grains, as the newer image-builder
 * does, so that the root is made of whole blocks; bootc-image-builder itself gives it 1 MiB less 17 KiB more.
 */
export function lastByte(table: DiskTable, size: number): number {
  return alignDown(size - footerSize(table), table.grain)
}

function firstByte(table: DiskTable): number {
  const { startOffset, grain } = table
  if (!startOffset.absolute) return alignUp(headerSize(table) + startOffset.bytes, grain)
  return Math.max(startOffset.bytes, headerSize(table))
}

/** MBR, GPT header and entries; of a DOS table the MBR alone. */
function headerSize({ type, sectorSize }: DiskTable): number {
  return type === 'dos' ? sectorSize : 2 * sectorSize + entriesSize(sectorSize)
}

/** The second GPT, and what is to stay free in front of it. */
function footerSize({ type, sectorSize, padding }: DiskTable): number {
  return padding + (type === 'dos' ? 0 : sectorSize + entriesSize(sectorSize))
}

function entriesSize(sectorSize: number): number {
  return alignUp(ENTRY_COUNT * ENTRY_SIZE, sectorSize)
}
