import type { ByteSource } from '@bootable/bytes'

/** Whether a file starts with the magic number of qcow2, `QFI\xfb`. */
export async function isQcow2(source: ByteSource): Promise<boolean> {
  if (source.size < 4) return false
  const magic = new Uint8Array(4)
  await source.read(0, magic)
  return String.fromCharCode(...magic) === 'QFI\xfb'
}
