import type { ByteSource } from '@bootable/bytes'
import { memorySource, sliceSource } from '@bootable/bytes'
import { mappedSource } from '../content/mapped.ts'
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
  return mappedSource(volume.source, blockSize, map.size, extents)
}
