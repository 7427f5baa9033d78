import { concatBytes, utf8 } from '@bootable/bytes'

/**
 * An archive in cpio's "newc" form, as the kernel unpacks initramfs images (initramfs buffer format).
 *
 * @param files content by path, in the order of the archive
 */
export function buildInitramfs(files: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const members = Object.entries(files).map(([path, data], index) => encodeMember(path, data, index + 1))
  return concatBytes([...members, encodeMember('TRAILER!!!', new Uint8Array(), 0)])
}

function encodeMember(path: string, data: Uint8Array, inode: number): Uint8Array {
  const name = utf8(`${path}\0`)
  // ino, mode, uid, gid, nlink, mtime, filesize, device and rdevice numbers, namesize, check
  const fields = [inode, 0o100755, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length, 0]
  const header = utf8(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`)
  const padded = (length: number): Uint8Array => new Uint8Array((4 - (length % 4)) % 4)
  return concatBytes([header, name, padded(header.length + name.length), data, padded(data.length)])
}
