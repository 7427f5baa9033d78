import {
  type ByteSource,
  FormatError,
  type FormatErrorCode,
  type OperationOptions,
  type StructValue,
} from '@bootable/bytes'
import type { Partition, PartitionTable } from '../gpt/table.ts'
import { ACTIVE, EXTENDED_TYPES, MBR_RECORDS, MbrHead, MbrRecord, RECORD_COUNT } from './format.ts'

type Row = StructValue<typeof MbrRecord.fields>

/** Longer chains are refused: Linux itself numbers no more partitions of a disk than these. */
const MAX_PARTITIONS = 256

/** Options of {@link readMbr}. */
export interface ReadMbrOptions extends OperationOptions {
  /** Bytes of a sector, which a DOS table does not say. @defaultValue 512 */
  readonly sectorSize?: 512 | 4096
}

/**
 * Reads a DOS partition table, with the logical partitions of extended ones, which are numbered from 5.
 * Extended partitions themselves are left out: nothing but others is in them.
 *
 * @throws FormatError; `FORMAT_INVALID` also for the protective MBR of a GPT
 */
export async function readMbr(source: ByteSource, options: ReadMbrOptions = {}): Promise<PartitionTable> {
  const { sectorSize = 512 } = options
  const sector = await readSector(source, 0)
  const { diskSignature } = MbrHead.read(sector)
  const uuid = diskSignature.toString(16).padStart(8, '0')
  const partition = (number: number, row: Row, base: number): Partition =>
    decodePartition(row, { number, uuid, base, sectorSize, limit: source.size })

  const rows = recordsOf(sector)
  if (rows.some(({ osType }) => osType === 0xee)) {
    throw mbrError('FORMAT_INVALID', 'partition record', MBR_RECORDS, 'it is the protective MBR of a GPT')
  }
  const partitions: Partition[] = []
  for (const [index, row] of rows.entries()) {
    if (row.sizeInLba === 0) continue
    const found = partition(index + 1, row, 0)
    if (!EXTENDED_TYPES.includes(found.type)) partitions.push(found)
  }
  const extended = rows.find(({ osType, sizeInLba }) => sizeInLba > 0 && isExtended(osType))
  if (extended) {
    const links = chainOf(source, extended.startingLba, sectorSize, options.signal)
    let number = RECORD_COUNT + 1
    for await (const { row, base } of links) partitions.push(partition(number++, row, base))
  }
  checkOverlap(partitions)
  return { type: 'dos', uuid, size: source.size, sectorSize, partitions }
}

/** The logical partitions of an extended one: each table has one of them, and the place of the next. */
async function* chainOf(
  source: ByteSource,
  first: number,
  sectorSize: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<{ row: Row; base: number }> {
  const seen = new Set<number>()
  let lba: number | undefined = first
  while (lba !== undefined) {
    signal?.throwIfAborted()
    const at = lba * sectorSize
    if (seen.has(lba) || seen.size >= MAX_PARTITIONS) {
      throw mbrError('FORMAT_INVALID', 'extended partition', at, 'its tables are a loop, or far too many')
    }
    seen.add(lba)
    const rows = recordsOf(await readSector(source, at))
    for (const row of rows) if (row.sizeInLba > 0 && !isExtended(row.osType)) yield { row, base: lba }
    const next: Row | undefined = rows.find(({ osType, sizeInLba }) => sizeInLba > 0 && isExtended(osType))
    // Links count from the extended partition, places from the table that they stand in.
    lba = next && first + next.startingLba
  }
}

async function readSector(source: ByteSource, offset: number): Promise<Uint8Array> {
  if (offset + 512 > source.size) {
    throw mbrError('FORMAT_TRUNCATED', 'MBR', offset, `the disk ends at ${source.size}`)
  }
  const sector = new Uint8Array(512)
  await source.read(offset, sector)
  if (MbrHead.read(sector).signature !== 0xaa55) {
    throw mbrError('FORMAT_INVALID', 'signature', offset + 510, 'there is no 55 AA')
  }
  return sector
}

function recordsOf(sector: Uint8Array): Row[] {
  return Array.from({ length: RECORD_COUNT }, (_, index) =>
    MbrRecord.read(sector, MBR_RECORDS + index * MbrRecord.size),
  )
}

function isExtended(osType: number): boolean {
  return EXTENDED_TYPES.includes(hex(osType))
}

function decodePartition(
  { bootIndicator, osType, startingLba, sizeInLba }: Row,
  at: { number: number; uuid: string; base: number; sectorSize: number; limit: number },
): Partition {
  const { number, uuid, base, sectorSize, limit } = at
  const start = (base + startingLba) * sectorSize
  const size = sizeInLba * sectorSize
  const name = `partition ${number}`
  if (bootIndicator !== 0 && bootIndicator !== ACTIVE) {
    // A FAT boot sector has the same signature; what it has here is code.
    throw mbrError('FORMAT_INVALID', name, MBR_RECORDS, `a boot indicator of ${hex(bootIndicator)}`)
  }
  if (base + startingLba === 0) throw mbrError('FORMAT_INVALID', name, MBR_RECORDS, 'it starts at sector 0')
  if (start + size > limit) {
    throw mbrError('FORMAT_TRUNCATED', name, MBR_RECORDS, `it ends at ${start + size}, the disk at ${limit}`)
  }
  return {
    number,
    type: hex(osType),
    uuid: `${uuid}-${String(number).padStart(2, '0')}`,
    label: '',
    start,
    size,
    attributes: bootIndicator === ACTIVE ? [7] : [],
  }
}

function checkOverlap(partitions: readonly Partition[]): void {
  const byStart = [...partitions].sort((a, b) => a.start - b.start)
  for (const [index, partition] of byStart.entries()) {
    const next = byStart[index + 1]
    if (next && next.start < partition.start + partition.size) {
      const text = `it overlaps partition ${partition.number}`
      throw mbrError('FORMAT_INVALID', `partition ${next.number}`, MBR_RECORDS, text)
    }
  }
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0')
}

function mbrError(code: FormatErrorCode, structure: string, offset: number, message: string): FormatError {
  return new FormatError(code, { format: 'dos', structure, offset }, message)
}
