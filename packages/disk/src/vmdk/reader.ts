import {
  type ByteSource,
  MiB,
  type OperationOptions,
  portableRuntime,
  type RuntimeOptions,
  unzlib,
} from '@bootable/bytes'
import { createPromiseCache } from '../blocks/cache.ts'
import {
  type BlockMap,
  type BlockPlace,
  type BlockTable,
  type MappedSource,
  mappedSource,
  type PackedPlace,
} from '../blocks/mapped-source.ts'
import { findOverlap } from '../blocks/overlap.ts'
import { ENTRY_SIZE, ENTRY_ZERO, GRAIN_MARKER_SIZE, Marker, SECTOR } from './format.ts'
import { type CheckedHeader, readHeader, type VmdkInfo, vmdkError } from './header.ts'

/** Options of {@link readVmdk}. */
export interface ReadVmdkOptions extends OperationOptions, RuntimeOptions {}

/** The disk in a vmdk. Its data ranges are the grains that it has. */
export interface VmdkSource extends MappedSource {
  readonly info: VmdkInfo
}

/** Memory for grains that were inflated, so that small neighbouring reads inflate once. */
const GRAIN_CACHE = 8 * MiB
/** Grain tables kept, 2 KiB each. */
const TABLE_CACHE = 1024

/**
 * Opens the disk in a vmdk of one file, for reading: streamOptimized with the grain directory in front, as
 * QEMU writes it, or at the end, as VMware does, and monolithicSparse.
 *
 * Tables are read when they are needed. Later reads throw FormatError as well, where an entry leads out of
 * the file or a grain is damaged.
 *
 * @throws FormatError, also for disks of several files or with a parent
 */
export async function readVmdk(source: ByteSource, options: ReadVmdkOptions = {}): Promise<VmdkSource> {
  options.signal?.throwIfAborted()
  const header = await readHeader(source)
  return { ...mappedSource(source, await openGrains(source, header, options)), info: header.info }
}

async function openGrains(
  source: ByteSource,
  header: CheckedHeader,
  { runtime = portableRuntime, signal }: ReadVmdkOptions,
): Promise<BlockMap> {
  const { size, grainSize } = header.info
  const directory = await readDirectory(source, header)
  const tables = createPromiseCache<BlockTable>(TABLE_CACHE)
  const inflated = createPromiseCache<Uint8Array>(Math.max(1, Math.floor(GRAIN_CACHE / grainSize)))

  const loadTable = async (sector: number, index: number): Promise<BlockTable> => {
    signal?.throwIfAborted()
    const table = new Uint8Array(header.entriesPerTable * ENTRY_SIZE)
    await source.read(sector * SECTOR, table)
    const view = new DataView(table.buffer)
    const first = index * header.entriesPerTable
    return {
      place(entry) {
        const at = sector * SECTOR + entry * ENTRY_SIZE
        return placeGrain(view.getUint32(entry * ENTRY_SIZE, true), first + entry, at, source, header)
      },
    }
  }

  return {
    format: 'vmdk',
    size,
    blockSize: grainSize,
    blocksPerTable: header.entriesPerTable,
    async table(index) {
      const sector = directory[index]
      return sector ? tables.get(sector, () => loadTable(sector, index)) : undefined
    },
    unpack: (place, block) =>
      inflated.get(place.offset, async () => {
        const lba = (block * grainSize) / SECTOR
        const grain = await unzlib(await readGrain(source, place, lba, grainSize), grainSize, { runtime })
        // QEMU ends a grain that the end of the disk cuts short there.
        const expected = Math.min(grainSize, size - block * grainSize)
        if (grain.length >= expected) return grain
        const values = { expected, actual: grain.length }
        throw vmdkError('FORMAT_INVALID', 'grain', place.offset, 'it does not fill a grain', values)
      }),
  }
}

/** The zlib stream of a grain, behind its marker. */
async function readGrain(
  source: ByteSource,
  { offset, length }: PackedPlace,
  lba: number,
  grainSize: number,
): Promise<Uint8Array> {
  const head = new Uint8Array(length)
  await source.read(offset, head)
  const { value, size } = Marker.read(head)
  if (value !== lba) {
    const values = { expected: lba, actual: value }
    throw vmdkError('FORMAT_INVALID', 'grain marker', offset, `it is of sector ${value}, not ${lba}`, values)
  }
  // Deflate adds a few bytes to noise; twice the grain is where QEMU stops.
  if (size === 0 || size > 2 * grainSize) {
    throw vmdkError('FORMAT_INVALID', 'grain marker', offset, `${size} bytes for a grain of ${grainSize}`)
  }
  const end = GRAIN_MARKER_SIZE + size
  if (end <= length) return head.subarray(GRAIN_MARKER_SIZE, end)
  if (offset + end > source.size) {
    const text = `${size} bytes; the file ends at ${source.size}`
    throw vmdkError('FORMAT_TRUNCATED', 'grain', offset, text)
  }
  const whole = new Uint8Array(end)
  whole.set(head)
  await source.read(offset + length, whole.subarray(length))
  return whole.subarray(GRAIN_MARKER_SIZE)
}

/** Sectors of the grain tables; 0 where there is none. */
async function readDirectory(source: ByteSource, header: CheckedHeader): Promise<Uint32Array> {
  const { directory, directoryEntries, entriesPerTable } = header
  const raw = new Uint8Array(directoryEntries * ENTRY_SIZE)
  await source.read(directory, raw)
  const view = new DataView(raw.buffer)
  const sectors = new Uint32Array(directoryEntries)
  for (let index = 0; index < directoryEntries; index++) {
    const at = directory + index * ENTRY_SIZE
    const sector = view.getUint32(index * ENTRY_SIZE, true)
    if (sector === 0) continue
    if (sector * SECTOR + entriesPerTable * ENTRY_SIZE > source.size) {
      const text = `grain table at sector ${sector}, file of ${source.size} bytes`
      throw vmdkError('FORMAT_TRUNCATED', 'grain directory entry', at, text)
    }
    sectors[index] = sector
  }
  const overlap = findOverlap(sectors, Math.ceil((entriesPerTable * ENTRY_SIZE) / SECTOR))
  if (overlap) {
    const text = `the grain tables at sectors ${overlap.join(' and ')} overlap`
    throw vmdkError('FORMAT_INVALID', 'grain directory', directory, text)
  }
  return sectors
}

/** @param at position of the entry in the file, for messages */
function placeGrain(
  sector: number,
  grain: number,
  at: number,
  source: ByteSource,
  { info, zeroGrains }: CheckedHeader,
): BlockPlace {
  if (sector === 0 || (sector === ENTRY_ZERO && zeroGrains)) return undefined
  const offset = sector * SECTOR
  const { size, grainSize } = info
  const stored = info.compressed ? Marker.size : Math.min(grainSize, size - grain * grainSize)
  if (offset + stored > source.size) {
    const text = `grain at sector ${sector}, file of ${source.size} bytes`
    throw vmdkError('FORMAT_TRUNCATED', 'grain table entry', at, text)
  }
  if (!info.compressed) return { type: 'plain', offset }
  // How long it is stands in front of it; nearly every grain is in the file with fewer bytes than it has.
  return { type: 'packed', offset, length: Math.min(grainSize, source.size - offset) }
}
