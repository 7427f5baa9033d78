import { bytes, struct, u16, u32 } from '@bootable/bytes'

/** A DOS table has four records; what does not fit is in a chain of tables inside an extended partition. */
export const RECORD_COUNT = 4

/** One of the records of a table of any kind: UEFI 2.10, table 5.3, has all of its fields. */
export { MBR_RECORDS, MbrRecord } from '../gpt/format.ts'

/** What Linux and Windows use of the boot sector, beside code, records and signature. */
export const MbrHead = struct('MBR', 512, {
  bootCode: bytes(0x000, 440),

  diskSignature: u32(0x1b8), // UniqueMbrSignature
  unknown: u16(0x1bc), // 5A5A on a disk that Windows must not write to
  signature: u16(0x1fe), // AA55
})

/** `BootIndicator` of the active partition. */
export const ACTIVE = 0x80

/** Types of partitions that hold a chain of tables. */
export const EXTENDED_TYPES: readonly string[] = ['05', '0f', '85']
