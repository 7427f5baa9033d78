import { createCipheriv, createDecipheriv } from 'node:crypto'
import type { BlockCipher } from '../codec/xts.ts'

/** AES by OpenSSL, which uses the processor's own instructions. */
export const nativeAes: BlockCipher = (key, direction, data) => {
  const create = direction === 'encrypt' ? createCipheriv : createDecipheriv
  const cipher = create(`aes-${key.length * 8}-ecb`, key, null)
  // What is handed over are whole blocks.
  cipher.setAutoPadding(false)
  return cipher.update(data)
}
