import { crc32c } from '@bootable/bytes'

/*
 * `xfs_cksum.h`: every structure of version 5 carries the CRC-32C of itself, taken with that field zero
 * and stored little-endian.
 */

/** Seals a structure that is otherwise final. @param crcOffset of its checksum field within it */
export function seal(bytes: Uint8Array, crcOffset: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  view.setUint32(crcOffset, 0, true)
  view.setUint32(crcOffset, crc32c(bytes), true)
}

const ZERO = new Uint8Array(4)

/** Whether a structure is what was sealed. Changes nothing. */
export function isSealed(bytes: Uint8Array, crcOffset: number): boolean {
  const stored = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(crcOffset, true)
  const before = crc32c(ZERO, crc32c(bytes.subarray(0, crcOffset)))
  return crc32c(bytes.subarray(crcOffset + 4), before) === stored
}
