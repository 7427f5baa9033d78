import {
  type ByteSource,
  decodeUtf8,
  equalBytes,
  FormatError,
  portableRuntime,
  type RuntimeOptions,
  type Uuid,
  utf8,
} from '@bootable/bytes'
import { fromBase64 } from './base64.ts'
import { luksFormatError } from './errors.ts'
import {
  CHECKSUM,
  HEADER_SIZE,
  HEADER_SIZES,
  Luks2Header,
  MAGIC_PRIMARY,
  MAGIC_SECONDARY,
  VERSION,
} from './format.ts'
import type { LuksPlan } from './plan.ts'

/**
 * Both copies of the header with their JSON areas, as they go to the start of the device.
 * @param json without the zeros behind it
 */
export function encodeHeaders(plan: LuksPlan, json: string, options: RuntimeOptions = {}): Uint8Array {
  const headers = new Uint8Array(2 * HEADER_SIZE)
  for (const [copy, magic] of [MAGIC_PRIMARY, MAGIC_SECONDARY].entries()) {
    const header = headers.subarray(copy * HEADER_SIZE, (copy + 1) * HEADER_SIZE)
    Luks2Header.write(header, 0, {
      magic,
      version: VERSION,
      hdrSize: HEADER_SIZE,
      seqid: 1,
      label: utf8(plan.label),
      checksumAlg: CHECKSUM,
      salt: fromBase64(plan.salts.headers[copy] ?? '') ?? new Uint8Array(),
      uuid: plan.uuid,
      subsystem: utf8(plan.subsystem),
      hdrOffset: copy * HEADER_SIZE,
    })
    header.set(utf8(json), Luks2Header.size)
    Luks2Header.write(header, 0, { csum: checksum(header, options) })
  }
  return headers
}

/** A header whose checksum is right. */
export interface LuksHeader {
  readonly uuid: Uuid
  readonly label: string
  readonly subsystem: string
  /** Counts the changes. */
  readonly sequence: number
  /** `backup`: the first copy was damaged or older. */
  readonly copy: 'primary' | 'backup'
  /** Bytes of this copy. */
  readonly size: number
  readonly json: string
}

/** Tells whether a source starts like a LUKS volume of either version. */
export async function isLuks(source: ByteSource): Promise<boolean> {
  if (source.size < MAGIC_PRIMARY.length) return false
  const magic = new Uint8Array(MAGIC_PRIMARY.length)
  await source.read(0, magic)
  return equalBytes(magic, MAGIC_PRIMARY)
}

/**
 * Reads the newer of both headers, as cryptsetup does; a damaged one stands back.
 * @throws FormatError of the first copy, when the second is no better
 */
export async function readHeader(source: ByteSource, options: RuntimeOptions = {}): Promise<LuksHeader> {
  let damage: unknown
  const attempt = async (offset: number): Promise<LuksHeader | undefined> => {
    try {
      return await readCopy(source, offset, options)
    } catch (error) {
      // Version 1 has no second copy, and what is beyond us is so in both. A damaged second copy is no reason
      // to refuse a good first one.
      const isFinal = offset === 0 && error instanceof FormatError && error.code === 'FORMAT_UNSUPPORTED'
      if (!(error instanceof FormatError) || isFinal) throw error
      damage ??= error
      return undefined
    }
  }
  const primary = await attempt(0)
  // The second copy follows the first. Without that, its place is one of nine.
  for (const offset of primary ? [primary.size] : HEADER_SIZES) {
    const backup = await attempt(offset)
    if (backup && (!primary || backup.sequence > primary.sequence)) return backup
  }
  if (primary) return primary
  throw damage ?? luksFormatError('FORMAT_INVALID', 'luks2_hdr_disk', 'no magic number of LUKS', 0)
}

/** `undefined` where no header is. */
async function readCopy(
  source: ByteSource,
  offset: number,
  options: RuntimeOptions,
): Promise<LuksHeader | undefined> {
  const copy = offset === 0 ? 'primary' : 'backup'
  if (offset + Luks2Header.size > source.size) {
    if (offset > 0) return undefined
    throw luksFormatError('FORMAT_TRUNCATED', 'luks2_hdr_disk', `${source.size} bytes are no header`, 0)
  }
  const head = new Uint8Array(Luks2Header.size)
  await source.read(offset, head)
  const magic = copy === 'primary' ? MAGIC_PRIMARY : MAGIC_SECONDARY
  if (!equalBytes(head.subarray(0, magic.length), magic)) return undefined
  const fail = (structure: string, message: string, code: 'INVALID' | 'UNSUPPORTED' | 'TRUNCATED'): Error =>
    luksFormatError(`FORMAT_${code}`, structure, message, offset)
  // Of version 1, nothing behind this field means the same.
  const { version } = Luks2Header.at(head)
  if (version !== VERSION) {
    const hint = version === 1 ? '; cryptsetup convert --type luks2 makes a LUKS2 of it' : ''
    throw fail('version', `${version}, expected 2${hint}`, 'UNSUPPORTED')
  }
  const fields = Luks2Header.read(head)
  const { hdrSize, hdrOffset, checksumAlg } = fields
  if (!HEADER_SIZES.includes(hdrSize)) throw fail('hdr_size', `${hdrSize} bytes`, 'INVALID')
  if (hdrOffset !== offset || (copy === 'backup' && hdrSize !== offset)) {
    throw fail('hdr_offset', `${hdrOffset}, but it lies at ${offset}`, 'INVALID')
  }
  if (checksumAlg !== CHECKSUM) {
    throw fail('checksum_alg', `${JSON.stringify(checksumAlg)}, expected sha256`, 'UNSUPPORTED')
  }
  if (offset + hdrSize > source.size)
    throw fail('JSON area', `the device ends at ${source.size}`, 'TRUNCATED')
  const header = new Uint8Array(hdrSize)
  await source.read(offset, header)
  if (!equalBytes(checksum(header, options), fields.csum.subarray(0, 32))) {
    throw luksFormatError('FORMAT_CHECKSUM', 'luks2_hdr_disk', 'the sha256 is wrong', offset)
  }
  const text = (bytes: Uint8Array, what: string): string => {
    const end = bytes.indexOf(0)
    const decoded = decodeUtf8(end < 0 ? bytes : bytes.subarray(0, end))
    if (decoded === undefined) throw fail(what, 'it is not UTF-8', 'INVALID')
    return decoded
  }
  return {
    uuid: fields.uuid,
    label: text(fields.label, 'label'),
    subsystem: text(fields.subsystem, 'subsystem'),
    sequence: fields.seqid,
    copy,
    size: hdrSize,
    json: text(header.subarray(Luks2Header.size), 'JSON area'),
  }
}

/** The digest of a header with a checksum of zeros. */
function checksum(header: Uint8Array, { runtime = portableRuntime }: RuntimeOptions): Uint8Array {
  const { csum } = Luks2Header.fields
  return runtime
    .createHash(CHECKSUM)
    .update(header.subarray(0, csum.offset))
    .update(new Uint8Array(csum.size))
    .update(header.subarray(csum.offset + csum.size))
    .digest()
}
