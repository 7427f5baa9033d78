import {
  type ByteSource,
  crc32,
  FormatError,
  type FormatErrorCode,
  guidFromBytes,
  MiB,
  type OperationOptions,
  type StructValue,
} from '@bootable/bytes'
import {
  GptEntry,
  GptHeader,
  HEADER_SIZE,
  MBR_RECORDS,
  MBR_SIGNATURE,
  MbrRecord,
  OS_TYPE_GPT_PROTECTIVE,
  SIGNATURE,
} from './format.ts'
import type { Partition, PartitionTable } from './table.ts'

/** A table as it was found. */
export interface GptReadResult extends PartitionTable {
  /** `backup`: the primary table was damaged. */
  readonly copy: 'primary' | 'backup'
}

type Header = StructValue<typeof GptHeader.fields>

/** Larger arrays of entries are refused: 8192 partitions are nobody's disk. */
const MAX_ENTRY_BYTES = MiB

const SECTOR_SIZES = [512, 4096] as const

/**
 * Reads a GUID partition table; the sector size is the one at which a header is found.
 *
 * Checksums are verified. A damaged primary table is replaced by the backup in the last sector.
 *
 * @throws FormatError of the primary table, when the backup is no better
 */
export async function readGpt(source: ByteSource, options: OperationOptions = {}): Promise<GptReadResult> {
  await checkProtectiveMbr(source)
  let damage: unknown
  for (const copy of ['primary', 'backup'] as const) {
    for (const sectorSize of SECTOR_SIZES) {
      options.signal?.throwIfAborted()
      try {
        const table = await readCopy(source, sectorSize, copy)
        if (table) return table
      } catch (error) {
        if (!(error instanceof FormatError)) throw error
        damage ??= error
      }
    }
  }
  throw damage ?? gptError('FORMAT_INVALID', 'header', 512, `no "${SIGNATURE}" where a header belongs`)
}

async function checkProtectiveMbr(source: ByteSource): Promise<void> {
  if (source.size < 512) {
    throw gptError('FORMAT_TRUNCATED', 'protective MBR', 0, `${source.size} bytes are no disk`)
  }
  const mbr = new Uint8Array(512)
  await source.read(0, mbr)
  const types = [0, 1, 2, 3].map((index) => MbrRecord.read(mbr, MBR_RECORDS + index * MbrRecord.size).osType)
  const signed = mbr[MBR_SIGNATURE] === 0x55 && mbr[MBR_SIGNATURE + 1] === 0xaa
  if (!signed || !types.includes(OS_TYPE_GPT_PROTECTIVE)) {
    throw gptError('FORMAT_INVALID', 'protective MBR', MBR_RECORDS, 'there is no record of type EE')
  }
}

/** `undefined` where there is no header at all. */
async function readCopy(
  source: ByteSource,
  sectorSize: number,
  copy: GptReadResult['copy'],
): Promise<GptReadResult | undefined> {
  const blocks = Math.floor(source.size / sectorSize)
  const lba = copy === 'primary' ? 1 : blocks - 1
  if (blocks < 3) return undefined
  const sector = new Uint8Array(sectorSize)
  await source.read(lba * sectorSize, sector)
  if (!sector.subarray(0, SIGNATURE.length).every((byte, index) => byte === SIGNATURE.charCodeAt(index))) {
    return undefined
  }
  const header = checkHeader(sector, lba, blocks)
  const entries = new Uint8Array(header.numberOfPartitionEntries * header.sizeOfPartitionEntry)
  const entriesAt = header.partitionEntryLba * sectorSize
  if (entriesAt + entries.length > source.size) {
    throw gptError('FORMAT_TRUNCATED', 'partition entries', entriesAt, `the disk ends at ${source.size}`)
  }
  await source.read(entriesAt, entries)
  const checksum = crc32(entries)
  if (checksum !== header.partitionEntryArrayCrc32) {
    throw gptError('FORMAT_CHECKSUM', 'partition entries', entriesAt, 'the CRC-32 is wrong', {
      expected: header.partitionEntryArrayCrc32,
      actual: checksum,
    })
  }
  return {
    uuid: guidFromBytes(header.diskGuid),
    size: source.size,
    sectorSize,
    copy,
    partitions: decodeEntries(entries, header, entriesAt, sectorSize),
  }
}

