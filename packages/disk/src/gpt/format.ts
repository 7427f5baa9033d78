import { array, ascii, bytes, flags64, struct, u8, u16, u32, u64 } from '@bootable/bytes'

/** UEFI 2.10, table 5.5. */
export const SIGNATURE = 'EFI PART'
/** Revision 1.0. */
export const REVISION = 0x0001_0000
/** Bytes of the header that its checksum covers. */
export const HEADER_SIZE = 92
/** What everybody writes; UEFI 2.10, 5.3.1, asks for 16 KiB of entries at least. */
export const ENTRY_COUNT = 128
export const ENTRY_SIZE = 128

/** UEFI 2.10, table 5.5: the GPT header. */
export const GptHeader = struct('GPT header', HEADER_SIZE, {
  signature: ascii(0x00, 8),
  revision: u32(0x08),
  headerSize: u32(0x0c),

  headerCrc32: u32(0x10),
  reserved: u32(0x14),
  myLba: u64(0x18),

  alternateLba: u64(0x20),
  firstUsableLba: u64(0x28),

  lastUsableLba: u64(0x30),
  diskGuid: bytes(0x38, 16),

  partitionEntryLba: u64(0x48),
  numberOfPartitionEntries: u32(0x50),
  sizeOfPartitionEntry: u32(0x54),
  partitionEntryArrayCrc32: u32(0x58),
})

/** UEFI 2.10, table 5.6: one entry. */
export const GptEntry = struct('GPT partition entry', ENTRY_SIZE, {
  partitionTypeGuid: bytes(0x00, 16),

  uniquePartitionGuid: bytes(0x10, 16),

  startingLba: u64(0x20),
  endingLba: u64(0x28), // inclusive

  attributes: flags64(0x30),
  partitionName: array(u16, 0x38, 36), // UTF-16LE
})

/** UEFI 2.10, table 5.3: one of the four records of an MBR. */
export const MbrRecord = struct('MBR partition record', 16, {
  bootIndicator: u8(0x00),
  startingChs: bytes(0x01, 3),
  osType: u8(0x04),
  endingChs: bytes(0x05, 3),
  startingLba: u32(0x08),
  sizeInLba: u32(0x0c),
})

/** First record of the MBR; the bytes before it are boot code and the disk signature. */
export const MBR_RECORDS = 0x1be
export const MBR_SIGNATURE = 0x1fe
/** `OSType` of the record that keeps MBR tools off a GPT disk. */
export const OS_TYPE_GPT_PROTECTIVE = 0xee
