import { type ByteSource, type StructValue, utf8 } from '@bootable/bytes'
import { formatErrorOf } from '../blocks/errors.ts'
import {
  COMPRESSION_ZLIB,
  COMPRESSION_ZSTD,
  ENTRY_SIZE,
  EXTENSION_FEATURE_NAMES,
  FEATURE_NAME_SIZE,
  FEATURE_NAMES,
  HEADER_LENGTH_V2,
  HEADER_LENGTH_V3,
  INCOMPAT_COMPRESSION_TYPE,
  INCOMPAT_DIRTY,
  MAGIC,
  MAX_CLUSTER_BITS,
  MAX_L1_BYTES,
  MIN_CLUSTER_BITS,
  Qcow2Header,
} from './format.ts'

/** What a qcow2 file says about itself. */
export interface Qcow2Info {
  readonly version: 2 | 3
  /** Bytes of the disk. */
  readonly size: number
  readonly clusterSize: number
  /** Bits of a refcount. */
  readonly refcountBits: number
  /** Internal snapshots; they are not looked at. */
  readonly snapshots: number
  /** How compressed clusters are compressed, if there are any. */
  readonly compression: 'zlib' | 'zstd'
  /** The refcounts may be stale: the image was not closed. */
  readonly dirty: boolean
}

/** A header that has been checked against its file. */
export interface CheckedHeader {
  readonly info: Qcow2Info
  readonly clusterBits: number
  readonly l1TableOffset: number
  /** Entries that the disk's size needs; the table may have more. */
  readonly l1Entries: number
}

type Header = StructValue<typeof Qcow2Header.fields>

/**
 * Reads and checks the header. A file that refers to others (a backing file, external data) is refused:
 * an image must not make its reader open paths of the image's choosing.
 *
 * @throws FormatError
 */
export async function readHeader(source: ByteSource): Promise<CheckedHeader> {
  const header = await loadHeader(source)
  refuseUnsupported(header)
  const { clusterBits, size, l1Size, l1TableOffset } = header
  if (clusterBits < MIN_CLUSTER_BITS || clusterBits > MAX_CLUSTER_BITS) {
    const range = `${MIN_CLUSTER_BITS} to ${MAX_CLUSTER_BITS} are possible`
    throw qcow2Error('FORMAT_INVALID', 'cluster_bits', 0x14, `${clusterBits}; ${range}`)
  }
  const clusterSize = 2 ** clusterBits
  const l1Entries = Math.ceil(size / (clusterSize * (clusterSize / ENTRY_SIZE)))
  if (l1Size < l1Entries || l1Size * ENTRY_SIZE > MAX_L1_BYTES) {
    const text = `${l1Size} entries; a disk of ${size} bytes needs ${l1Entries}`
    throw qcow2Error('FORMAT_INVALID', 'l1_size', 0x24, text)
  }
  if (l1TableOffset % clusterSize !== 0) {
    throw qcow2Error('FORMAT_INVALID', 'l1_table_offset', 0x28, `${l1TableOffset} is inside a cluster`)
  }
  if (l1TableOffset + l1Size * ENTRY_SIZE > source.size) {
    throw qcow2Error('FORMAT_TRUNCATED', 'L1 table', l1TableOffset, `the file ends at ${source.size}`)
  }
  return {
    info: {
      version: header.version as 2 | 3,
      size,
      clusterSize,
      refcountBits: 2 ** header.refcountOrder,
      snapshots: header.nbSnapshots,
      compression: header.compressionType === COMPRESSION_ZSTD ? 'zstd' : 'zlib',
      dirty: (header.incompatibleFeatures & INCOMPAT_DIRTY) !== 0n,
    },
    clusterBits,
    l1TableOffset,
    l1Entries,
  }
}

/** The fields of version 3, with the values that version 2 implies where the file has none. */
async function loadHeader(source: ByteSource): Promise<Header> {
  if (source.size < HEADER_LENGTH_V2) {
    throw qcow2Error('FORMAT_TRUNCATED', 'header', 0, `${source.size} bytes are no image`)
  }
  const raw = new Uint8Array(Qcow2Header.size)
  await source.read(0, raw.subarray(0, Math.min(source.size, raw.length)))
  const { magic, version, headerLength, refcountOrder } = Qcow2Header.read(raw)
  if (magic !== MAGIC) {
    throw qcow2Error('FORMAT_INVALID', 'magic', 0, 'not a qcow2 file', { expected: MAGIC, actual: magic })
  }
  if (version !== 2 && version !== 3) {
    throw qcow2Error('FORMAT_UNSUPPORTED', 'version', 4, `version ${version}; 2 and 3 are known`)
  }
  if (version === 2) {
    raw.fill(0, HEADER_LENGTH_V2)
    return { ...Qcow2Header.read(raw), refcountOrder: 4, headerLength: HEADER_LENGTH_V2 }
  }
  if (headerLength < HEADER_LENGTH_V3 || headerLength > source.size) {
    throw qcow2Error('FORMAT_INVALID', 'header_length', 0x64, `${headerLength} bytes`)
  }
  if (refcountOrder > 6) {
    throw qcow2Error('FORMAT_INVALID', 'refcount_order', 0x60, `${refcountOrder}; 6 is the most`)
  }
  if (headerLength < Qcow2Header.size) raw.fill(0, HEADER_LENGTH_V3)
  return Qcow2Header.read(raw)
}

function refuseUnsupported(header: Header): void {
  const refuse = (structure: string, offset: number, message: string): never => {
    throw qcow2Error('FORMAT_UNSUPPORTED', structure, offset, message)
  }
  if (header.backingFileOffset !== 0) refuse('backing_file_offset', 0x08, 'images with a backing file')
  if (header.cryptMethod !== 0) refuse('crypt_method', 0x20, 'encrypted images')
  const known = INCOMPAT_DIRTY | INCOMPAT_COMPRESSION_TYPE
  const unknown = header.incompatibleFeatures & ~known
  if (unknown !== 0n) {
    refuse(
      'incompatible_features',
      0x48,
      `bits 0x${unknown.toString(16)}: external data, extended L2 or newer`,
    )
  }
  const { compressionType } = header
  if (compressionType !== COMPRESSION_ZLIB && compressionType !== COMPRESSION_ZSTD) {
    refuse('compression_type', 0x68, `type ${compressionType}; zlib and zstd are known`)
  }
  // "If the incompatible bit is set, the field must be present and non-zero", and the other way round.
  const flagged = (header.incompatibleFeatures & INCOMPAT_COMPRESSION_TYPE) !== 0n
  if (flagged !== (compressionType !== COMPRESSION_ZLIB)) {
    const text = `type ${compressionType}, and incompatible bit 3 is ${flagged ? 'set' : 'not set'}`
    throw qcow2Error('FORMAT_INVALID', 'compression_type', 0x68, text)
  }
}

/** The header extension with the names of the features. */
export function featureNames(): Uint8Array {
  const data = new Uint8Array(8 + FEATURE_NAMES.length * FEATURE_NAME_SIZE)
  const view = new DataView(data.buffer)
  view.setUint32(0, EXTENSION_FEATURE_NAMES)
  view.setUint32(4, data.length - 8)
  for (const [index, [kind, bit, name]] of FEATURE_NAMES.entries()) {
    data.set([kind, bit, ...utf8(name)], 8 + index * FEATURE_NAME_SIZE)
  }
  return data
}

/** A FormatError of this format. */
export const qcow2Error = formatErrorOf('qcow2')
