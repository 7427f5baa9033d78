import { seededBytes } from '@bootable/bytes'
import { saltFromBytes, sha512Crypt } from './crypt.ts'

/** Hashes that are taken as they are: SHA-512, SHA-256, bcrypt and yescrypt of crypt(5). */
const HASH = /^\$(?:6|5|2b|y)\$/

/** The password field of shadow(5) that no password matches. */
export const LOCKED = '!'

/**
 * The field of shadow(5) for a password as a blueprint gives it: a hash is used as it is, an empty
 * password locks, anything else becomes a SHA-512 hash whose salt follows from seed and user.
 */
export function hashPassword(
  password: string,
  options: { readonly seed: string; readonly user: string },
): string {
  if (password === '') return LOCKED
  if (HASH.test(password)) return password
  const salt = saltFromBytes(seededBytes(options.seed, `password:${options.user}`, 16))
  return sha512Crypt(password, { salt })
}
