import {
  alignUp,
  type BlockDevice,
  BootableError,
  crc32,
  guidToBytes,
  type OperationOptions,
} from '@bootable/bytes'
import type { DiskErrorCode } from '../errors.ts'
import {
  ENTRY_COUNT,
  ENTRY_SIZE,
  GptEntry,
  GptHeader,
  HEADER_SIZE,
  MBR_RECORDS,
  MBR_SIGNATURE,
  MbrRecord,
  OS_TYPE_GPT_PROTECTIVE,
  REVISION,
  SIGNATURE,
} from './format.ts'
import { type GptLayout, gptLayout } from './layout.ts'
import type { Partition, PartitionTable } from './table.ts'

/**
 * Writes a GUID partition table: the backup at the end of the disk, the primary one, and last the
 * protective MBR, without which no firmware looks at the others.
 *
 * Boot code in the first 446 bytes of the disk stays as it is. Nothing else is touched.
 *
 * @throws BootableError `PARTITION_TABLE_INVALID` for partitions that overlap, leave the usable blocks or
 * do not fill whole sectors; `DEVICE_TOO_SMALL` for a device that is smaller than the table's disk
 */
export async function writeGpt(
  table: PartitionTable,
  device: BlockDevice,
  options: OperationOptions = {},
): Promise<void> {
  const { sectorSize } = table
  checkPartitionTable(table, device)
  const layout = layoutOf(table)
  const entries = encodeEntries(table, layout)

  options.signal?.throwIfAborted()
  const backup = new Uint8Array(entries.length + sectorSize)
  backup.set(entries)
  backup.set(encodeHeader(table, layout, entries, 'backup'), entries.length)
  await device.write(layout.backupEntriesLba * sectorSize, backup)

  options.signal?.throwIfAborted()
  const primary = new Uint8Array(sectorSize + entries.length)
  primary.set(encodeHeader(table, layout, entries, 'primary'))
  primary.set(entries, sectorSize)
  await device.write(sectorSize, primary)
  await device.write(MBR_RECORDS, encodeProtectiveMbr(layout))
}

/** @throws BootableError `PARTITION_TABLE_INVALID`, `DEVICE_TOO_SMALL` */
export function checkPartitionTable(table: PartitionTable, device: BlockDevice): void {
  const { size, sectorSize, partitions } = table
  if (device.size < size) {
    throw new BootableError<DiskErrorCode>(
      'DEVICE_TOO_SMALL',
      `the device has ${device.size} bytes, the disk is to have ${size}`,
      { details: { device: device.size, size } },
    )
  }
  const fail = (problem: string): never => {
    throw new BootableError<DiskErrorCode>('PARTITION_TABLE_INVALID', problem, {
      details: { size, sectorSize },
    })
  }
  if (sectorSize !== 512 && sectorSize !== 4096) fail(`sectors of ${sectorSize} bytes; they have 512 or 4096`)
  if (size % sectorSize !== 0) fail(`a disk of ${size} bytes is not made of whole ${sectorSize}-byte sectors`)
  const { firstUsableLba, lastUsableLba } = layoutOf(table)
  const numbers = new Set<number>()
  let end = firstUsableLba * sectorSize
  for (const partition of [...partitions].sort((a, b) => a.start - b.start)) {
    const name = `partition ${partition.number}`
    if (!Number.isInteger(partition.number) || partition.number < 1 || partition.number > ENTRY_COUNT) {
      fail(`${name}: the table has the numbers 1 to ${ENTRY_COUNT}`)
    }
    if (numbers.has(partition.number)) fail(`${name} is there twice`)
    numbers.add(partition.number)
    if (partition.start % sectorSize !== 0 || partition.size % sectorSize !== 0 || partition.size <= 0) {
      fail(`${name}: ${partition.size} bytes at ${partition.start} are not whole ${sectorSize}-byte sectors`)
    }
    if (partition.start < end) fail(`${name} starts at byte ${partition.start}, before ${end}, where it may`)
    end = partition.start + partition.size
    if (end > (lastUsableLba + 1) * sectorSize) {
      fail(`${name} ends at byte ${end}, past ${(lastUsableLba + 1) * sectorSize}, the end of what is usable`)
    }
    if (partition.label.length > 36)
      fail(`${name}: the label "${partition.label}" has more than 36 characters`)
    if (partition.attributes.some((bit) => !Number.isInteger(bit) || bit < 0 || bit > 63)) {
      fail(`${name}: attribute bits are numbered 0 to 63`)
    }
  }
}

