import type { ByteRange, ByteSource, GatherPiece, Runtime } from '@bootable/bytes'
import { alignDown, alignUp, checkRead, gather, memorySource, sliceSource } from '@bootable/bytes'
import type { ChecksumReader } from './checksum-reader.ts'
import { decompressBlock } from './compression.ts'
import { btrfsFormatError } from './errors.ts'
import * as btrfs from './format.ts'
import { locate, type Volume } from './volume.ts'

/** Content that stands in a leaf. */
export interface InlineContent {
  readonly kind: 'inline'
  /** First byte on the device. */
  readonly position: number
  /** Bytes there. */
  readonly length: number
  /** Bytes of the file. */
  readonly size: number
  readonly compression: number
}

/** Content in an extent of its own. All values count bytes. */
export interface ExtentContent {
  readonly kind: 'extent'
  /** Its place in the file. */
  readonly fileOffset: number
  readonly length: number
  /** Logical address of the extent on disk. */
  readonly address: number
  readonly diskLength: number
  /** Where this part starts in the whole (uncompressed) extent. */
  readonly offset: number
  /** Of the whole extent, uncompressed. */
  readonly size: number
  readonly compression: number
}

export type FileContent = InlineContent | ExtentContent

/** What contents are read with. */
export interface ContentReader {
  readonly volume: Volume
  readonly checksums: ChecksumReader
  readonly runtime: Runtime
}

/** Decodes a file extent item; holes and extents that were never written give `undefined`. @throws FormatError */
export function decodeExtent(
  { superblock: { sectorSize } }: Volume,
  structure: string,
  fileOffset: number,
  data: Uint8Array,
  position: number,
): FileContent | undefined {
  const { ramBytes, compression, encryption, otherEncoding, type } = btrfs.FileExtentHeader.read(data)
  const fail = (message: string): never => {
    throw btrfsFormatError('FORMAT_INVALID', structure, message)
  }
  if (encryption !== 0 || otherEncoding !== 0 || compression > btrfs.BTRFS_COMPRESS_ZSTD) {
    const message = `an extent of compression ${compression}, encryption ${encryption}, encoding ${otherEncoding}`
    throw btrfsFormatError('FORMAT_UNSUPPORTED', structure, message)
  }
  const isCompressed = compression !== btrfs.BTRFS_COMPRESS_NONE
  if (type === btrfs.BTRFS_FILE_EXTENT_INLINE) {
    const length = data.length - btrfs.FileExtentHeader.size
    if (fileOffset !== 0 || ramBytes > sectorSize || (!isCompressed && ramBytes !== length)) {
      fail(`${ramBytes} bytes inline at ${fileOffset}, in ${length}`)
    }
    const start = position + btrfs.FileExtentHeader.size
    return { kind: 'inline', position: start, length, size: ramBytes, compression }
  }
  if (type > btrfs.BTRFS_FILE_EXTENT_PREALLOC) fail(`an extent of type ${type}`)
  const { diskBytenr, diskNumBytes, offset, numBytes } = btrfs.FileExtent.read(data)
  if (type === btrfs.BTRFS_FILE_EXTENT_PREALLOC || diskBytenr === 0) return undefined
  const isAligned = [fileOffset, diskBytenr, diskNumBytes, offset, numBytes].every(
    (value) => value % sectorSize === 0,
  )
  const whole = isCompressed ? ramBytes : diskNumBytes
  const isWithin = offset + numBytes <= whole && numBytes > 0 && Number.isSafeInteger(fileOffset + numBytes)
  if (!isAligned || !isWithin) {
    fail(`the extent at ${fileOffset} has ${numBytes} bytes from ${offset} of ${whole} at ${diskBytenr}`)
  }
  if (isCompressed && (whole > MAX_COMPRESSED || diskNumBytes > MAX_COMPRESSED)) {
    fail(`${whole} bytes compressed to ${diskNumBytes}`)
  }
  return {
    kind: 'extent',
    fileOffset,
    length: numBytes,
    address: diskBytenr,
    diskLength: diskNumBytes,
    offset,
    size: whole,
    compression,
  }
}

const MAX_COMPRESSED = btrfs.BTRFS_MAX_UNCOMPRESSED

/**
 * The content of a file. Every read of an extent is verified.
 * @param isVerified false for a file without checksums (`BTRFS_INODE_NODATASUM`)
 */
export function fileContent(
  reader: ContentReader,
  size: number,
  contents: readonly FileContent[],
  isVerified: boolean,
): ByteSource {
  const [only] = contents
  if (size === 0 || !only)
    return size === 0 ? memorySource(new Uint8Array()) : extentSource(reader, size, [], false)
  if (only.kind === 'inline') return inlineSource(reader, size, only)
  const extents = contents.filter((content): content is ExtentContent => content.kind === 'extent')
  return extentSource(reader, size, extents, isVerified)
}

