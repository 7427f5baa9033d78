import { crcTables, updateCrc } from './crc.ts'

const TABLES = crcTables(0x82f63b78)

/**
 * CRC-32C (Castagnoli), as in ext4, xfs and btrfs. Check value of `123456789`: e3069283.
 * @param crc result for the bytes before, when a checksum is made in pieces
 */
export function crc32c(data: Uint8Array, crc = 0): number {
  return ~rawCrc32c(data, ~crc) >>> 0
}

/**
 * CRC-32C as the kernel's `crc32c(seed, …)`: the seed goes in as it is and the result is not inverted.
 * @param start first byte of `data`; @param end byte after the last
 */
export function rawCrc32c(data: Uint8Array, seed: number, start = 0, end = data.length): number {
  return updateCrc(TABLES, seed >>> 0, data, start, end)
}
