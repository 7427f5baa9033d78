import { type BlockDevice, BootableError, formatSize } from '@bootable/bytes'
import type { BootCode } from '@bootable/system'
import type { DiskErrorCode } from '../errors.ts'
import type { Partition, PartitionTable } from '../gpt/table.ts'
import { PARTITION_TYPES } from '../gpt/types.ts'

/** Sectors as a BIOS counts them. */
const SECTOR = 512

/**
 * The partition that takes the boot code of a BIOS.
 * @throws BootableError `BOOT_CODE_WITHOUT_PLACE`, `BOOT_CODE_TOO_LARGE`
 */
export function placeBootCode({ partitions, sectorSize }: PartitionTable, { size }: BootCode): Partition {
  if (sectorSize !== SECTOR) {
    throw withoutPlace(`no BIOS starts from a disk with sectors of ${sectorSize} bytes`, { sectorSize })
  }
  const partition = partitions.find(({ type }) => type === PARTITION_TYPES.biosBoot)
  if (!partition) throw withoutPlace('the disk has no BIOS boot partition for the boot code', {})
  if (size <= partition.size) return partition
  throw new BootableError<DiskErrorCode>(
    'BOOT_CODE_TOO_LARGE',
    `the boot code has ${size} bytes (${formatSize(size)}), its partition ${partition.size} (${formatSize(partition.size)})`,
    {
      details: { size, limit: partition.size, partition: partition.number },
      hint: 'make the BIOS boot partition larger; 1 MiB is customary',
    },
  )
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
  { start }: Partition,
  bootCode: BootCode,
): Promise<void> {
  const { bootSector, image } = bootCode.place(start / SECTOR)
  await device.write(start, image)
  await device.write(0, bootSector)
}
