import { type OperationOptions, type RuntimeOptions, utf8 } from '@bootable/bytes'
import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { mergeKey, splitKey } from './anti-forensic.ts'
import { fromBase64 } from './base64.ts'
import { createSectorCipher } from './cipher.ts'
import { AREA_SECTOR, KEY_SIZE, STRIPES } from './format.ts'
import { deriveKey } from './kdf.ts'
import type { KeyDigest, Keyslot } from './metadata.ts'
import type { LuksPlan } from './plan.ts'

/** Rounds for the digest of a volume key: there is nothing to guess in 512 bits of one. */
export const DIGEST_ITERATIONS = 100_000
const DIGEST_HASH = 'sha256'

/** Everything of a new volume that takes the passphrase. */
export interface VolumeKeys {
  readonly volumeKey: Uint8Array
  /** The encrypted stripes of the key slot. */
  readonly area: Uint8Array
  /** Of the volume key. */
  readonly digest: Uint8Array
}

/** Options of {@link createKeys}. */
export interface CreateKeysOptions extends OperationOptions, RuntimeOptions {
  readonly passphrase: Uint8Array
  /** 64 bytes. @defaultValue derived from the passphrase and the plan's salts */
  readonly volumeKey?: Uint8Array
}

/**
 * The same plan and passphrase give the same keys, and nobody has them without the passphrase: whatever is
 * derived comes out of the slow function that guards the key slot (docs/decisions/luks-keys.md).
 */
export async function createKeys(plan: LuksPlan, options: CreateKeysOptions): Promise<VolumeKeys> {
  const { salts, pbkdf } = plan
  const slotKey = await deriveKey(options.passphrase, saltOf(salts.keyslot), pbkdf, KEY_SIZE, options)
  const secret = (use: string): Uint8Array => hkdf(sha256, slotKey, undefined, utf8(use), KEY_SIZE)
  const volumeKey = options.volumeKey ?? secret('bootable luks volume key')

  // The stripes want bytes that look like chance: a key stream of their own.
  const stream = createSectorCipher(secret('bootable luks stripes'), AREA_SECTOR, options)
  const filling = await stream.run('encrypt', 0, new Uint8Array(KEY_SIZE * STRIPES))
  const split = splitKey(volumeKey, filling, { ...options, hash: 'sha256', stripes: STRIPES })
  const area = await createSectorCipher(slotKey, AREA_SECTOR, options).run('encrypt', 0, split)

  const kdf = { type: 'pbkdf2', hash: DIGEST_HASH, iterations: DIGEST_ITERATIONS } as const
  return { volumeKey, area, digest: await deriveKey(volumeKey, saltOf(salts.digest), kdf, 32, options) }
}

function saltOf(text: string): Uint8Array {
  const salt = fromBase64(text)
  if (!salt) throw new RangeError(`not base64: ${text}`)
  return salt
}

/**
 * The volume key of a key slot; `undefined` where the passphrase is not that of the slot.
 * @param area its bytes on the device
 */
export async function openKeyslot(
  keyslot: Keyslot,
  digest: KeyDigest,
  area: Uint8Array,
  passphrase: Uint8Array,
  options: OperationOptions & RuntimeOptions,
): Promise<Uint8Array | undefined> {
  const { kdf, salt, keySize, stripes, antiForensicHash } = keyslot
  const slotKey = await deriveKey(passphrase, salt, kdf, keyslot.area.keySize, options)
  const split = await createSectorCipher(slotKey, AREA_SECTOR, options).run('decrypt', 0, area)
  const key = mergeKey(split, keySize, { ...options, hash: antiForensicHash, stripes })
  const check = { type: 'pbkdf2', hash: digest.hash, iterations: digest.iterations } as const
  const found = await deriveKey(key, digest.salt, check, digest.digest.length, options)
  return sameBytes(found, digest.digest) ? key : undefined
}

/** In constant time, as everything that compares secrets. */
function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length
  for (let index = 0; index < a.length; index++) difference |= (a[index] as number) ^ (b[index] as number)
  return difference === 0
}
