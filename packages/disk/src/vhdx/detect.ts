import type { ByteSource } from '@bootable/bytes'
import { FILE_SIGNATURE } from './format.ts'

/** Whether a file starts with the signature of a vhdx, `vhdxfile`. */
export async function isVhdx(source: ByteSource): Promise<boolean> {
  if (source.size < FILE_SIGNATURE.length) return false
  const signature = new Uint8Array(FILE_SIGNATURE.length)
  await source.read(0, signature)
  return String.fromCharCode(...signature) === FILE_SIGNATURE
}
