import { guidToBytes, seededUuid } from '@bootable/bytes'
import {
  checksumOf,
  FILE_PARAMETERS,
  FILE_SIGNATURE,
  FileIdentifier,
  HEADER_OFFSETS,
  HEADER_SIGNATURE,
  HEADER_VERSION,
  Header,
  LOGICAL_SECTOR_SIZE,
  METADATA_REQUIRED,
  METADATA_SIGNATURE,
  METADATA_TABLE_SIZE,
  METADATA_VIRTUAL_DISK,
  MetadataTableEntry,
  MetadataTableHeader,
  PHYSICAL_SECTOR_SIZE,
  REGION_BAT,
  REGION_METADATA,
  REGION_REQUIRED,
  REGION_SIGNATURE,
  REGION_TABLE_OFFSETS,
  REGION_TABLE_SIZE,
  RegionTableEntry,
  RegionTableHeader,
  VIRTUAL_DISK_ID,
  VIRTUAL_DISK_SIZE,
} from './format.ts'
import { LOG_LENGTH, METADATA_LENGTH, type VhdxLayout } from './layout.ts'

/** What the metadata says of a disk. */
export interface VhdxParameters {
  /** Bytes of the disk. */
  readonly size: number
  readonly sectorSize: number
  readonly physicalSectorSize: number
  /** As bytes of a GUID. */
  readonly virtualDiskId: Uint8Array
}

/** File identifier, both headers and both region tables: the used part of the first MiB. */
export function encodeHeaderSection(layout: VhdxLayout, seed: string): Uint8Array {
  const section = new Uint8Array(REGION_TABLE_OFFSETS[1] + REGION_TABLE_SIZE)
  FileIdentifier.write(section, 0, { signature: FILE_SIGNATURE, creator: utf16('@bootable/disk') })
  for (const [index, offset] of HEADER_OFFSETS.entries()) {
    const header = Header.encode({
      signature: HEADER_SIGNATURE,
      // The header with the higher number counts.
      sequenceNumber: BigInt(index + 1),
      fileWriteGuid: guidToBytes(seededUuid(seed, 'vhdx:file-write')),
      dataWriteGuid: guidToBytes(seededUuid(seed, 'vhdx:data-write')),
      // A log GUID of zero: there is nothing in the log.
      version: HEADER_VERSION,
      logLength: LOG_LENGTH,
      logOffset: layout.log,
    })
    Header.write(header, 0, { checksum: checksumOf(header) })
    section.set(header, offset)
  }
  const table = encodeRegionTable(layout)
  for (const offset of REGION_TABLE_OFFSETS) section.set(table, offset)
  return section
}

function encodeRegionTable(layout: VhdxLayout): Uint8Array {
  const regions = [
    { guid: REGION_BAT, fileOffset: layout.bat, length: layout.batLength },
    { guid: REGION_METADATA, fileOffset: layout.metadata, length: METADATA_LENGTH },
  ]
  const table = new Uint8Array(REGION_TABLE_SIZE)
  RegionTableHeader.write(table, 0, { signature: REGION_SIGNATURE, entryCount: regions.length })
  for (const [index, { guid, fileOffset, length }] of regions.entries()) {
    const values = { guid: guidToBytes(guid), fileOffset, length, required: REGION_REQUIRED }
    RegionTableEntry.write(table, RegionTableHeader.size + index * RegionTableEntry.size, values)
  }
  RegionTableHeader.write(table, 0, { checksum: checksumOf(table) })
  return table
}

/** The used part of the metadata region: its table and the five items that every file has. */
export function encodeMetadata(layout: VhdxLayout, parameters: VhdxParameters): Uint8Array {
  const ofDisk = METADATA_REQUIRED | METADATA_VIRTUAL_DISK
  const items: readonly (readonly [id: string, flags: number, data: Uint8Array])[] = [
    [FILE_PARAMETERS, METADATA_REQUIRED, integers(layout.blockSize, 0)],
    [VIRTUAL_DISK_SIZE, ofDisk, integers(parameters.size % 2 ** 32, Math.floor(parameters.size / 2 ** 32))],
    [VIRTUAL_DISK_ID, ofDisk, parameters.virtualDiskId],
    [LOGICAL_SECTOR_SIZE, ofDisk, integers(parameters.sectorSize)],
    [PHYSICAL_SECTOR_SIZE, ofDisk, integers(parameters.physicalSectorSize)],
  ]
  const total = items.reduce((sum, [, , data]) => sum + data.length, 0)
  const region = new Uint8Array(METADATA_TABLE_SIZE + total)
  MetadataTableHeader.write(region, 0, { signature: METADATA_SIGNATURE, entryCount: items.length })
  let offset = METADATA_TABLE_SIZE
  for (const [index, [id, flags, data]] of items.entries()) {
    const values = { itemId: guidToBytes(id), offset, length: data.length, flags }
    MetadataTableEntry.write(region, MetadataTableHeader.size + index * MetadataTableEntry.size, values)
    region.set(data, offset)
    offset += data.length
  }
  return region
}

/** 32-bit integers, little-endian. */
function integers(...values: readonly number[]): Uint8Array {
  const data = new Uint8Array(values.length * 4)
  const view = new DataView(data.buffer)
  for (const [index, value] of values.entries()) view.setUint32(index * 4, value, true)
  return data
}

function utf16(text: string): Uint8Array {
  const data = new Uint8Array(text.length * 2)
  const view = new DataView(data.buffer)
  for (let index = 0; index < text.length; index++) view.setUint16(index * 2, text.charCodeAt(index), true)
  return data
}
