import { seededBytes, type Uuid, utf8, uuidToBytes } from '@bootable/bytes'
import { toBase64 } from './base64.ts'
import { luksError } from './errors.ts'
import { CIPHER, DATA_OFFSET, SECTOR_SIZES } from './format.ts'
import { type Argon2, DEFAULT_ARGON2ID, DEFAULT_PBKDF2, type KeyDerivation, type Pbkdf2 } from './kdf.ts'

/** Bytes in front of the data: both headers and the key slots. */
export const LUKS_OVERHEAD: number = DATA_OFFSET

/** Everything about an encrypted volume but its secrets. Plain JSON. */
export interface LuksPlan {
  readonly uuid: Uuid
  readonly label: string
  readonly subsystem: string
  readonly cipher: typeof CIPHER
  /** Bytes that are encrypted at a time, and the smallest that the opened volume reads and writes. */
  readonly sectorSize: (typeof SECTOR_SIZES)[number]
  readonly pbkdf: KeyDerivation
  /** Base64. They stand in the header in clear: salts are no secrets. */
  readonly salts: { readonly keyslot: string; readonly digest: string; readonly headers: readonly string[] }
}

/** What {@link planLuks} is asked for. */
export interface PlanLuksOptions {
  readonly uuid: Uuid
  /** All salts depend on it, and on the uuid. */
  readonly seed: string
  /** At most 47 bytes. @defaultValue none */
  readonly label?: string
  /** At most 47 bytes. @defaultValue none */
  readonly subsystem?: string
  /** @defaultValue 'aes-xts-plain64', the only one */
  readonly cipher?: string
  /**
   * 512, 1024, 2048 or 4096. Larger ones are faster, but a filesystem whose own sectors are smaller than
   * these (xfs, vfat) cannot be mounted.
   * @defaultValue 512
   */
  readonly sectorSize?: number
  /** A name stands for our cost: Argon2id 128 MiB, 4 passes, 4 lanes; PBKDF2 1 000 000 rounds of SHA-256. */
  readonly pbkdf?: 'argon2id' | 'pbkdf2' | Argon2 | Pbkdf2
}

/** @throws BootableError `LUKS_OPTION_INVALID` with all problems */
export function planLuks(options: PlanLuksOptions): LuksPlan {
  const { seed, label = '', subsystem = '', cipher = CIPHER, sectorSize = 512, pbkdf = 'argon2id' } = options
  const derivation = typeof pbkdf === 'string' ? DEFAULTS[pbkdf] : pbkdf
  const problems = findProblems({ uuid: options.uuid, label, subsystem, cipher, sectorSize }, derivation)
  if (problems.length > 0 || !derivation) {
    throw luksError('LUKS_OPTION_INVALID', problems.join('\n'), { details: { problems } })
  }
  const uuid = options.uuid.toLowerCase()
  const salt = (use: string, length = 32): string =>
    toBase64(seededBytes(seed, `luks ${use} ${uuid}`, length))
  return {
    uuid,
    label,
    subsystem,
    cipher: CIPHER,
    sectorSize: sectorSize as LuksPlan['sectorSize'],
    pbkdf: derivation,
    salts: { keyslot: salt('keyslot'), digest: salt('digest'), headers: [salt('header'), salt('copy')] },
  }
}

const DEFAULTS: Readonly<Record<string, KeyDerivation>> = {
  argon2id: DEFAULT_ARGON2ID,
  pbkdf2: DEFAULT_PBKDF2,
}

/** Costs that cryptsetup takes (`crypt_pbkdf_get_limits`), and what the portable Argon2 can hold. */
const COSTS: Readonly<Record<string, readonly (readonly [name: string, least: number, most: number])[]>> = {
  pbkdf2: [['iterations', 1000, 2 ** 31 - 1]],
  argon2id: [
    ['time', 4, 1000],
    ['memory', 32, 1_048_576],
    ['cpus', 1, 4],
  ],
}

function findProblems(
  fields: { uuid: string; label: string; subsystem: string; cipher: string; sectorSize: number },
  pbkdf: KeyDerivation | undefined,
): string[] {
  const { uuid, label, subsystem, cipher, sectorSize } = fields
  const problems: string[] = []
  const expect = (option: string, value: unknown, isGood: boolean, expected: string): void => {
    if (!isGood) problems.push(`${option} ${JSON.stringify(value)}: ${expected}`)
  }
  expect('uuid', uuid, isUuid(uuid), 'must be a uuid')
  for (const [option, text] of [
    ['label', label],
    ['subsystem', subsystem],
  ] as const) {
    const bytes = utf8(text)
    expect(option, text, bytes.length < 48 && !bytes.includes(0), 'must have at most 47 bytes, none zero')
  }
  expect('cipher', cipher, cipher === CIPHER, `must be ${CIPHER}`)
  const sizes = SECTOR_SIZES.join(', ')
  expect(
    'sectorSize',
    sectorSize,
    SECTOR_SIZES.some((size) => size === sectorSize),
    `must be one of ${sizes}`,
  )
  const costs = COSTS[pbkdf?.type ?? '']
  expect('pbkdf', pbkdf?.type, costs !== undefined, 'must be argon2id or pbkdf2')
  for (const [name, least, most] of costs ?? []) {
    const value = (pbkdf as unknown as Record<string, number>)[name] as number
    const isGood = Number.isInteger(value) && value >= least && value <= most
    expect(`pbkdf.${name}`, value, isGood, `must be ${least} to ${most}`)
  }
  if (pbkdf?.type === 'pbkdf2') {
    expect('pbkdf.hash', pbkdf.hash, ['sha256', 'sha512'].includes(pbkdf.hash), 'must be sha256 or sha512')
  } else if (pbkdf?.type === 'argon2id') {
    // RFC 9106, 3.1: eight blocks of 1 KiB for each lane.
    expect('pbkdf.memory', pbkdf.memory, pbkdf.memory >= 8 * pbkdf.cpus, 'must be 8 KiB for each lane')
  }
  return problems
}

function isUuid(uuid: string): boolean {
  try {
    return uuidToBytes(uuid).length === 16
  } catch {
    return false
  }
}