/** Inline content; its leaf was verified when its place in it was found. */
function inlineSource({ volume, runtime }: ContentReader, size: number, inline: InlineContent): ByteSource {
  const { position, length, compression } = inline
  const stored = sliceSource(volume.source, position, length)
  if (compression === btrfs.BTRFS_COMPRESS_NONE && inline.size === size) return stored
  return {
    size,
    async read(offset, target) {
      checkRead(size, offset, target.length, 'btrfs file')
      const data = new Uint8Array(length)
      await stored.read(0, data)
      const { sectorSize } = volume.superblock
      const content =
        compression === btrfs.BTRFS_COMPRESS_NONE
          ? data
          : await decompressBlock({ data, type: compression, size: inline.size, sectorSize }, runtime)
      target.fill(0)
      target.set(content.subarray(offset, offset + target.length))
    },
  }
}

/** A source whose bytes lie in extents; what lies in none is zero. */
function extentSource(
  reader: ContentReader,
  size: number,
  extents: readonly ExtentContent[],
  isVerified: boolean,
): ByteSource {
  /** The compressed extent that was read last: readers go on where they stopped. */
  let recent: { readonly extent: ExtentContent; readonly content: Promise<Uint8Array> } | undefined

  function decompressed(extent: ExtentContent): Promise<Uint8Array> {
    if (recent?.extent !== extent) {
      const content = readCompressed(reader, extent, isVerified)
      content.catch(() => {
        if (recent?.extent === extent) recent = undefined
      })
      recent = { extent, content }
    }
    return recent.content
  }

  return {
    size,
    async read(offset, target) {
      checkRead(size, offset, target.length, 'btrfs file')
      target.fill(0)
      const end = offset + target.length
      const parts: Promise<void>[] = []
      for (let index = firstEndingAfter(extents, offset); index < extents.length; index++) {
        const extent = extents[index] as ExtentContent
        if (extent.fileOffset >= end) break
        const from = Math.max(offset, extent.fileOffset)
        const to = Math.min(end, extent.fileOffset + extent.length)
        const part = target.subarray(from - offset, to - offset)
        const start = extent.offset + from - extent.fileOffset
        if (extent.compression === btrfs.BTRFS_COMPRESS_NONE) {
          parts.push(readPlain(reader, extent.address + start, part, isVerified))
        } else {
          parts.push(
            decompressed(extent).then((content) => part.set(content.subarray(start, start + part.length))),
          )
        }
      }
      await Promise.all(parts)
    },
    async *dataRanges(): AsyncGenerator<ByteRange> {
      for (const { fileOffset, length } of extents) {
        const end = Math.min(fileOffset + length, size)
        if (fileOffset < end) yield { offset: fileOffset, length: end - fileOffset }
      }
    },
  }
}

async function readCompressed(
  reader: ContentReader,
  { address, diskLength, compression, size }: ExtentContent,
  isVerified: boolean,
): Promise<Uint8Array> {
  const data = new Uint8Array(diskLength)
  await readPlain(reader, address, data, isVerified)
  const { sectorSize } = reader.volume.superblock
  return decompressBlock({ data, type: compression, size, sectorSize }, reader.runtime)
}

/** Reads whole sectors around a range and compares them with their checksums, of each copy until one is good. */
async function readPlain(
  { volume, checksums }: ContentReader,
  address: number,
  target: Uint8Array,
  isVerified: boolean,
): Promise<void> {
  const { source, superblock } = volume
  const start = alignDown(address, superblock.sectorSize)
  const length = alignUp(address + target.length, superblock.sectorSize) - start
  const isWhole = length === target.length
  const sectors = isWhole ? target : new Uint8Array(length)
  let damaged: number | undefined
  for (const position of locate(volume, start, length)) {
    const piece: GatherPiece = { source, offset: position, target: sectors }
    await gather([piece])
    damaged = isVerified ? await checksums.verify(start, sectors) : undefined
    if (damaged === undefined) {
      if (!isWhole) target.set(sectors.subarray(address - start, address - start + target.length))
      return
    }
  }
  throw btrfsFormatError('FORMAT_CHECKSUM', 'data', 'the checksum of a sector is wrong', damaged)
}

/** Index of the first extent that ends behind a byte of the file. */
function firstEndingAfter(extents: readonly ExtentContent[], offset: number): number {
  let low = 0
  let high = extents.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const { fileOffset, length } = extents[middle] as ExtentContent
    if (fileOffset + length <= offset) low = middle + 1
    else high = middle
  }
  return low
}
