import { ascii, bytes, crc32c, flags64, KiB, MiB, struct, TiB, u16, u32, u64 } from '@bootable/bytes'

// Structures and names are those of Microsoft's VHDX Format Specification 1.00 ([MS-VHDX]).

/** 2.2: positions in the header section, the first MiB of the file. */
export const HEADER_OFFSETS = [64 * KiB, 128 * KiB] as const
export const REGION_TABLE_OFFSETS = [192 * KiB, 256 * KiB] as const
export const REGION_TABLE_SIZE = 64 * KiB
export const HEADER_SECTION_SIZE = MiB

/** 2.2.1 */
export const FileIdentifier = struct('vhdx file identifier', 520, {
  signature: ascii(0x00, 8),
  creator: bytes(0x08, 512), // UTF-16LE
})
export const FILE_SIGNATURE = 'vhdxfile'

/** 2.2.2: the checksum covers all of its 4 KiB. */
export const Header = struct('vhdx header', 4096, {
  signature: ascii(0x00, 4),
  checksum: u32(0x04),
  sequenceNumber: flags64(0x08),

  fileWriteGuid: bytes(0x10, 16),

  dataWriteGuid: bytes(0x20, 16),

  logGuid: bytes(0x30, 16),

  logVersion: u16(0x40),
  version: u16(0x42),
  logLength: u32(0x44),
  logOffset: u64(0x48),
})
export const HEADER_SIGNATURE = 'head'
export const HEADER_VERSION = 1

/** 2.2.3.1; the entries follow, and the checksum covers all 64 KiB. */
export const RegionTableHeader = struct('vhdx region table header', 16, {
  signature: ascii(0x00, 4),
  checksum: u32(0x04),
  entryCount: u32(0x08),
})
export const REGION_SIGNATURE = 'regi'

/** 2.2.3.2 */
export const RegionTableEntry = struct('vhdx region table entry', 32, {
  guid: bytes(0x00, 16),

  fileOffset: u64(0x10),
  length: u32(0x18),
  required: u32(0x1c),
})
export const REGION_REQUIRED = 0x1
/** Entries of a region table or a metadata table, at most. */
export const MAX_ENTRIES = 2047

export const REGION_BAT = '2dc27766-f623-4200-9d64-115e9bfd4a08'
export const REGION_METADATA = '8b7ca206-4790-4b9a-b8fe-575f050f886e'

/** 2.6.1.1 */
export const MetadataTableHeader = struct('vhdx metadata table header', 32, {
  signature: ascii(0x00, 8),
  entryCount: u16(0x0a),
})
export const METADATA_SIGNATURE = 'metadata'
/** The items stand behind a table of this size. */
export const METADATA_TABLE_SIZE = 64 * KiB

/** 2.6.1.2 */
export const MetadataTableEntry = struct('vhdx metadata table entry', 32, {
  itemId: bytes(0x00, 16),

  offset: u32(0x10), // from the start of the region
  length: u32(0x14),
  flags: u32(0x18),
})
export const METADATA_VIRTUAL_DISK = 0x2
export const METADATA_REQUIRED = 0x4

/** 2.6.2: the items that every file has. */
export const FILE_PARAMETERS = 'caa16737-fa36-4d43-b3b6-33f0aa44e76b'
export const VIRTUAL_DISK_SIZE = '2fa54224-cd1b-4876-b211-5dbed83bf4b8'
export const VIRTUAL_DISK_ID = 'beca12ab-b2e6-4523-93ef-c309e000c746'
export const LOGICAL_SECTOR_SIZE = '8141bf1d-a96f-4709-ba47-f233a8faab5f'
export const PHYSICAL_SECTOR_SIZE = 'cda348c7-445d-4471-9cc9-e9885251c556'
/** Of differencing disks. */
export const PARENT_LOCATOR = 'a8d35f2d-b30b-454d-abf7-d3d84834ab0c'

/** File parameters: a fixed disk, whose blocks stay where they are. */
export const LEAVE_BLOCKS_ALLOCATED = 0x1
export const HAS_PARENT = 0x2

/** 2.5.1: low bits of an entry of the block allocation table; from bit 20 on its position, in MiB. */
export const STATE_MASK = 0x7
export const BLOCK_NOT_PRESENT = 0
export const BLOCK_UNDEFINED = 1
export const BLOCK_ZERO = 2
export const BLOCK_UNMAPPED = 3
/** The same in drafts of the format; QEMU knows both. */
export const BLOCK_UNMAPPED_DRAFT = 5
export const BLOCK_FULLY_PRESENT = 6
export const BLOCK_PARTIALLY_PRESENT = 7
export const BAT_ENTRY_SIZE = 8

/** Bounds of a payload block, a power of two. */
export const MIN_BLOCK = MiB
export const MAX_BLOCK = 256 * MiB
/** 2.5: sectors that one sector bitmap block of 1 MiB describes. */
export const SECTORS_PER_BITMAP = 2 ** 23

export const MAX_DISK = 64 * TiB
export const SECTOR_SIZES: readonly number[] = [512, 4096]

/** CRC-32C of a structure whose field `checksum` stands at byte 4 and counts as zero. */
export function checksumOf(structure: Uint8Array): number {
  const crc = crc32c(new Uint8Array(4), crc32c(structure.subarray(0, 4)))
  return crc32c(structure.subarray(8), crc)
}
