import {
  type ByteSource,
  type GatherPiece,
  gather,
  MiB,
  type OperationOptions,
  sliceSource,
} from '@bootable/bytes'
import { createPromiseCache } from '../blocks/cache.ts'
import {
  type BlockMap,
  type BlockPlace,
  type BlockTable,
  mappedSource,
  type PackedPlace,
} from '../blocks/mapped-source.ts'
import { findOverlap } from '../blocks/overlap.ts'
import { readFooter, type VhdInfo, vhdError } from './footer.ts'
import { BLOCK_UNUSED, checksum, DYNAMIC_COOKIE, DynamicHeader, ENTRY_SIZE, SECTOR } from './format.ts'

/** The disk in a vhd. Data ranges are those of the file, or the allocated blocks of a dynamic disk. */
export interface VhdSource extends ByteSource {
  readonly info: VhdInfo
}

/** Blocks whose sector bitmaps are read together. */
const BLOCKS_PER_GROUP = 64
/** Memory for blocks of which only a part was ever written. */
const BLOCK_CACHE = 16 * MiB
/** Bounds of a block; Microsoft's and QEMU's have 2 MiB or 512 KiB. */
const MIN_BLOCK = 4096
const MAX_BLOCK = 16 * MiB
/** Most blocks of a disk: 64 MiB of table, for 32 TiB in usual blocks. */
const MAX_BLOCKS = 16 * MiB

/**
 * Opens the disk in a vhd, fixed or dynamic, for reading.
 *
 * Sizes are what QEMU makes of them: the product of the geometry for files of Virtual PC and of QEMU
 * without `force_size`, else the size that the footer gives in bytes.
 *
 * @throws FormatError, also for differencing disks
 */
export async function readVhd(source: ByteSource, options: OperationOptions = {}): Promise<VhdSource> {
  options.signal?.throwIfAborted()
  const { info, dataOffset } = await readFooter(source)
  if (info.type === 'dynamic') {
    return { ...mappedSource(source, await openBlocks(source, info, dataOffset, options)), info }
  }
  if (info.size > source.size - SECTOR) {
    const text = `a disk of ${info.size} bytes; the footer stands at ${source.size - SECTOR}`
    throw vhdError('FORMAT_TRUNCATED', 'disk', 0, text)
  }
  const close = source.close?.bind(source)
  return { ...sliceSource(source, 0, info.size), info, ...(close ? { close } : {}) }
}

async function openBlocks(
  source: ByteSource,
  { size }: VhdInfo,
  dataOffset: bigint,
  { signal }: OperationOptions,
): Promise<BlockMap> {
  const { blockSize, tableOffset, blocks } = await readDynamicHeader(source, size, dataOffset)
  const bitmapSize = bytesOfBitmap(blockSize)
  const starts = await readTable(source, tableOffset, blocks, (bitmapSize + blockSize) / SECTOR)
  const groups = createPromiseCache<BlockTable>(BLOCKS_PER_GROUP)
  const whole = createPromiseCache<Uint8Array>(Math.max(1, Math.floor(BLOCK_CACHE / blockSize)))

  /** Where the blocks of one group are, by their bitmaps. */
  const loadGroup = async (group: number): Promise<BlockTable> => {
    signal?.throwIfAborted()
    const first = group * BLOCKS_PER_GROUP
    const pieces: GatherPiece[] = []
    const bitmaps = new Map<number, Uint8Array>()
    for (let block = first; block < Math.min(blocks, first + BLOCKS_PER_GROUP); block++) {
      const start = starts[block] as number
      if (start === 0) continue
      // The rest of its sectors is padding.
      const target = new Uint8Array(Math.ceil(blockSize / SECTOR / 8))
      pieces.push({ source, offset: start * SECTOR, target })
      bitmaps.set(block - first, target)
    }
    await gather(pieces)
    const places = new Map<number, BlockPlace>()
    for (const [block, bitmap] of bitmaps) {
      const offset = (starts[first + block] as number) * SECTOR
      if (bitmap.every((byte) => byte === 0xff)) {
        places.set(block, { type: 'plain', offset: offset + bitmapSize })
      } else if (bitmap.some((byte) => byte !== 0)) {
        places.set(block, { type: 'packed', offset, length: bitmapSize + blockSize })
      }
    }
    return { place: (block) => places.get(block) }
  }

  return {
    format: 'vhd',
    size,
    blockSize,
    blocksPerTable: BLOCKS_PER_GROUP,
    table: (group) => groups.get(group, () => loadGroup(group)),
    unpack: (place) => whole.get(place.offset, () => readWrittenSectors(source, place, bitmapSize)),
  }
}

