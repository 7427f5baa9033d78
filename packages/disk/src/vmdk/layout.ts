import { alignUp } from '@bootable/bytes'
import { BLOCK_SIZE } from '../blocks/runs.ts'
import { ENTRIES_PER_TABLE, ENTRY_SIZE, SECTOR } from './format.ts'

/** What we write, as QEMU does: grains of 64 KiB. */
export const GRAIN_SECTORS = BLOCK_SIZE / SECTOR

export const DESCRIPTOR_OFFSET = 1
export const DESCRIPTOR_SECTORS = 20

/** Sectors of a grain table. */
export const TABLE_SECTORS = (ENTRIES_PER_TABLE * ENTRY_SIZE) / SECTOR

/** Where the parts of a vmdk stand, in sectors. */
export interface VmdkLayout {
  /** Sectors of the disk. */
  readonly capacity: number
  /** Grain tables; each maps 32 MiB. */
  readonly tables: number
  /** Sectors of a grain directory. */
  readonly directorySectors: number
  /** Directories. Behind each follow its own grain tables. */
  readonly redundantDirectory: number
  readonly directory: number
  /** First sector of the grains. */
  readonly overHead: number
}

/** The positions that `qemu-img` gives to a disk of `size` bytes. */
export function layoutVmdk(size: number): VmdkLayout {
  const capacity = Math.ceil(size / SECTOR)
  const tables = Math.ceil(Math.ceil(capacity / GRAIN_SECTORS) / ENTRIES_PER_TABLE)
  const directorySectors = Math.ceil((tables * ENTRY_SIZE) / SECTOR)
  const redundantDirectory = DESCRIPTOR_OFFSET + DESCRIPTOR_SECTORS
  const copySectors = directorySectors + tables * TABLE_SECTORS
  const directory = redundantDirectory + copySectors
  const overHead = alignUp(directory + copySectors, GRAIN_SECTORS)
  return { capacity, tables, directorySectors, redundantDirectory, directory, overHead }
}

/** First sector of a grain table that belongs to the directory at sector `directory`. */
export function tableSector(layout: VmdkLayout, directory: number, table: number): number {
  return directory + layout.directorySectors + table * TABLE_SECTORS
}
