import { FormatError, type HashAlgorithm } from '@bootable/bytes'
import { fromBase64 } from './base64.ts'
import { luksFormatError } from './errors.ts'
import { AREA_SECTOR, CIPHER, KEY_SIZES, SECTOR_SIZES, STRIPES } from './format.ts'
import type { KeyDerivation } from './kdf.ts'

/** A place where the volume key stands, encrypted under a passphrase. */
export interface Keyslot {
  readonly id: string
  /** 2 is tried first, 0 only when asked for by number. */
  readonly priority: number
  /** Bytes of the volume key. */
  readonly keySize: number
  readonly kdf: KeyDerivation
  readonly salt: Uint8Array
  readonly antiForensicHash: HashAlgorithm
  readonly stripes: number
  readonly area: { readonly offset: number; readonly size: number; readonly keySize: number }
}

/** How a volume key is recognised. */
export interface KeyDigest {
  readonly keyslots: readonly string[]
  readonly hash: HashAlgorithm
  readonly iterations: number
  readonly salt: Uint8Array
  readonly digest: Uint8Array
}

/** The encrypted data. */
export interface DataSegment {
  /** Bytes from the start of the device. */
  readonly offset: number
  /** Bytes; `undefined` up to the end of the device. */
  readonly size: number | undefined
  /** Number of the first sector, in units of 512 bytes. */
  readonly ivTweak: number
  readonly sectorSize: number
}

/** The JSON area as far as it is needed. */
export interface LuksMetadata {
  readonly keyslots: readonly Keyslot[]
  /** What binds the key slots to the segment. */
  readonly digest: KeyDigest
  readonly segment: DataSegment
}

type Json = Readonly<Record<string, unknown>>

/** LUKS2 allows 32 key slots; there are as many digests at most. */
const MAX_OBJECTS = 32
/** Header and key slots together are at most 128 MiB (cryptsetup's `LUKS2_MAX_KEYSLOTS_SIZE`). */
const MAX_AREA_END = 128 * 1_048_576 + 8 * 1_048_576

/**
 * Checks the JSON area (LUKS2 On-Disk Format Specification, 3).
 *
 * @throws FormatError, with `FORMAT_UNSUPPORTED` for ciphers and hashes other than AES-XTS and SHA-2,
 *   integrity protection, and a volume in the middle of its reencryption
 */
export function parseMetadata(text: string): LuksMetadata {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch (cause) {
    throw luksFormatError('FORMAT_INVALID', 'JSON area', (cause as Error).message)
  }
  const root = asObject(document, 'JSON area')
  refuseRequirements(root)
  const segments = objects(root, 'segments')
  const [first] = segments
  if (!first || segments.length > 1) {
    throw unsupported(
      'segments',
      `there are ${segments.length}; one is read, so a reencryption must end first`,
    )
  }
  const [segmentId, segment] = first
  const digests = objects(root, 'digests').filter(([id, digest]) =>
    list(digest, 'segments', `digests/${id}`).includes(segmentId),
  )
  const [bound] = digests
  if (!bound) throw invalid('digests', `none is of segment ${segmentId}`)
  const digest = parseDigest(bound[1], `digests/${bound[0]}`)
  const keyslots = objects(root, 'keyslots').filter(([id]) => digest.keyslots.includes(id))
  return { digest, segment: parseSegment(segment, `segments/${segmentId}`), keyslots: usable(keyslots) }
}

/** What cannot be read stands in nobody's way as long as another key slot can. */
function usable(keyslots: readonly [id: string, keyslot: Json][]): Keyslot[] {
  const parsed: Keyslot[] = []
  let refused: unknown
  for (const [id, keyslot] of keyslots) {
    try {
      parsed.push(parseKeyslot(id, keyslot))
    } catch (error) {
      if (!(error instanceof FormatError) || error.code !== 'FORMAT_UNSUPPORTED') throw error
      refused ??= error
    }
  }
  if (parsed.length === 0 && refused) throw refused
  return parsed
}

function refuseRequirements(root: Json): void {
  const { requirements } = asObject(root.config, 'config')
  if (requirements === undefined) return
  const mandatory = list(asObject(requirements, 'requirements'), 'mandatory', 'config/requirements')
  if (mandatory.length > 0) throw unsupported('requirements', mandatory.map(String).join(', ').slice(0, 200))
}

function parseSegment(segment: Json, where: string): DataSegment {
  if (segment.type !== 'crypt') throw unsupported(where, `type ${shown(segment.type)}`)
  if (segment.integrity !== undefined) throw unsupported(where, 'integrity protection')
  expectCipher(segment, where)
  const sectorSize = wholeNumber(segment, 'sector_size', where)
  if (!(SECTOR_SIZES as readonly number[]).includes(sectorSize)) {
    throw invalid(`${where}/sector_size`, `is ${sectorSize}`)
  }
  const offset = decimal(segment, 'offset', where)
  if (offset % AREA_SECTOR !== 0) throw invalid(`${where}/offset`, `${offset} is inside a sector`)
  const size = segment.size === 'dynamic' ? undefined : decimal(segment, 'size', where)
  return { offset, size, ivTweak: decimal(segment, 'iv_tweak', where), sectorSize }
}

