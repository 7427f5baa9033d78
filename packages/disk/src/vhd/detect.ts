import type { ByteSource } from '@bootable/bytes'
import { FOOTER_COOKIE, SECTOR } from './format.ts'

/** Whether a file ends, or starts, with the footer of a vhd, whose first bytes are `conectix`. */
export async function isVhd(source: ByteSource): Promise<boolean> {
  if (source.size < SECTOR) return false
  for (const offset of [source.size - SECTOR, 0]) {
    const cookie = new Uint8Array(FOOTER_COOKIE.length)
    await source.read(offset, cookie)
    if (String.fromCharCode(...cookie) === FOOTER_COOKIE) return true
  }
  return false
}
