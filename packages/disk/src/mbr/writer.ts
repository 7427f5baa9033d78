import { type BlockDevice, BootableError, type OperationOptions } from '@bootable/bytes'
import type { DiskErrorCode } from '../errors.ts'
import type { Partition, PartitionTable } from '../gpt/table.ts'
import { ACTIVE, MBR_RECORDS, MbrHead, MbrRecord, RECORD_COUNT } from './format.ts'

/** Geometry that every tool of today pretends: sectors of 512 bytes, 63 a track, 255 heads. */
const SECTORS_PER_TRACK = 63
const HEADS = 255
const CYLINDERS = 1024

/**
 * Writes a DOS partition table of primary partitions: the disk's serial number, four records and the
 * signature. Boot code in the first 440 bytes stays as it is. Nothing else is touched.
 *
 * @throws BootableError `PARTITION_TABLE_INVALID`, `DEVICE_TOO_SMALL`
 */
export async function writeMbr(
  table: PartitionTable,
  device: BlockDevice,
  options: OperationOptions = {},
): Promise<void> {
  options.signal?.throwIfAborted()
  checkMbr(table, device)
  const sector = new Uint8Array(512)
  MbrHead.write(sector, 0, { diskSignature: Number.parseInt(table.uuid, 16), signature: 0xaa55 })
  for (const partition of table.partitions) {
    const record = encodeRecord(partition, table.sectorSize)
    sector.set(record, MBR_RECORDS + (partition.number - 1) * MbrRecord.size)
  }
  const { diskSignature } = MbrHead.fields
  await device.write(diskSignature.offset, sector.subarray(diskSignature.offset))
}

/** @throws BootableError `PARTITION_TABLE_INVALID`, `DEVICE_TOO_SMALL` */
export function checkMbr(table: PartitionTable, device: BlockDevice): void {
  const { size, sectorSize, partitions, uuid } = table
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
  if (!/^[0-9a-f]{8}$/.test(uuid)) fail(`the serial number "${uuid}" is not eight hexadecimal digits`)
  const numbers = new Set<number>()
  let end = sectorSize
  for (const partition of [...partitions].sort((a, b) => a.start - b.start)) {
    const { number, start, type, attributes, label } = partition
    const name = `partition ${number}`
    if (!Number.isInteger(number) || number < 1 || number > RECORD_COUNT) {
      fail(`${name}: the table has the numbers 1 to ${RECORD_COUNT}`)
    }
    if (numbers.has(number)) fail(`${name} is there twice`)
    numbers.add(number)
    if (start % sectorSize !== 0 || partition.size % sectorSize !== 0 || partition.size <= 0) {
      fail(`${name}: ${partition.size} bytes at ${start} are not whole ${sectorSize}-byte sectors`)
    }
    if (start < end) fail(`${name} starts at byte ${start}, before ${end}, where it may`)
    end = start + partition.size
    if (end > size) fail(`${name} ends at byte ${end}, past ${size}, the end of the disk`)
    if (end / sectorSize > 2 ** 32) fail(`${name} ends past sector ${2 ** 32}, which a DOS table cannot say`)
    if (!/^[0-9a-f]{2}$/.test(type)) fail(`${name}: "${type}" is not two hexadecimal digits`)
    if (attributes.some((bit) => bit !== 7))
      fail(`${name}: the only attribute is 7, for the active partition`)
    if (label !== '') fail(`${name}: a DOS table has no labels`)
  }
  if (partitions.filter(isActive).length > 1) fail('more than one partition is active')
}

function isActive({ attributes }: Partition): boolean {
  return attributes.includes(7)
}

function encodeRecord(partition: Partition, sectorSize: number): Uint8Array {
  const startingLba = partition.start / sectorSize
  const sizeInLba = partition.size / sectorSize
  return MbrRecord.encode({
    bootIndicator: isActive(partition) ? ACTIVE : 0,
    startingChs: encodeChs(startingLba),
    osType: Number.parseInt(partition.type, 16),
    endingChs: encodeChs(startingLba + sizeInLba - 1),
    startingLba,
    sizeInLba,
  })
}

/** Head, sector and cylinder of a sector; FE FF FF where they have no place, as sfdisk writes it. */
function encodeChs(lba: number): Uint8Array {
  const cylinder = Math.floor(lba / (SECTORS_PER_TRACK * HEADS))
  if (cylinder >= CYLINDERS) return Uint8Array.of(0xfe, 0xff, 0xff)
  const head = Math.floor(lba / SECTORS_PER_TRACK) % HEADS
  const sector = (lba % SECTORS_PER_TRACK) + 1
  return Uint8Array.of(head, sector | ((cylinder >> 2) & 0xc0), cylinder & 0xff)
}
