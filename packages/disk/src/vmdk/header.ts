import { type ByteSource, equalBytes, type FormatError, type StructValue } from '@bootable/bytes'
import { formatErrorOf } from '../blocks/errors.ts'
import { parseDescriptor, type VmdkDescriptor } from './descriptor.ts'
import {
  COMPRESSION_DEFLATE,
  COMPRESSION_NONE,
  ENTRIES_PER_TABLE,
  ENTRY_SIZE,
  FLAG_COMPRESSED,
  FLAG_MARKERS,
  FLAG_NEW_LINE_TEST,
  FLAG_ZERO_GRAIN,
  GD_AT_END,
  MAGIC,
  MARKER_END_OF_STREAM,
  MARKER_FOOTER,
  Marker,
  NEW_LINE_TEST,
  SECTOR,
  SparseExtentHeader,
} from './format.ts'

/** What a vmdk says about itself. */
export interface VmdkInfo extends VmdkDescriptor {
  readonly version: number
  /** Bytes of the disk. */
  readonly size: number
  /** Bytes of a grain. */
  readonly grainSize: number
  /** Grains are zlib streams. */
  readonly compressed: boolean
  /** The grain directory stands at the end, where a footer says so: what writers of streams do. */
  readonly footer: boolean
}

/** A header that has been checked against its file. Positions and lengths in bytes. */
export interface CheckedHeader {
  readonly info: VmdkInfo
  readonly zeroGrains: boolean
  readonly entriesPerTable: number
  readonly directory: number
  readonly directoryEntries: number
}

type Header = StructValue<typeof SparseExtentHeader.fields>

/** Largest grains that are unpacked in memory, in sectors: 16 MiB; the usual ones have 64 KiB. */
const MAX_GRAIN = 0x8000
/** Most entries of a grain directory: 16 MiB of them, for 128 TiB in usual grains. */
const MAX_DIRECTORY = 4 * 1024 ** 2
/** Longest descriptor that is read; the usual ones have less than 1 KiB, in 10 KiB or 64 KiB of room. */
const MAX_DESCRIPTOR = 1024 ** 2

/**
 * Reads and checks header, footer and descriptor.
 *
 * @throws FormatError
 */
export async function readHeader(source: ByteSource): Promise<CheckedHeader> {
  let header = await loadHeader(source, 0)
  const footer = header.gdOffset === GD_AT_END
  if (footer) header = await readFooter(source)
  const { version, flags, grainSize, numGtesPerGt, capacity, compressAlgorithm } = header
  if (version < 1 || version > 3) {
    throw vmdkError('FORMAT_UNSUPPORTED', 'version', 0x04, `version ${version}; 1 to 3 are known`)
  }
  if ((flags & FLAG_NEW_LINE_TEST) !== 0 && !equalBytes(header.newLineTest, NEW_LINE_TEST)) {
    throw vmdkError('FORMAT_INVALID', 'new line test', 0x49, 'the file was transferred as if it were text')
  }
  if (grainSize < 1 || grainSize > MAX_GRAIN || !Number.isInteger(Math.log2(grainSize))) {
    const text = `${grainSize} sectors; powers of two up to ${MAX_GRAIN} are possible`
    throw vmdkError('FORMAT_INVALID', 'grainSize', 0x14, text)
  }
  if (numGtesPerGt < 1 || numGtesPerGt > ENTRIES_PER_TABLE) {
    const text = `${numGtesPerGt}; ${ENTRIES_PER_TABLE} are usual and the most`
    throw vmdkError('FORMAT_INVALID', 'numGTEsPerGT', 0x2c, text)
  }
  const compressed = (flags & FLAG_COMPRESSED) !== 0
  if (compressAlgorithm !== (compressed ? COMPRESSION_DEFLATE : COMPRESSION_NONE)) {
    const text = `${compressAlgorithm}, and the flag of compressed grains is ${compressed ? 'set' : 'not set'}`
    throw vmdkError('FORMAT_INVALID', 'compressAlgorithm', 0x4d, text)
  }
  if (compressed && (flags & FLAG_MARKERS) === 0) {
    throw vmdkError('FORMAT_UNSUPPORTED', 'flags', 0x08, 'compressed grains without markers')
  }
  const descriptor = await readDescriptor(source, header)
  const size = capacity * SECTOR
  if (!Number.isSafeInteger(size)) {
    throw vmdkError('FORMAT_INVALID', 'capacity', 0x0c, `${capacity} sectors are beyond 2^53 bytes`)
  }
  return {
    info: { ...descriptor, version, size, grainSize: grainSize * SECTOR, compressed, footer },
    zeroGrains: (flags & FLAG_ZERO_GRAIN) !== 0,
    entriesPerTable: numGtesPerGt,
    ...locateDirectory(source, header),
  }
}

