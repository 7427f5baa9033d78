import { concatBytes, utf8 } from '@bootable/bytes'

const padded = (text: string): string => text.padEnd(Math.ceil(text.length / 4) * 4, '\0')

/** A member of a cpio archive in the format that Linux calls `newc`, ASCII throughout. */
function member(inode: number, mode: number, name: string, content = ''): string {
  const words = [inode, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length + 1, 0]
  const header = words.map((word) => word.toString(16).padStart(8, '0')).join('')
  return padded(`070701${header}${name}\0`) + padded(content)
}

/** The end of an archive; systemd has it as a constant, whose digits are upper case. */
const TRAILER = padded(`070701${'0'.repeat(32)}00000001${'0'.repeat(48)}0000000B${'0'.repeat(8)}TRAILER!!!\0`)

/**
 * The initrd that systemd-stub hands to the kernel: that of the image, and an archive with what it was started
 * with in `/.extra` (systemd 257, `cpio.c`).
 */
export function stubInitrd(initrd: Uint8Array, osRelease: string): Uint8Array {
  const directory = member(1, 0o040555, '.extra')
  const file = member(2, 0o100444, '.extra/os-release', osRelease)
  const gap = new Uint8Array(Math.ceil(initrd.length / 4) * 4 - initrd.length)
  return concatBytes([initrd, gap, utf8(directory + file + TRAILER)])
}
