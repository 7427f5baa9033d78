const ENCODER = new TextEncoder()
const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Text as UTF-8. */
export function utf8(text: string): Uint8Array {
  return ENCODER.encode(text)
}

/** UTF-8 as text, or `undefined` where the bytes are not valid UTF-8. Nothing is replaced. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return DECODER.decode(bytes)
  } catch {
    return undefined
  }
}

/** Digests are printed by the ten thousand: a table is twenty times as fast as `toString`. */
const PAIRS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Lower-case hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += PAIRS[byte]
  return text
}

/** Bytes from hexadecimal digits of either case. @throws RangeError on anything else */
export function fromHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) throw new RangeError(`not hexadecimal: ${text}`)
  const bytes = new Uint8Array(text.length / 2)
  for (let index = 0; index < bytes.length; index++) {
    bytes[index] = digitAt(text, index * 2) * 16 + digitAt(text, index * 2 + 1)
  }
  return bytes
}

function digitAt(text: string, position: number): number {
  const code = text.charCodeAt(position)
  return code <= 0x39 ? code - 0x30 : (code & 0xf) + 9 // letters of both cases end in 1 to 6
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false
  return true
}

/** Whether every byte is zero. */
export function isZero(bytes: Uint8Array): boolean {
  // Eight bytes a step where the buffer allows it: writers ask this of every cluster.
  const head = Math.min(bytes.length, (8 - (bytes.byteOffset % 8)) % 8)
  for (let index = 0; index < head; index++) if (bytes[index] !== 0) return false
  const words = Math.floor((bytes.length - head) / 8)
  if (words > 0) {
    const pairs = new Int32Array(bytes.buffer, bytes.byteOffset + head, words * 2)
    for (let index = 0; index < pairs.length; index++) if (pairs[index] !== 0) return false
  }
  for (let index = head + words * 8; index < bytes.length; index++) if (bytes[index] !== 0) return false
  return true
}

/**
 * Compares two strings by the bytes of their UTF-8 form: −1, 0 or 1.
 *
 * UTF-16 order, which `<` gives, differs from it only where surrogates meet U+E000 to U+FFFF.
 */
export function compareBytewise(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index++) {
    let left = a.charCodeAt(index)
    let right = b.charCodeAt(index)
    if (left === right) continue
    // Shifts surrogates above the rest of the BMP, where their code points belong (UTF-8 order).
    if (left >= 0xd800 && right >= 0xd800) {
      left = left >= 0xe000 ? left - 0x800 : left + 0x2000
      right = right >= 0xe000 ? right - 0x800 : right + 0x2000
    }
    return left < right ? -1 : 1
  }
  return a.length === b.length ? 0 : a.length < b.length ? -1 : 1
}