function locateDirectory(
  source: ByteSource,
  { gdOffset, capacity, grainSize, numGtesPerGt }: Header,
): Pick<CheckedHeader, 'directory' | 'directoryEntries'> {
  const directoryEntries = Math.ceil(capacity / (grainSize * numGtesPerGt))
  if (directoryEntries > MAX_DIRECTORY) {
    const text = `${directoryEntries} grain tables would be needed; ${MAX_DIRECTORY} are the most`
    throw vmdkError('FORMAT_INVALID', 'capacity', 0x0c, text)
  }
  // Far outside of any file above 2^53, where the number is rounded.
  const directory = Number(gdOffset) * SECTOR
  if (directory + directoryEntries * ENTRY_SIZE > source.size) {
    const text = `${directoryEntries} entries; the file ends at ${source.size}`
    throw vmdkError('FORMAT_TRUNCATED', 'grain directory', directory, text)
  }
  return { directory, directoryEntries }
}

async function loadHeader(source: ByteSource, offset: number): Promise<Header> {
  if (source.size < offset + SECTOR) {
    throw vmdkError('FORMAT_TRUNCATED', 'header', offset, `the file ends at ${source.size}`)
  }
  const raw = new Uint8Array(SECTOR)
  await source.read(offset, raw)
  const header = SparseExtentHeader.read(raw)
  if (header.magicNumber !== MAGIC) {
    const text = String.fromCharCode(...raw.subarray(0, 4)) === 'COWD' ? 'a COWD extent of ESX' : 'no KDMV'
    throw vmdkError(text === 'no KDMV' ? 'FORMAT_INVALID' : 'FORMAT_UNSUPPORTED', 'magicNumber', offset, text)
  }
  return header
}

/** The last three sectors: a marker, the header with the position of the directory, the end of the stream. */
async function readFooter(source: ByteSource): Promise<Header> {
  const end = Math.ceil(source.size / SECTOR) * SECTOR
  const offset = end - 3 * SECTOR
  if (offset < SECTOR || end !== source.size) {
    throw vmdkError('FORMAT_TRUNCATED', 'footer', offset, `none fits into ${source.size} bytes`)
  }
  const readMarker = async (at: number, expected: number): Promise<void> => {
    const raw = new Uint8Array(Marker.size)
    await source.read(at, raw)
    const { size, type } = Marker.read(raw)
    if (size !== 0 || type !== expected) {
      const values = { expected, actual: type }
      throw vmdkError('FORMAT_INVALID', 'marker', at, `type ${type}, size ${size}`, values)
    }
  }
  await readMarker(offset, MARKER_FOOTER)
  await readMarker(end - SECTOR, MARKER_END_OF_STREAM)
  return loadHeader(source, offset + SECTOR)
}

async function readDescriptor(source: ByteSource, header: Header): Promise<VmdkDescriptor> {
  const offset = header.descriptorOffset * SECTOR
  const length = header.descriptorSize * SECTOR
  if (offset === 0 || length === 0) throw partOfDisk(0x1c)
  if (length > MAX_DESCRIPTOR) {
    const text = `${length} bytes; ${MAX_DESCRIPTOR} are the most`
    throw vmdkError('FORMAT_INVALID', 'descriptorSize', 0x24, text)
  }
  if (offset + length > source.size) {
    throw vmdkError('FORMAT_TRUNCATED', 'descriptor', offset, `the file ends at ${source.size}`)
  }
  const raw = new Uint8Array(length)
  await source.read(offset, raw)
  const end = raw.indexOf(0)
  if (end === 0) throw partOfDisk(offset)
  // Names of files may be in any encoding; what is read of the descriptor is ASCII.
  const text = new TextDecoder('latin1').decode(end < 0 ? raw : raw.subarray(0, end))
  return parseDescriptor(text, offset)
}

function partOfDisk(offset: number): FormatError {
  const text = 'there is none: this is one of several files of a disk'
  return vmdkError('FORMAT_UNSUPPORTED', 'descriptor', offset, text)
}

/** A FormatError of this format. */
export const vmdkError = formatErrorOf('vmdk')
