import type { ByteSource } from '@bootable/bytes'
import { memorySource, sliceSource } from '@bootable/bytes'
import { mappedSource } from '../content/mapped.ts'
import { xfsFormatError } from './errors.ts'
import type { Extent } from './extents.ts'
import { inlineExtents, resolveExtents } from './fork-reader.ts'
import { XFS_DIFLAG_REALTIME } from './format.ts'
import type { RawInode } from './inode-reader.ts'
import type { Volume } from './volume.ts'

/**
 * The content of a file. One that lies in one piece is a window of the filesystem; of a tree of extents the
 * blocks are looked up at the first read.
 * @throws FormatError for a fork that makes no sense, or content on a realtime device; the rest is found
 * out when reading
 */
export function fileContent(volume: Volume, { data, size, number, flags }: RawInode): ByteSource {
  if (size === 0) return memorySource(new Uint8Array())
  const { blockSize } = volume.superblock
  if (flags & XFS_DIFLAG_REALTIME) {
    throw xfsFormatError('FORMAT_UNSUPPORTED', `inode ${number}`, 'its content is on a realtime device')
  }
  const known = inlineExtents(volume, data)
  const [only] = known ?? []
  if (only && known?.length === 1 && only.logical === 0 && only.length * blockSize >= size) {
    return sliceSource(volume.source, only.physical * blockSize, size)
  }
  let resolved: Promise<readonly Extent[]> | undefined
  const extents = (): Promise<readonly Extent[]> => {
    resolved ??= known ? Promise.resolve(known) : resolveExtents(volume, data)
    return resolved
  }
  return mappedSource(volume.source, blockSize, size, extents)
}
