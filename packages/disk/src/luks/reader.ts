import type { ByteSource, OperationOptions, RuntimeOptions, Uuid } from '@bootable/bytes'
import { createSectorCipher } from './cipher.ts'
import { luksError, luksFormatError } from './errors.ts'
import { AREA_SECTOR, CIPHER } from './format.ts'
import { readHeader } from './header.ts'
import type { KeyDerivation } from './kdf.ts'
import { openKeyslot } from './keys.ts'
import { type Keyslot, type LuksMetadata, parseMetadata } from './metadata.ts'
import { decryptedSource } from './volume.ts'

/** What a hostile header may make its reader spend. All key slots that are tried count together. */
export interface LuksLimits {
  /** KiB that Argon2 may take at once. @defaultValue 1 GiB, the most that cryptsetup asks for by itself */
  readonly memory?: number
  /** KiB times passes of Argon2: its time. @defaultValue 64 GiB */
  readonly work?: number
  /** Rounds of PBKDF2. @defaultValue 50 000 000 */
  readonly iterations?: number
}

const LIMITS: Required<LuksLimits> = { memory: 1_048_576, work: 64 * 1_048_576, iterations: 50_000_000 }

/** Options of {@link LuksVolume.unlock}. */
export interface UnlockOptions extends OperationOptions, RuntimeOptions {
  readonly limits?: LuksLimits
  /** The only key slot to try. @defaultValue all but those that must be asked for, by priority */
  readonly keyslot?: number
}

/** An encrypted volume that is still closed. */
export interface LuksVolume {
  readonly uuid: Uuid
  readonly label: string
  readonly subsystem: string
  /** `backup`: the first header was damaged or older. */
  readonly copy: 'primary' | 'backup'
  readonly cipher: string
  /** Bytes. */
  readonly sectorSize: number
  /** Bytes in front of the data. */
  readonly dataOffset: number
  /** Bytes of the data. */
  readonly size: number
  readonly keyslots: readonly { readonly number: number; readonly kdf: KeyDerivation }[]
  /**
   * The decrypted bytes.
   *
   * @throws BootableError `LUKS_PASSPHRASE_WRONG`; `LUKS_KDF_LIMIT` for a header that wants too much
   */
  unlock(passphrase: Uint8Array, options?: UnlockOptions): Promise<ByteSource>
}

/**
 * Reads the header of a LUKS2 volume; the newer of its two copies counts.
 *
 * @throws FormatError, with `FORMAT_UNSUPPORTED` for LUKS1 and for other ciphers than AES-XTS
 */
export async function readLuks(
  source: ByteSource,
  options: OperationOptions & RuntimeOptions = {},
): Promise<LuksVolume> {
  options.signal?.throwIfAborted()
  const header = await readHeader(source, options)
  const metadata = parseMetadata(header.json)
  const { segment, keyslots } = metadata
  const size = segmentSize(source, metadata)
  return {
    uuid: header.uuid,
    label: header.label,
    subsystem: header.subsystem,
    copy: header.copy,
    cipher: CIPHER,
    sectorSize: segment.sectorSize,
    dataOffset: segment.offset,
    size,
    keyslots: keyslots.map(({ id, kdf }) => ({ number: Number(id), kdf })),
    async unlock(passphrase, unlockOptions = {}) {
      const merged = { ...options, ...unlockOptions }
      const key = await findKey(source, metadata, passphrase, merged)
      const cipher = createSectorCipher(key, segment.sectorSize, merged)
      const { offset, ivTweak } = segment
      return decryptedSource(source, { cipher, offset, size, ivTweak })
    },
  }
}

/** Bytes of the data: what the header says, or up to the last whole sector. */
function segmentSize(source: ByteSource, { segment }: LuksMetadata): number {
  const available = source.size - segment.offset
  const size = segment.size ?? available - (available % segment.sectorSize)
  if (size % segment.sectorSize !== 0) {
    throw luksFormatError('FORMAT_INVALID', 'segment', `${size} bytes in sectors of ${segment.sectorSize}`)
  }
  if (size <= 0 || size > available) {
    const text = `it starts at ${segment.offset}, the device ends at ${source.size}`
    throw luksFormatError('FORMAT_TRUNCATED', 'segment', text)
  }
  return size
}

async function findKey(
  source: ByteSource,
  { keyslots, digest }: LuksMetadata,
  passphrase: Uint8Array,
  options: UnlockOptions,
): Promise<Uint8Array> {
  const tried = keyslots
    .filter(({ id, priority }) =>
      options.keyslot === undefined ? priority > 0 : Number(id) === options.keyslot,
    )
    .sort((a, b) => b.priority - a.priority)
  const spend = createBudget({ ...LIMITS, ...options.limits })
  for (const keyslot of tried) {
    options.signal?.throwIfAborted()
    spend(keyslot.kdf, `key slot ${keyslot.id}`)
    spend({ type: 'pbkdf2', hash: digest.hash, iterations: digest.iterations }, 'digest')
    const area = await readArea(source, keyslot)
    const key = await openKeyslot(keyslot, digest, area, passphrase, options)
    if (key) return key
  }
  const numbers = tried.map(({ id }) => id)
  throw luksError(
    'LUKS_PASSPHRASE_WRONG',
    `the passphrase opens none of the key slots (${numbers.join(', ')})`,
    {
      details: { keyslots: numbers },
      hint: 'mind the newline that many editors put at the end of a key file',
    },
  )
}

/** The encrypted stripes, up to a whole sector. */
async function readArea(source: ByteSource, { id, area, keySize, stripes }: Keyslot): Promise<Uint8Array> {
  const length = Math.ceil((keySize * stripes) / AREA_SECTOR) * AREA_SECTOR
  if (area.offset + length > source.size) {
    const text = `${length} bytes at ${area.offset}, the device ends at ${source.size}`
    throw luksFormatError('FORMAT_TRUNCATED', `key slot ${id}`, text, area.offset)
  }
  const bytes = new Uint8Array(length)
  await source.read(area.offset, bytes)
  return bytes
}

/** Counts costs before they are paid. */
function createBudget(limits: Required<LuksLimits>): (kdf: KeyDerivation, what: string) => void {
  let work = 0
  let iterations = 0
  const check = (what: string, name: keyof LuksLimits, cost: number): void => {
    if (cost <= limits[name]) return
    throw luksError('LUKS_KDF_LIMIT', `${what} asks for a ${name} of ${cost}, the limit is ${limits[name]}`, {
      details: { limit: name, cost, allowed: limits[name] },
      hint: `raise limits.${name}, or name the key slot, if the volume is to be trusted`,
    })
  }
  return (kdf, what) => {
    if (kdf.type === 'pbkdf2') {
      iterations += kdf.iterations
      check(what, 'iterations', iterations)
      return
    }
    work += kdf.memory * kdf.time
    check(what, 'memory', kdf.memory)
    check(what, 'work', work)
  }
}
