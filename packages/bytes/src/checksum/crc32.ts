import { crcTables, updateCrc } from './crc.ts'

const TABLES = crcTables(0xedb88320)

/**
 * CRC-32 of IEEE 802.3, as in GPT, gzip and PNG. Check value of `123456789`: cbf43926.
 * @param crc result for the bytes before, when a checksum is made in pieces
 */
export function crc32(data: Uint8Array, crc = 0): number {
  return ~updateCrc(TABLES, ~crc, data, 0, data.length) >>> 0
}
