import { type BlockDevice, BootableError, formatSize } from '@bootable/bytes'
import type { BootCode } from '@bootable/system'
import type { DiskErrorCode } from '../errors.ts'
import type { PartitionTable } from '../gpt/table.ts'
import { PARTITION_TYPES } from '../gpt/types.ts'

/** Sectors as a BIOS counts them. */
const SECTOR = 512

/** The bytes of a disk that take the boot code of a BIOS. */
export interface BootCodePlace {
  readonly start: number
  readonly size: number
  /** Number of the partition, where they are in one. */
  readonly partition?: number
}

/**
 * Where the boot code of a BIOS goes: into the BIOS boot partition of a GPT; on a DOS table into the sectors
 * between the first one and the first partition, where nothing else is as long as partitions start at 1 MiB
 * (GRUB's manual, "BIOS installation").
 *
 * @throws BootableError `BOOT_CODE_WITHOUT_PLACE`, `BOOT_CODE_TOO_LARGE`
 */
export function placeBootCode(table: PartitionTable, { size }: BootCode): BootCodePlace {
  const { sectorSize } = table
  if (sectorSize !== SECTOR) {
    throw withoutPlace(`no BIOS starts from a disk with sectors of ${sectorSize} bytes`, { sectorSize })
  }
  const place = table.type === 'dos' ? gapOf(table) : biosBootOf(table)
  if (size <= place.size) return place
  const { partition } = place
  const what = table.type === 'dos' ? 'the gap in front of the first partition' : 'its partition'
  const hint =
    table.type === 'dos'
      ? 'start the first partition at 1 MiB, as is customary'
      : 'make the BIOS boot partition larger; 1 MiB is customary'
  throw new BootableError<DiskErrorCode>(
    'BOOT_CODE_TOO_LARGE',
    `the boot code has ${size} bytes (${formatSize(size)}), ${what} ${place.size} (${formatSize(place.size)})`,
    { details: { size, limit: place.size, ...(partition !== undefined && { partition }) }, hint },
  )
}

function biosBootOf({ partitions }: PartitionTable): BootCodePlace {
  const partition = partitions.find(({ type }) => type === PARTITION_TYPES.biosBoot)
  if (!partition) throw withoutPlace('the disk has no BIOS boot partition for the boot code', {})
  return { start: partition.start, size: partition.size, partition: partition.number }
}

function gapOf({ partitions, size }: PartitionTable): BootCodePlace {
  const end = Math.min(size, ...partitions.map(({ start }) => start))
  return { start: SECTOR, size: Math.max(0, end - SECTOR) }
}

function withoutPlace(
  message: string,
  details: Readonly<Record<string, unknown>>,
): BootableError<DiskErrorCode> {
  return new BootableError('BOOT_CODE_WITHOUT_PLACE', message, {
    details,
    hint: 'leave out the boot loader for a BIOS (--firmware uefi)',
  })
}

/** Signature and records behind the code of the first sector are those of the partition table. */
export async function writeBootCode(
  device: BlockDevice,
  { start }: BootCodePlace,
  bootCode: BootCode,
): Promise<void> {
  const { bootSector, image } = bootCode.place(start / SECTOR)
  await device.write(start, image)
  await device.write(0, bootSector)
}