/** A block of which the sectors without a bit in the bitmap, never written, are zero. */
async function readWrittenSectors(
  source: ByteSource,
  { offset, length }: PackedPlace,
  bitmapSize: number,
): Promise<Uint8Array> {
  const raw = new Uint8Array(length)
  await source.read(offset, raw)
  const block = raw.subarray(bitmapSize)
  for (let sector = 0; sector * SECTOR < block.length; sector++) {
    const isWritten = ((raw[sector >> 3] as number) & (0x80 >> (sector & 7))) !== 0
    if (!isWritten) block.fill(0, sector * SECTOR, (sector + 1) * SECTOR)
  }
  return block
}

/** A bit for each sector of the block, in whole sectors. */
function bytesOfBitmap(blockSize: number): number {
  return Math.ceil(blockSize / SECTOR / 8 / SECTOR) * SECTOR
}

async function readDynamicHeader(
  source: ByteSource,
  size: number,
  dataOffset: bigint,
): Promise<{ blockSize: number; tableOffset: number; blocks: number }> {
  // Far outside of any file above 2^53, where the number is rounded.
  const offset = Number(dataOffset)
  if (offset + DynamicHeader.size > source.size) {
    throw vhdError('FORMAT_TRUNCATED', 'dynamic header', offset, `the file ends at ${source.size}`)
  }
  const raw = new Uint8Array(DynamicHeader.size)
  await source.read(offset, raw)
  const header = DynamicHeader.read(raw)
  if (header.cookie !== DYNAMIC_COOKIE) {
    throw vhdError('FORMAT_INVALID', 'dynamic header', offset, `no "${DYNAMIC_COOKIE}"`)
  }
  const actual = checksum(raw, DynamicHeader.fields.checksum)
  if (header.checksum !== actual) {
    const values = { expected: header.checksum, actual }
    throw vhdError('FORMAT_CHECKSUM', 'dynamic header', offset, 'its checksum is another', values)
  }
  const { blockSize, maxTableEntries, tableOffset } = header
  if (blockSize < MIN_BLOCK || blockSize > MAX_BLOCK || !Number.isInteger(Math.log2(blockSize))) {
    const text = `${blockSize} bytes; powers of two from ${MIN_BLOCK} to ${MAX_BLOCK} are possible`
    throw vhdError('FORMAT_INVALID', 'block size', offset + 0x20, text)
  }
  const blocks = Math.ceil(size / blockSize)
  if (blocks > Math.min(maxTableEntries, MAX_BLOCKS)) {
    const text = `${maxTableEntries}; a disk of ${size} bytes has ${blocks} blocks, ${MAX_BLOCKS} are the most`
    throw vhdError('FORMAT_INVALID', 'max table entries', offset + 0x1c, text)
  }
  if (tableOffset + blocks * ENTRY_SIZE > source.size) {
    throw vhdError(
      'FORMAT_TRUNCATED',
      'block allocation table',
      tableOffset,
      `the file ends at ${source.size}`,
    )
  }
  return { blockSize, tableOffset, blocks }
}

/** First sectors of the blocks, that of the bitmap; 0 for a block that the file does not have. */
async function readTable(
  source: ByteSource,
  offset: number,
  blocks: number,
  sectors: number,
): Promise<Uint32Array> {
  const raw = new Uint8Array(blocks * ENTRY_SIZE)
  await source.read(offset, raw)
  const view = new DataView(raw.buffer)
  const starts = new Uint32Array(blocks)
  for (let block = 0; block < blocks; block++) {
    const start = view.getUint32(block * ENTRY_SIZE)
    if (start === BLOCK_UNUSED) continue
    const at = offset + block * ENTRY_SIZE
    if (start === 0) throw vhdError('FORMAT_INVALID', 'block allocation table', at, 'a block in sector 0')
    if ((start + sectors) * SECTOR > source.size) {
      const text = `a block at sector ${start}, file of ${source.size} bytes`
      throw vhdError('FORMAT_TRUNCATED', 'block allocation table', at, text)
    }
    starts[block] = start
  }
  const overlap = findOverlap(starts, sectors)
  if (overlap) {
    const text = `the blocks at sectors ${overlap.join(' and ')} overlap`
    throw vhdError('FORMAT_INVALID', 'block allocation table', offset, text)
  }
  return starts
}
