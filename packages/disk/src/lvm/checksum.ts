import { crc32 } from '@bootable/bytes'
import { INITIAL_CRC } from './format.ts'

/** `calc_crc` of `lib/misc/crc.c`: CRC-32 with a start of LVM's own and no inversion at either end. */
export function lvmChecksum(data: Uint8Array): number {
  return ~crc32(data, ~INITIAL_CRC) >>> 0
}
