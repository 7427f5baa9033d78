import {
  type ByteSource,
  FormatError,
  type FormatErrorCode,
  guidFromBytes,
  isZero,
  MiB,
  type StructValue,
} from '@bootable/bytes'
import { formatErrorOf } from '../blocks/errors.ts'
import {
  checksumOf,
  FILE_SIGNATURE,
  FileIdentifier,
  HEADER_OFFSETS,
  HEADER_SECTION_SIZE,
  HEADER_SIGNATURE,
  HEADER_VERSION,
  Header,
  MAX_ENTRIES,
  REGION_BAT,
  REGION_METADATA,
  REGION_REQUIRED,
  REGION_SIGNATURE,
  REGION_TABLE_OFFSETS,
  REGION_TABLE_SIZE,
  RegionTableEntry,
  RegionTableHeader,
} from './format.ts'

/** A part of the file, in bytes. */
export interface Region {
  readonly fileOffset: number
  readonly length: number
}

/** The regions that every file has. */
export interface Regions {
  readonly bat: Region
  readonly metadata: Region
}

type HeaderValue = StructValue<typeof Header.fields>

/**
 * Reads and checks file identifier, headers and region table.
 *
 * A log with entries is refused: they would have to be replayed, which writes.
 *
 * @throws FormatError
 */
export async function readRegions(source: ByteSource): Promise<Regions> {
  if (source.size < HEADER_SECTION_SIZE) {
    throw vhdxError('FORMAT_TRUNCATED', 'header section', 0, `${source.size} bytes are no image`)
  }
  const identifier = new Uint8Array(FileIdentifier.size)
  await source.read(0, identifier)
  if (FileIdentifier.read(identifier).signature !== FILE_SIGNATURE) {
    throw vhdxError('FORMAT_INVALID', 'file identifier', 0, `no "${FILE_SIGNATURE}"`)
  }
  const header = await readCurrentHeader(source)
  if (!isZero(header.logGuid)) {
    const text = 'it has entries: the disk was not closed, and they must be replayed first'
    throw vhdxError('FORMAT_UNSUPPORTED', 'log', header.logOffset, text)
  }
  return readEither(REGION_TABLE_OFFSETS, (offset) => readRegionTable(source, offset))
}

/** 2.2.2: of two good headers the one with the higher sequence number. */
async function readCurrentHeader(source: ByteSource): Promise<HeaderValue> {
  const found: HeaderValue[] = []
  let damage: unknown
  for (const offset of HEADER_OFFSETS) {
    try {
      found.push(await readHeader(source, offset))
    } catch (error) {
      if (!(error instanceof FormatError)) throw error
      damage ??= error
    }
  }
  const [first, second] = found
  if (!first) throw damage
  // Equal numbers make the file invalid; Disk2VHD writes the same header twice, which harms nobody.
  return second && second.sequenceNumber > first.sequenceNumber ? second : first
}

async function readHeader(source: ByteSource, offset: number): Promise<HeaderValue> {
  const raw = await readChecked(source, offset, Header.size, HEADER_SIGNATURE)
  const header = Header.read(raw)
  if (header.version !== HEADER_VERSION) {
    throw vhdxError('FORMAT_UNSUPPORTED', 'version', offset + 0x42, `version ${header.version}; 1 is known`)
  }
  return header
}

async function readRegionTable(source: ByteSource, offset: number): Promise<Regions> {
  const raw = await readChecked(source, offset, REGION_TABLE_SIZE, REGION_SIGNATURE)
  const { entryCount } = RegionTableHeader.read(raw)
  if (entryCount > MAX_ENTRIES) {
    throw vhdxError('FORMAT_INVALID', 'entry count', offset + 8, `${entryCount}; ${MAX_ENTRIES} are the most`)
  }
  const regions = new Map<string, Region>()
  for (let index = 0; index < entryCount; index++) {
    const at = RegionTableHeader.size + index * RegionTableEntry.size
    const { guid, fileOffset, length, required } = RegionTableEntry.read(raw, at)
    const name = guidFromBytes(guid)
    const fail = (code: FormatErrorCode, message: string): never => {
      throw vhdxError(code, 'region table entry', offset + at, `region ${name}: ${message}`)
    }
    if (name !== REGION_BAT && name !== REGION_METADATA) {
      if ((required & REGION_REQUIRED) !== 0) fail('FORMAT_UNSUPPORTED', 'unknown and required')
      continue
    }
    if (regions.has(name)) fail('FORMAT_INVALID', 'it is there twice')
    if (fileOffset < HEADER_SECTION_SIZE || fileOffset % MiB !== 0 || length % MiB !== 0) {
      fail('FORMAT_INVALID', `${length} bytes at ${fileOffset} are not whole MiB behind the first`)
    }
    if (fileOffset + length > source.size) {
      fail('FORMAT_TRUNCATED', `${length} bytes at ${fileOffset}; the file ends at ${source.size}`)
    }
    regions.set(name, { fileOffset, length })
  }
  const [bat, metadata] = [regions.get(REGION_BAT), regions.get(REGION_METADATA)]
  if (!bat || !metadata) {
    throw vhdxError(
      'FORMAT_INVALID',
      'region table',
      offset,
      `there is no ${bat ? 'metadata' : 'block table'}`,
    )
  }
  return { bat, metadata }
}

/** A structure that starts with a signature and its checksum. */
async function readChecked(
  source: ByteSource,
  offset: number,
  size: number,
  signature: string,
): Promise<Uint8Array> {
  const raw = new Uint8Array(size)
  await source.read(offset, raw)
  if (String.fromCharCode(...raw.subarray(0, 4)) !== signature) {
    throw vhdxError('FORMAT_INVALID', 'signature', offset, `no "${signature}"`)
  }
  const { checksum } = RegionTableHeader.read(raw)
  const actual = checksumOf(raw)
  if (checksum !== actual) {
    throw vhdxError('FORMAT_CHECKSUM', signature, offset, 'its checksum is another', {
      expected: checksum,
      actual,
    })
  }
  return raw
}

/** The first of two copies, or the second where that is damaged. */
async function readEither<T>(
  [first, second]: readonly [number, number],
  read: (offset: number) => Promise<T>,
): Promise<T> {
  try {
    return await read(first)
  } catch (error) {
    if (!(error instanceof FormatError) || error.code === 'FORMAT_UNSUPPORTED') throw error
    return read(second).catch(() => {
      throw error
    })
  }
}

/** A FormatError of this format. */
export const vhdxError = formatErrorOf('vhdx')
