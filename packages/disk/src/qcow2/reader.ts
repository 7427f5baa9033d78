import {
  type ByteSource,
  MiB,
  type OperationOptions,
  portableRuntime,
  type RuntimeOptions,
} from '@bootable/bytes'
import { createPromiseCache } from '../blocks/cache.ts'
import {
  type BlockMap,
  type BlockPlace,
  type BlockTable,
  type MappedSource,
  mappedSource,
} from '../blocks/mapped-source.ts'
import { findOverlap } from '../blocks/overlap.ts'
import {
  ENTRY_SIZE,
  HIGH_COMPRESSED,
  HIGH_OFFSET_MASK,
  HIGH_RESERVED,
  LOW_OFFSET_MASK,
  LOW_ZERO,
  SECTOR,
} from './format.ts'
import { type CheckedHeader, type Qcow2Info, qcow2Error, readHeader } from './header.ts'
import { compressedOffsetBits } from './layout.ts'

/** Options of {@link readQcow2}. */
export interface ReadQcow2Options extends OperationOptions, RuntimeOptions {}

/** The disk in a qcow2 file. Its data ranges are allocated clusters that are not marked zero. */
export interface Qcow2Source extends MappedSource {
  readonly info: Qcow2Info
}

/** Memory for clusters that were inflated, so that small neighbouring reads inflate once. */
const INFLATED_CACHE = 8 * MiB
const L2_CACHE = 8 * MiB

/**
 * Opens the disk in a qcow2 file of version 2 or 3, for reading.
 *
 * Refcounts are not needed for that and not looked at; snapshots are left out. Tables are read when they
 * are needed. Later reads throw FormatError as well, where an entry leads out of the file or
 * compressed data is damaged.
 *
 * @throws FormatError, also for images that refer to other files, encrypted ones, unknown incompatible
 * features and compression other than zlib and zstd
 */
export async function readQcow2(source: ByteSource, options: ReadQcow2Options = {}): Promise<Qcow2Source> {
  options.signal?.throwIfAborted()
  const header = await readHeader(source)
  return { ...mappedSource(source, await openClusters(source, header, options)), info: header.info }
}

async function openClusters(
  source: ByteSource,
  header: CheckedHeader,
  { runtime = portableRuntime, signal }: ReadQcow2Options,
): Promise<BlockMap> {
  const { clusterSize, size, compression } = header.info
  const l1 = await readL1(source, header)
  const tables = createPromiseCache<BlockTable>(L2_CACHE / clusterSize)
  const inflated = createPromiseCache<Uint8Array>(INFLATED_CACHE / clusterSize)

  const loadTable = async (offset: number): Promise<BlockTable> => {
    signal?.throwIfAborted()
    const table = new Uint8Array(clusterSize)
    await source.read(offset, table)
    const view = new DataView(table.buffer)
    return { place: (entry) => decodeEntry(view, entry, offset + entry * ENTRY_SIZE, source, header) }
  }

  return {
    format: 'qcow2',
    size,
    blockSize: clusterSize,
    blocksPerTable: clusterSize / ENTRY_SIZE,
    // A last cluster may be cut short by the end of the file; what is missing is zero.
    shortFile: true,
    async table(index) {
      const offset = l1[index]
      return offset ? tables.get(offset, () => loadTable(offset)) : undefined
    },
    unpack: ({ offset, length }) =>
      inflated.get(offset, async () => {
        const data = new Uint8Array(length)
        await source.read(offset, data)
        const cluster =
          compression === 'zstd'
            ? await runtime.unzstd(data, clusterSize)
            : await runtime.inflateRaw(data, clusterSize)
        if (cluster.length === clusterSize) return cluster
        throw qcow2Error('FORMAT_INVALID', 'compressed cluster', offset, 'it does not fill a cluster', {
          expected: clusterSize,
          actual: cluster.length,
        })
      }),
  }
}

/** Positions of the L2 tables; 0 where there is none. */
async function readL1(source: ByteSource, header: CheckedHeader): Promise<Float64Array> {
  const { l1Entries, l1TableOffset } = header
  const { clusterSize } = header.info
  const raw = new Uint8Array(l1Entries * ENTRY_SIZE)
  await source.read(l1TableOffset, raw)
  const view = new DataView(raw.buffer)
  const offsets = new Float64Array(l1Entries)
  for (let index = 0; index < l1Entries; index++) {
    const at = l1TableOffset + index * ENTRY_SIZE
    const offset = hostOffset(view, index)
    if (offset === 0) continue
    if (offset % clusterSize !== 0) {
      throw qcow2Error('FORMAT_INVALID', 'L1 entry', at, `${offset} is inside a cluster`)
    }
    if (offset + clusterSize > source.size) {
      throw qcow2Error('FORMAT_TRUNCATED', 'L1 entry', at, `L2 table at ${offset}, file of ${source.size}`)
    }
    offsets[index] = offset
  }
  const overlap = findOverlap(offsets, clusterSize)
  if (overlap) {
    throw qcow2Error('FORMAT_INVALID', 'L1 table', l1TableOffset, `L2 table ${overlap[0]} is used twice`)
  }
  return offsets
}

/** @param at position of the entry in the file, for messages */
function decodeEntry(
  table: DataView,
  entry: number,
  at: number,
  source: ByteSource,
  { clusterBits, info }: CheckedHeader,
): BlockPlace {
  const high = table.getUint32(entry * ENTRY_SIZE)
  const low = table.getUint32(entry * ENTRY_SIZE + 4)
  if ((high | low) === 0) return undefined
  if ((high & HIGH_COMPRESSED) !== 0) {
    const shift = compressedOffsetBits(clusterBits) - 32
    const offset = (high & (2 ** shift - 1)) * 2 ** 32 + low
    const sectors = ((high & (HIGH_COMPRESSED - 1)) >>> shift) + 1
    const end = Math.min(source.size, (Math.floor(offset / SECTOR) + sectors) * SECTOR)
    if (offset >= end) throw outside('compressed cluster', at, offset, source)
    return { type: 'packed', offset, length: end - offset }
  }
  if ((high & HIGH_RESERVED) !== 0 || (low & ~LOW_OFFSET_MASK & ~LOW_ZERO) !== 0) {
    throw qcow2Error('FORMAT_INVALID', 'L2 entry', at, 'reserved bits are set')
  }
  if ((low & LOW_ZERO) !== 0) {
    if (info.version === 3) return undefined
    throw qcow2Error('FORMAT_INVALID', 'L2 entry', at, 'reserved bits are set')
  }
  const offset = hostOffset(table, entry)
  if (offset === 0) return undefined
  if (offset % info.clusterSize !== 0) {
    throw qcow2Error('FORMAT_INVALID', 'L2 entry', at, `${offset} is inside a cluster`)
  }
  if (offset >= source.size) throw outside('cluster', at, offset, source)
  return { type: 'plain', offset }
}

/** Bits 9 to 55 of an entry. Above 2^53 the number is rounded, and far outside of any file. */
function hostOffset(view: DataView, index: number): number {
  const high = view.getUint32(index * ENTRY_SIZE) & HIGH_OFFSET_MASK
  return high * 2 ** 32 + ((view.getUint32(index * ENTRY_SIZE + 4) & LOW_OFFSET_MASK) >>> 0)
}

function outside(what: string, at: number, offset: number, source: ByteSource): Error {
  return qcow2Error('FORMAT_TRUNCATED', 'L2 entry', at, `${what} at ${offset}, file of ${source.size} bytes`)
}