function checkHeader(sector: Uint8Array, lba: number, blocks: number): Header {
  const at = lba * sector.length
  const header = GptHeader.read(sector)
  if (header.headerSize < HEADER_SIZE || header.headerSize > sector.length) {
    throw gptError('FORMAT_INVALID', 'HeaderSize', at + 12, `${header.headerSize} bytes`)
  }
  const sealed = sector.slice(0, header.headerSize)
  GptHeader.write(sealed, 0, { headerCrc32: 0 })
  const checksum = crc32(sealed)
  if (checksum !== header.headerCrc32) {
    throw gptError('FORMAT_CHECKSUM', 'header', at, 'the CRC-32 is wrong', {
      expected: header.headerCrc32,
      actual: checksum,
    })
  }
  if (header.myLba !== lba) {
    throw gptError('FORMAT_INVALID', 'MyLBA', at + 24, `${header.myLba}, but the header lies at ${lba}`)
  }
  const { sizeOfPartitionEntry, numberOfPartitionEntries, firstUsableLba, lastUsableLba } = header
  // UEFI 2.10, table 5.5: 128 × 2^n.
  const isEntrySize = sizeOfPartitionEntry >= 128 && Number.isInteger(Math.log2(sizeOfPartitionEntry))
  if (!isEntrySize || sizeOfPartitionEntry * numberOfPartitionEntries > MAX_ENTRY_BYTES) {
    const text = `${numberOfPartitionEntries} entries of ${sizeOfPartitionEntry} bytes`
    throw gptError('FORMAT_INVALID', 'SizeOfPartitionEntry', at + 84, text)
  }
  if (lastUsableLba >= blocks) {
    const text = `${lastUsableLba}, but the disk has ${blocks} blocks`
    throw gptError('FORMAT_TRUNCATED', 'LastUsableLBA', at + 48, text)
  }
  if (firstUsableLba > lastUsableLba + 1) {
    throw gptError('FORMAT_INVALID', 'FirstUsableLBA', at + 40, `${firstUsableLba} is past ${lastUsableLba}`)
  }
  return header
}

function decodeEntries(
  entries: Uint8Array,
  header: Header,
  entriesAt: number,
  sectorSize: number,
): Partition[] {
  const partitions: Partition[] = []
  for (let index = 0; index < header.numberOfPartitionEntries; index++) {
    const base = index * header.sizeOfPartitionEntry
    if (entries.subarray(base, base + 16).every((byte) => byte === 0)) continue
    const entry = GptEntry.read(entries, base)
    const { startingLba, endingLba } = entry
    if (startingLba < header.firstUsableLba || endingLba > header.lastUsableLba || startingLba > endingLba) {
      const range = `blocks ${startingLba} to ${endingLba}`
      const usable = `${header.firstUsableLba} to ${header.lastUsableLba} are usable`
      throw gptError('FORMAT_INVALID', `partition ${index + 1}`, entriesAt + base, `${range}; ${usable}`)
    }
    partitions.push({
      number: index + 1,
      type: guidFromBytes(entry.partitionTypeGuid),
      uuid: guidFromBytes(entry.uniquePartitionGuid),
      label: String.fromCharCode(...entry.partitionName).replace(/\0.*$/s, ''),
      start: startingLba * sectorSize,
      size: (endingLba - startingLba + 1) * sectorSize,
      attributes: Array.from({ length: 64 }, (_, bit) => bit).filter(
        (bit) => (entry.attributes >> BigInt(bit)) & 1n,
      ),
    })
  }
  checkOverlap(partitions, entriesAt)
  return partitions
}

function checkOverlap(partitions: readonly Partition[], entriesAt: number): void {
  const byStart = [...partitions].sort((a, b) => a.start - b.start)
  for (const [index, partition] of byStart.entries()) {
    const next = byStart[index + 1]
    if (next && next.start < partition.start + partition.size) {
      const text = `it overlaps partition ${partition.number}`
      throw gptError('FORMAT_INVALID', `partition ${next.number}`, entriesAt, text)
    }
  }
}

function gptError(
  code: FormatErrorCode,
  structure: string,
  offset: number,
  message: string,
  values: { expected?: unknown; actual?: unknown } = {},
): FormatError {
  return new FormatError(code, { format: 'gpt', structure, offset, ...values }, message)
}
