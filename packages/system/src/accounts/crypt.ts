import { utf8 } from '@bootable/bytes'
import { sha512 } from '@noble/hashes/sha2.js'

const ALPHABET = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const DEFAULT_ROUNDS = 5000

/** Options of {@link sha512Crypt}. */
export interface Sha512CryptOptions {
  /** At most 16 characters of `./0-9A-Za-z`; more are cut off, as crypt(3) does. */
  readonly salt: string
  /** 1000 to 999 999 999. @defaultValue 5000, which is then not written into the hash */
  readonly rounds?: number
}

/**
 * SHA-512 crypt, the `$6$` hash of crypt(5), after U. Drepper's "Unix crypt using SHA-256 and SHA-512".
 * The step numbers are those of that text.
 */
export function sha512Crypt(password: string, options: Sha512CryptOptions): string {
  const salt = options.salt.slice(0, 16)
  const rounds = options.rounds ?? DEFAULT_ROUNDS
  if (!/^[./0-9A-Za-z]*$/.test(salt)) throw new RangeError(`not a salt: ${salt}`)
  if (rounds < 1000 || rounds > 999_999_999) throw new RangeError(`${rounds} rounds are not allowed`)
  const key = utf8(password)
  const saltBytes = utf8(salt)

  // 4–8
  const b = sha512.create().update(key).update(saltBytes).update(key).digest()
  // 1–3, 9–12
  const hash = sha512.create().update(key).update(saltBytes).update(repeatTo(b, key.length))
  for (let bits = key.length; bits > 0; bits >>>= 1) hash.update(bits & 1 ? b : key)
  let a = hash.digest()
  // 13–16
  const keyHash = sha512.create()
  for (let count = 0; count < key.length; count++) keyHash.update(key)
  const p = repeatTo(keyHash.digest(), key.length)
  // 17–20
  const saltHash = sha512.create()
  for (let count = 0; count < 16 + (a[0] as number); count++) saltHash.update(saltBytes)
  const s = repeatTo(saltHash.digest(), saltBytes.length)
  // 21
  for (let round = 0; round < rounds; round++) {
    const c = sha512.create().update(round & 1 ? p : a)
    if (round % 3 !== 0) c.update(s)
    if (round % 7 !== 0) c.update(p)
    a = c.update(round & 1 ? a : p).digest()
  }
  const parameter = options.rounds === undefined ? '' : `rounds=${rounds}$`
  return `$6$${parameter}${salt}$${encode(a)}`
}

function repeatTo(bytes: Uint8Array, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => bytes[index % bytes.length] as number)
}

/** 22e: three bytes a group, 21 apart and rotating, four characters each, low bits first. */
function encode(bytes: Uint8Array): string {
  let text = ''
  for (let index = 0; index < 21; index++) {
    const three = [index, index + 21, index + 42]
    const shift = index % 3
    const [high, middle, low] = [...three.slice(shift), ...three.slice(0, shift)].map(
      (at) => bytes[at] as number,
    )
    text += digits(((high as number) << 16) | ((middle as number) << 8) | (low as number), 4)
  }
  return text + digits(bytes[63] as number, 2)
}

function digits(value: number, count: number): string {
  let text = ''
  for (let index = 0; index < count; index++) text += ALPHABET[(value >>> (6 * index)) & 63]
  return text
}

/** A salt of 16 characters from bytes that follow from a seed. */
export function saltFromBytes(bytes: Uint8Array): string {
  return [...bytes.subarray(0, 16)].map((byte) => ALPHABET[byte & 63]).join('')
}