function layoutOf({ size, sectorSize, partitions }: PartitionTable): GptLayout {
  return gptLayout(size, sectorSize, Math.min(...partitions.map(({ start }) => start)))
}

function encodeEntries(table: PartitionTable, layout: GptLayout): Uint8Array {
  const entries = new Uint8Array(layout.entryBlocks * table.sectorSize)
  for (const partition of table.partitions) {
    entries.set(encodeEntry(partition, table.sectorSize), (partition.number - 1) * ENTRY_SIZE)
  }
  return entries
}

function encodeEntry(partition: Partition, sectorSize: number): Uint8Array {
  const startingLba = partition.start / sectorSize
  return GptEntry.encode({
    partitionTypeGuid: guidToBytes(partition.type),
    uniquePartitionGuid: guidToBytes(partition.uuid),
    startingLba,
    endingLba: startingLba + partition.size / sectorSize - 1,
    attributes: partition.attributes.reduce((flags, bit) => flags | (1n << BigInt(bit)), 0n),
    partitionName: Array.from({ length: partition.label.length }, (_, index) =>
      partition.label.charCodeAt(index),
    ),
  })
}

function encodeHeader(
  table: PartitionTable,
  layout: GptLayout,
  entries: Uint8Array,
  copy: 'primary' | 'backup',
): Uint8Array {
  const isPrimary = copy === 'primary'
  const header = GptHeader.encode({
    signature: SIGNATURE,
    revision: REVISION,
    headerSize: HEADER_SIZE,
    myLba: isPrimary ? 1 : layout.backupHeaderLba,
    alternateLba: isPrimary ? layout.backupHeaderLba : 1,
    firstUsableLba: layout.firstUsableLba,
    lastUsableLba: layout.lastUsableLba,
    diskGuid: guidToBytes(table.uuid),
    partitionEntryLba: isPrimary ? 2 : layout.backupEntriesLba,
    numberOfPartitionEntries: ENTRY_COUNT,
    sizeOfPartitionEntry: ENTRY_SIZE,
    partitionEntryArrayCrc32: crc32(entries.subarray(0, ENTRY_COUNT * ENTRY_SIZE)),
  })
  GptHeader.write(header, 0, { headerCrc32: crc32(header) })
  const sector = new Uint8Array(alignUp(HEADER_SIZE, table.sectorSize))
  sector.set(header)
  return sector
}

/** The MBR from its first record on (UEFI 2.10, 5.2.3), byte for byte as sfdisk writes it. */
function encodeProtectiveMbr(layout: GptLayout): Uint8Array {
  const records = new Uint8Array(512 - MBR_RECORDS)
  MbrRecord.write(records, 0, {
    // Some old BIOSes want an active record; UEFI forbids it, and SeaBIOS boots without.
    bootIndicator: 0,
    startingChs: Uint8Array.of(0x00, 0x02, 0x00),
    osType: OS_TYPE_GPT_PROTECTIVE,
    endingChs: Uint8Array.of(0xff, 0xff, 0xff),
    startingLba: 1,
    sizeInLba: Math.min(layout.blocks - 1, 0xffff_ffff),
  })
  records.set([0x55, 0xaa], MBR_SIGNATURE - MBR_RECORDS)
  return records
}
