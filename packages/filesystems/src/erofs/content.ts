import type { ByteSource, SparseExtent } from '@bootable/bytes'
import { alignUp, sliceSource, sparseSource, zeroSource } from '@bootable/bytes'
import { erofsFormatError } from './errors.ts'
import {
  ChunkIndex,
  EROFS_CHUNK_FORMAT_BLKBITS_MASK,
  EROFS_CHUNK_FORMAT_INDEXES,
  EROFS_INODE_CHUNK_BASED,
  EROFS_INODE_FLAT_INLINE,
  EROFS_INODE_FLAT_PLAIN,
  EROFS_NULL_ADDR,
} from './format.ts'
import type { RawInode } from './inode-reader.ts'
import { checkRange, type Volume } from './volume.ts'

/** Content that lies together in the volume. */
export interface FlatPiece {
  /** Bytes from the start of the volume. */
  readonly offset: number
  readonly length: number
}

/**
 * The pieces of content that is not in chunks: whole blocks, then the tail behind the inode.
 * @throws FormatError
 */
export function flatPieces(volume: Volume, raw: RawInode): FlatPiece[] {
  const { blockSize } = volume.superblock
  const { nid, layout, size, u } = raw
  const what = `inode ${nid}`
  if (layout !== EROFS_INODE_FLAT_PLAIN && layout !== EROFS_INODE_FLAT_INLINE) {
    const kind = layout === EROFS_INODE_CHUNK_BASED ? 'in chunks' : 'compressed'
    throw erofsFormatError('FORMAT_UNSUPPORTED', what, `its content is ${kind} (layout ${layout})`)
  }
  const isInline = layout === EROFS_INODE_FLAT_INLINE
  const tail = isInline ? size % blockSize : 0
  const pieces: FlatPiece[] = []
  if (size > tail) pieces.push({ offset: u * blockSize, length: size - tail })
  if (tail > 0) {
    const offset = raw.xattrStart + raw.xattrSize
    if ((offset % blockSize) + tail > blockSize) {
      throw erofsFormatError('FORMAT_INVALID', what, `a tail of ${tail} bytes crosses its block`, offset)
    }
    pieces.push({ offset, length: tail })
  }
  for (const { offset, length } of pieces) checkRange(volume, offset, length, what)
  return pieces
}

/** The content of a file. @throws FormatError for what makes no sense; chunks are looked up when reading */
export function fileContent(volume: Volume, raw: RawInode): ByteSource {
  if (raw.size === 0) return zeroSource(0)
  if (raw.layout === EROFS_INODE_CHUNK_BASED) return chunkedContent(volume, raw)
  const pieces = flatPieces(volume, raw)
  const [only] = pieces
  if (only && pieces.length === 1) return sliceSource(volume.source, only.offset, only.length)
  let position = 0
  const extents = pieces.map(({ offset, length }) => {
    const extent = { offset: position, length, source: volume.source, sourceOffset: offset }
    position += length
    return extent
  })
  return sparseSource(raw.size, extents)
}

/** Chunks whose addresses are not there are holes: in a composefs image all are. */
function chunkedContent(volume: Volume, raw: RawInode): ByteSource {
  const { blockSize } = volume.superblock
  const { nid, size, u } = raw
  if (u & ~(EROFS_CHUNK_FORMAT_BLKBITS_MASK | EROFS_CHUNK_FORMAT_INDEXES) & 0xffff) {
    throw erofsFormatError('FORMAT_UNSUPPORTED', `inode ${nid}`, `chunk format 0x${u.toString(16)}`)
  }
  const chunkSize = blockSize * 2 ** (u & EROFS_CHUNK_FORMAT_BLKBITS_MASK)
  const count = Math.ceil(size / chunkSize)
  const hasIndexes = (u & EROFS_CHUNK_FORMAT_INDEXES) !== 0
  const entrySize = hasIndexes ? ChunkIndex.size : 4
  const start = alignUp(raw.xattrStart + raw.xattrSize, entrySize)
  checkRange(volume, start, count * entrySize, `inode ${nid}`)

  async function resolve(): Promise<ByteSource> {
    const map = new Uint8Array(count * entrySize)
    await volume.source.read(start, map)
    const view = new DataView(map.buffer)
    const extents: SparseExtent[] = []
    for (let chunk = 0; chunk < count; chunk++) {
      const at = chunk * entrySize
      const index = hasIndexes ? ChunkIndex.read(map, at) : undefined
      const block = index?.blkaddr ?? view.getUint32(at, true)
      if (block === EROFS_NULL_ADDR) continue
      if (index && index.deviceId !== 0) {
        const message = `a chunk lies on another device, number ${index.deviceId}`
        throw erofsFormatError('FORMAT_UNSUPPORTED', `inode ${nid}`, message, start + at)
      }
      const offset = chunk * chunkSize
      const length = Math.min(chunkSize, size - offset)
      checkRange(volume, block * blockSize, length, `inode ${nid}`)
      extents.push({ offset, length, source: volume.source, sourceOffset: block * blockSize })
    }
    return sparseSource(size, extents)
  }
  let resolved: Promise<ByteSource> | undefined
  const content = (): Promise<ByteSource> => {
    resolved ??= resolve()
    return resolved
  }
  return {
    size,
    async read(offset, target) {
      await (await content()).read(offset, target)
    },
    async *dataRanges() {
      yield* (await content()).dataRanges?.() ?? []
    },
  }
}
