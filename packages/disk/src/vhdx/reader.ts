import { type ByteSource, MiB, type OperationOptions } from '@bootable/bytes'
import { type BlockMap, type MappedSource, mappedSource, type PlainPlace } from '../blocks/mapped-source.ts'
import { findOverlap } from '../blocks/overlap.ts'
import {
  BAT_ENTRY_SIZE,
  BLOCK_FULLY_PRESENT,
  BLOCK_NOT_PRESENT,
  BLOCK_PARTIALLY_PRESENT,
  BLOCK_UNDEFINED,
  BLOCK_UNMAPPED,
  BLOCK_UNMAPPED_DRAFT,
  BLOCK_ZERO,
  HEADER_SECTION_SIZE,
  STATE_MASK,
} from './format.ts'
import { type Region, readRegions, vhdxError } from './header.ts'
import { batIndex } from './layout.ts'
import { readMetadata, type VhdxInfo } from './metadata.ts'

export type { VhdxInfo } from './metadata.ts'

/** The disk in a vhdx. Its data ranges are the payload blocks that are present. */
export interface VhdxSource extends MappedSource {
  readonly info: VhdxInfo
}

/** Most payload blocks of a disk: 32 MiB of table, for 64 TiB in blocks of 16 MiB. */
const MAX_BLOCKS = 4 * MiB

/** States in which a block reads as zero, since there is no parent. */
const EMPTY: readonly number[] = [
  BLOCK_NOT_PRESENT,
  BLOCK_UNDEFINED,
  BLOCK_ZERO,
  BLOCK_UNMAPPED,
  BLOCK_UNMAPPED_DRAFT,
]

/**
 * Opens the disk in a vhdx, fixed or dynamic, for reading.
 *
 * @throws FormatError, also for differencing disks and for a log that has to be replayed
 */
export async function readVhdx(source: ByteSource, options: OperationOptions = {}): Promise<VhdxSource> {
  options.signal?.throwIfAborted()
  const regions = await readRegions(source)
  const info = await readMetadata(source, regions.metadata)
  const map = mapBlocks(info, await readTable(source, regions.bat, info))
  return { ...mappedSource(source, map), info }
}

/** @param starts positions of the payload blocks, 0 for one that reads as zero */
function mapBlocks({ size, blockSize }: VhdxInfo, starts: Float64Array): BlockMap {
  const table = {
    place(block: number): PlainPlace | undefined {
      const offset = starts[block]
      return offset ? { type: 'plain', offset } : undefined
    },
  }
  return {
    format: 'vhdx',
    size,
    blockSize,
    blocksPerTable: Math.max(1, starts.length),
    table: async () => table,
  }
}

async function readTable(source: ByteSource, region: Region, info: VhdxInfo): Promise<Float64Array> {
  const { size, blockSize, sectorSize } = info
  const blocks = Math.ceil(size / blockSize)
  const entries = blocks === 0 ? 0 : batIndex(blocks - 1, blockSize, sectorSize) + 1
  if (blocks > MAX_BLOCKS || entries * BAT_ENTRY_SIZE > region.length) {
    const text = `${region.length} bytes; ${entries} entries are needed, and ${MAX_BLOCKS} blocks are the most`
    throw vhdxError('FORMAT_INVALID', 'block allocation table', region.fileOffset, text)
  }
  const raw = new Uint8Array(entries * BAT_ENTRY_SIZE)
  await source.read(region.fileOffset, raw)
  const view = new DataView(raw.buffer)
  const starts = new Float64Array(blocks)
  for (let block = 0; block < blocks; block++) {
    const at = batIndex(block, blockSize, sectorSize) * BAT_ENTRY_SIZE
    const low = view.getUint32(at, true)
    const state = low & STATE_MASK
    if (EMPTY.includes(state)) continue
    // Bits 3 to 19 are reserved.
    const offset = view.getUint32(at + 4, true) * 2 ** 32 + Math.floor(low / MiB) * MiB
    const used = Math.min(blockSize, size - block * blockSize)
    checkEntry(source, { state, offset, used, at: region.fileOffset + at })
    starts[block] = offset
  }
  const overlap = findOverlap(starts, blockSize)
  if (overlap) {
    const text = `the payload blocks at ${overlap.join(' and ')} overlap`
    throw vhdxError('FORMAT_INVALID', 'block allocation table', region.fileOffset, text)
  }
  return starts
}

/** @throws FormatError for a block that cannot be read where its entry says */
function checkEntry(
  source: ByteSource,
  entry: { readonly state: number; readonly offset: number; readonly used: number; readonly at: number },
): void {
  const { state, offset, used, at } = entry
  if (state === BLOCK_PARTIALLY_PRESENT) {
    throw vhdxError('FORMAT_UNSUPPORTED', 'block state', at, 'a block that is partly in a parent')
  }
  if (state !== BLOCK_FULLY_PRESENT) {
    throw vhdxError('FORMAT_INVALID', 'block state', at, `state ${state} is not known`)
  }
  if (offset < HEADER_SECTION_SIZE) {
    throw vhdxError('FORMAT_INVALID', 'block allocation table', at, `a block at ${offset}`)
  }
  if (offset + used > source.size) {
    const text = `a block at ${offset}, file of ${source.size} bytes`
    throw vhdxError('FORMAT_TRUNCATED', 'block allocation table', at, text)
  }
}
