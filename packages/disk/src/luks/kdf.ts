import type { HashAlgorithm, OperationOptions } from '@bootable/bytes'
import { argon2iAsync, argon2idAsync } from '@noble/hashes/argon2.js'

/** How a passphrase becomes a key: PBKDF2 (RFC 8018) or Argon2 (RFC 9106), and at which cost. */
export type KeyDerivation = Pbkdf2 | Argon2

export interface Pbkdf2 {
  readonly type: 'pbkdf2'
  readonly hash: HashAlgorithm
  readonly iterations: number
}

export interface Argon2 {
  readonly type: 'argon2i' | 'argon2id'
  /** Passes over the memory. */
  readonly time: number
  /** KiB. */
  readonly memory: number
  /** Lanes: threads that can share the work. */
  readonly cpus: number
}

/**
 * About two thirds of a second on one core of 2024 for the guest (libargon2, kernel or OpenSSL), in memory
 * that the smallest virtual machine has; about four seconds for the portable Argon2 here.
 */
export const DEFAULT_ARGON2ID: Argon2 = { type: 'argon2id', time: 4, memory: 131_072, cpus: 4 }

/** What is left where Argon2 is not allowed (FIPS 140): about a second for guest and host. */
export const DEFAULT_PBKDF2: Pbkdf2 = { type: 'pbkdf2', hash: 'sha256', iterations: 1_000_000 }

/** @param length bytes of the key */
export async function deriveKey(
  secret: Uint8Array,
  salt: Uint8Array,
  kdf: KeyDerivation,
  length: number,
  { signal }: OperationOptions = {},
): Promise<Uint8Array> {
  signal?.throwIfAborted()
  if (kdf.type === 'pbkdf2') return pbkdf2(secret, salt, kdf, length)
  const derive = kdf.type === 'argon2id' ? argon2idAsync : argon2iAsync
  return derive(secret, salt, {
    t: kdf.time,
    m: kdf.memory,
    p: kdf.cpus,
    dkLen: length,
    maxmem: 2 ** 32 - 1, // the callers have limits of their own
    onProgress: () => signal?.throwIfAborted(),
  })
}

/** By Web Crypto, which is native code on every platform; its iterations cannot be interrupted. */
async function pbkdf2(
  secret: Uint8Array,
  salt: Uint8Array,
  { hash, iterations }: Pbkdf2,
  length: number,
): Promise<Uint8Array> {
  const { subtle } = globalThis.crypto
  const key = await subtle.importKey('raw', secret.slice(), 'PBKDF2', false, ['deriveBits'])
  const algorithm = {
    name: 'PBKDF2',
    hash: hash === 'sha256' ? 'SHA-256' : 'SHA-512',
    salt: salt.slice(),
    iterations,
  }
  return new Uint8Array(await subtle.deriveBits(algorithm, key, length * 8))
}
