import type { ByteRange, ByteSource, GatherPiece } from '@bootable/bytes'
import { checkRead, gather, memorySource, sliceSource } from '@bootable/bytes'
import { type BlockMap, inlineExtents, resolveExtents, type Volume } from './blocks.ts'
import type { Extent } from './extents.ts'

/**
 * The content of a file. One that lies in one piece is a window of the filesystem; of another the extents
 * are looked up at the first read.
 * @throws FormatError for an `i_block` that makes no sense; the rest is found out when reading
 */
export function fileContent(volume: Volume, map: BlockMap): ByteSource {
  if (map.size === 0) return memorySource(new Uint8Array())
  const { blockSize } = volume.superblock
  const known = inlineExtents(volume, map)
  const [only] = known ?? []
  if (only && known?.length === 1 && only.logical === 0 && only.length * blockSize >= map.size) {
    return sliceSource(volume.source, only.physical * blockSize, map.size)
  }
  let resolved: Promise<readonly Extent[]> | undefined
  const extents = (): Promise<readonly Extent[]> => {
    resolved ??= known ? Promise.resolve(known) : resolveExtents(volume, map, new Set())
    return resolved
  }
  return mappedSource(volume, map.size, extents)
}

/** A source whose bytes lie in extents; what lies in none is zero. */
function mappedSource(
  { source, superblock: { blockSize } }: Volume,
  size: number,
  resolve: () => Promise<readonly Extent[]>,
): ByteSource {
  return {
    size,
    async read(offset, target) {
      checkRead(size, offset, target.length, 'ext4 file')
      const extents = await resolve()
      target.fill(0)
      const end = offset + target.length
      const pieces: GatherPiece[] = []
      for (let index = firstEndingAfter(extents, offset / blockSize); index < extents.length; index++) {
        const { logical, physical, length } = extents[index] as Extent
        const from = Math.max(offset, logical * blockSize)
        const to = Math.min(end, (logical + length) * blockSize)
        if (logical * blockSize >= end) break
        const piece = target.subarray(from - offset, to - offset)
        pieces.push({ source, offset: physical * blockSize + from - logical * blockSize, target: piece })
      }
      await gather(pieces)
    },
    async *dataRanges(): AsyncGenerator<ByteRange> {
      for (const { logical, length } of await resolve()) {
        const offset = logical * blockSize
        const end = Math.min(offset + length * blockSize, size)
        if (offset < end) yield { offset, length: end - offset }
      }
    },
  }
}

/** Index of the first extent that ends behind a block of the file. */
function firstEndingAfter(extents: readonly Extent[], block: number): number {
  let low = 0
  let high = extents.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const { logical, length } = extents[middle] as Extent
    if (logical + length <= block) low = middle + 1
    else high = middle
  }
  return low
}