function parseDigest(digest: Json, where: string): KeyDigest {
  if (digest.type !== 'pbkdf2') throw unsupported(where, `type ${shown(digest.type)}`)
  return {
    keyslots: list(digest, 'keyslots', where).map(String),
    hash: hashName(digest, where),
    iterations: wholeNumber(digest, 'iterations', where),
    salt: base64(digest, 'salt', where),
    digest: base64(digest, 'digest', where),
  }
}

function parseKeyslot(id: string, keyslot: Json): Keyslot {
  const where = `keyslots/${id}`
  if (keyslot.type !== 'luks2') throw unsupported(where, `type ${shown(keyslot.type)}`)
  const keySize = keyLength(keyslot, where)
  const af = asObject(keyslot.af, `${where}/af`)
  const stripes = wholeNumber(af, 'stripes', `${where}/af`)
  if (af.type !== 'luks1' || stripes !== STRIPES) {
    throw unsupported(`${where}/af`, `type ${shown(af.type)} of ${stripes} stripes`)
  }
  const area = asObject(keyslot.area, `${where}/area`)
  if (area.type !== 'raw') throw unsupported(`${where}/area`, `type ${shown(area.type)}`)
  expectCipher(area, `${where}/area`)
  const offset = decimal(area, 'offset', `${where}/area`)
  const size = decimal(area, 'size', `${where}/area`)
  if (size < keySize * stripes || offset + size > MAX_AREA_END) {
    throw invalid(`${where}/area`, `${size} bytes at ${offset} for ${keySize * stripes}`)
  }
  const kdf = asObject(keyslot.kdf, `${where}/kdf`)
  return {
    id,
    priority: keyslot.priority === undefined ? 1 : wholeNumber(keyslot, 'priority', where),
    keySize,
    kdf: parseKdf(kdf, `${where}/kdf`),
    salt: base64(kdf, 'salt', `${where}/kdf`),
    antiForensicHash: hashName(af, `${where}/af`),
    stripes,
    area: { offset, size, keySize: keyLength(area, `${where}/area`) },
  }
}

function parseKdf(kdf: Json, where: string): KeyDerivation {
  const { type } = kdf
  if (type === 'pbkdf2') {
    return { type, hash: hashName(kdf, where), iterations: wholeNumber(kdf, 'iterations', where) }
  }
  if (type !== 'argon2i' && type !== 'argon2id') throw unsupported(where, `type ${shown(type)}`)
  const [time, memory, cpus] = ['time', 'memory', 'cpus'].map((key) => wholeNumber(kdf, key, where)) as [
    number,
    number,
    number,
  ]
  if (cpus > 64 || memory < 8 * cpus) throw invalid(where, `${memory} KiB for ${cpus} lanes`)
  return { type, time, memory, cpus }
}

function expectCipher(section: Json, where: string): void {
  if (section.encryption === CIPHER) return
  throw unsupported(where, `encryption ${shown(section.encryption)}; ${CIPHER} is read`)
}

function hashName(section: Json, where: string): HashAlgorithm {
  const { hash } = section
  if (hash === 'sha256' || hash === 'sha512') return hash
  throw unsupported(where, `hash ${shown(hash)}; sha256 and sha512 are read`)
}

function keyLength(section: Json, where: string): number {
  const size = wholeNumber(section, 'key_size', where)
  if (!KEY_SIZES.includes(size)) throw invalid(`${where}/key_size`, `is ${size}, not 32 or 64`)
  return size
}

/** Objects of a section by id. */
function objects(root: Json, key: string): [id: string, object: Json][] {
  const entries = Object.entries(asObject(root[key], key))
  if (entries.length > MAX_OBJECTS)
    throw invalid(key, `${entries.length} objects; ${MAX_OBJECTS} are possible`)
  return entries.map(([id, value]) => [id, asObject(value, `${key}/${id}`)])
}

function asObject(value: unknown, where: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json
  throw invalid(where, `is ${shown(value)}, not an object`)
}

function list(section: Json, key: string, where: string): unknown[] {
  const value = section[key]
  if (Array.isArray(value)) return value
  throw invalid(`${where}/${key}`, `is ${shown(value)}, not a list`)
}

function wholeNumber(section: Json, key: string, where: string): number {
  const value = section[key]
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value < 2 ** 32) return value
  if (key === 'priority' && value === 0) return 0
  throw invalid(`${where}/${key}`, `is ${shown(value)}, not a number above 0`)
}

/** 64-bit numbers are decimal strings, which JSON's own numbers could not hold. */
function decimal(section: Json, key: string, where: string): number {
  const value = section[key]
  const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN
  if (Number.isSafeInteger(number)) return number
  throw invalid(`${where}/${key}`, `is ${shown(value)}, not a number in a string`)
}

function base64(section: Json, key: string, where: string): Uint8Array {
  const value = section[key]
  const bytes = typeof value === 'string' ? fromBase64(value) : undefined
  if (bytes && bytes.length >= 8 && bytes.length <= 512) return bytes
  throw invalid(`${where}/${key}`, `is ${shown(value)}, not base64 of 8 to 512 bytes`)
}

/** Lists and objects by their kind alone: a hostile one is nested deeper than `JSON.stringify` can follow. */
function shown(value: unknown): string {
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object'
  return `${JSON.stringify(value)}`.slice(0, 80)
}

function invalid(structure: string, message: string): Error {
  return luksFormatError('FORMAT_INVALID', structure, message)
}

function unsupported(structure: string, message: string): Error {
  return luksFormatError('FORMAT_UNSUPPORTED', structure, message)
}
