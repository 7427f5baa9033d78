import type { ByteSource } from '@bootable/bytes'
import { MAGIC } from './format.ts'

/** Whether a file starts with the magic number of a sparse extent, `KDMV`. */
export async function isVmdk(source: ByteSource): Promise<boolean> {
  if (source.size < 4) return false
  const magic = new Uint8Array(4)
  await source.read(0, magic)
  return String.fromCharCode(...magic) === MAGIC
}
