import { type ByteSource, type FormatErrorCode, guidFromBytes, type Uuid } from '@bootable/bytes'
import {
  FILE_PARAMETERS,
  HAS_PARENT,
  LEAVE_BLOCKS_ALLOCATED,
  LOGICAL_SECTOR_SIZE,
  MAX_BLOCK,
  MAX_DISK,
  MAX_ENTRIES,
  METADATA_REQUIRED,
  METADATA_SIGNATURE,
  METADATA_TABLE_SIZE,
  MetadataTableEntry,
  MetadataTableHeader,
  MIN_BLOCK,
  PARENT_LOCATOR,
  PHYSICAL_SECTOR_SIZE,
  SECTOR_SIZES,
  VIRTUAL_DISK_ID,
  VIRTUAL_DISK_SIZE,
} from './format.ts'
import { type Region, vhdxError } from './header.ts'

/** What a vhdx says about itself. */
export interface VhdxInfo {
  readonly type: 'fixed' | 'dynamic'
  /** Bytes of the disk. */
  readonly size: number
  /** Bytes of a payload block. */
  readonly blockSize: number
  readonly sectorSize: number
  readonly physicalSectorSize: number
  /** The id of the disk. */
  readonly uuid: Uuid
}

/** The items that are read, and their lengths. */
const ITEMS: Readonly<Record<string, number>> = {
  [FILE_PARAMETERS]: 8,
  [VIRTUAL_DISK_SIZE]: 8,
  [VIRTUAL_DISK_ID]: 16,
  [LOGICAL_SECTOR_SIZE]: 4,
  [PHYSICAL_SECTOR_SIZE]: 4,
}

/** Reads and checks the metadata. @throws FormatError */
export async function readMetadata(source: ByteSource, region: Region): Promise<VhdxInfo> {
  const items = await readItems(source, region)
  const item = (id: string): DataView => {
    const data = items.get(id)
    if (data) return new DataView(data.buffer)
    throw vhdxError('FORMAT_INVALID', 'metadata', region.fileOffset, `item ${id} is missing`)
  }
  const fail = (code: FormatErrorCode, structure: string, message: string): never => {
    throw vhdxError(code, structure, region.fileOffset, message)
  }
  const blockSize = item(FILE_PARAMETERS).getUint32(0, true)
  const flags = item(FILE_PARAMETERS).getUint32(4, true)
  if ((flags & HAS_PARENT) !== 0)
    fail('FORMAT_UNSUPPORTED', 'file parameters', 'a differencing disk, which has a parent')
  if (blockSize < MIN_BLOCK || blockSize > MAX_BLOCK || !Number.isInteger(Math.log2(blockSize))) {
    fail('FORMAT_INVALID', 'block size', `${blockSize}; powers of two from 1 MiB to 256 MiB are possible`)
  }
  const sectorSize = item(LOGICAL_SECTOR_SIZE).getUint32(0, true)
  const physicalSectorSize = item(PHYSICAL_SECTOR_SIZE).getUint32(0, true)
  for (const size of [sectorSize, physicalSectorSize]) {
    if (!SECTOR_SIZES.includes(size))
      fail('FORMAT_INVALID', 'sector size', `${size}; 512 and 4096 are possible`)
  }
  const size = Number(item(VIRTUAL_DISK_SIZE).getBigUint64(0, true))
  if (size > MAX_DISK || size % sectorSize !== 0) {
    fail('FORMAT_INVALID', 'virtual disk size', `${size}; whole sectors up to ${MAX_DISK} are possible`)
  }
  return {
    type: (flags & LEAVE_BLOCKS_ALLOCATED) !== 0 ? 'fixed' : 'dynamic',
    size,
    blockSize,
    sectorSize,
    physicalSectorSize,
    uuid: guidFromBytes(items.get(VIRTUAL_DISK_ID) ?? new Uint8Array(16)),
  }
}

async function readItems(source: ByteSource, region: Region): Promise<Map<string, Uint8Array>> {
  const { fileOffset, length: regionLength } = region
  const table = new Uint8Array(METADATA_TABLE_SIZE)
  if (regionLength < table.length) {
    throw vhdxError('FORMAT_INVALID', 'metadata', fileOffset, `a region of ${regionLength} bytes`)
  }
  await source.read(fileOffset, table)
  const { signature, entryCount } = MetadataTableHeader.read(table)
  if (signature !== METADATA_SIGNATURE || entryCount > MAX_ENTRIES) {
    const text = `"${METADATA_SIGNATURE}" and at most ${MAX_ENTRIES} entries are expected`
    throw vhdxError('FORMAT_INVALID', 'metadata table', fileOffset, text)
  }
  const items = new Map<string, Uint8Array>()
  for (let index = 0; index < entryCount; index++) {
    const at = MetadataTableHeader.size + index * MetadataTableEntry.size
    const { itemId, offset, length, flags } = MetadataTableEntry.read(table, at)
    const id = guidFromBytes(itemId)
    const fail = (code: FormatErrorCode, message: string): never => {
      throw vhdxError(code, 'metadata table entry', fileOffset + at, `item ${id}: ${message}`)
    }
    const expected = ITEMS[id]
    if (expected === undefined) {
      // Where a parent is, the file parameters say so.
      if ((flags & METADATA_REQUIRED) !== 0 && id !== PARENT_LOCATOR) {
        fail('FORMAT_UNSUPPORTED', 'unknown and required')
      }
      continue
    }
    if (items.has(id)) fail('FORMAT_INVALID', 'it is there twice')
    if (length !== expected || offset < METADATA_TABLE_SIZE || offset + length > regionLength) {
      fail('FORMAT_INVALID', `${length} bytes at ${offset} of ${regionLength}; it has ${expected}`)
    }
    const data = new Uint8Array(length)
    await source.read(fileOffset + offset, data)
    items.set(id, data)
  }
  return items
}
