import {
  type ByteSource,
  checkRead,
  type GatherPiece,
  gather,
  sliceSource,
  sparseSource,
} from '@bootable/bytes'
import { lvmFormatError } from './errors.ts'
import type { LogicalVolumeMetadata, PhysicalVolumeMetadata, SegmentMetadata } from './metadata.ts'

/** The physical volume at hand. */
export interface OpenPhysicalVolume {
  readonly source: ByteSource
  /** Under which segments refer to it. */
  readonly name: string
  readonly physical: PhysicalVolumeMetadata
  /** Bytes. */
  readonly extentSize: number
}

/**
 * The bytes of a logical volume that is linear or striped over the physical volume at hand.
 * @throws FormatError
 */
export function openVolume(volume: LogicalVolumeMetadata, from: OpenPhysicalVolume): ByteSource {
  const { extentSize } = from
  const segments = volume.segments.map((segment) => ({
    offset: segment.startExtent * extentSize,
    length: segment.extentCount * extentSize,
    source: openSegment(volume.name, segment, from),
    sourceOffset: 0,
  }))
  const [only] = segments
  if (only && segments.length === 1) return only.source
  return sparseSource(volume.extentCount * extentSize, segments)
}

function openSegment(name: string, segment: SegmentMetadata, from: OpenPhysicalVolume): ByteSource {
  const { type, stripes, stripeSize, extentCount } = segment
  const { physical, extentSize } = from
  const where = `logical volume ${name}`
  if (type !== 'striped') {
    throw lvmFormatError(
      'FORMAT_UNSUPPORTED',
      where,
      `it has a segment of type ${type}; linear and striped are read`,
    )
  }
  const stripeExtents = extentCount / stripes.length
  if (!Number.isInteger(stripeExtents)) {
    throw lvmFormatError('FORMAT_INVALID', where, `${extentCount} extents in ${stripes.length} stripes`)
  }
  const sources = stripes.map(({ physicalVolume, extent }) => {
    if (physicalVolume !== from.name) {
      const text = `it reaches to physical volume ${physicalVolume}; ${from.name} is at hand`
      throw lvmFormatError('FORMAT_UNSUPPORTED', where, text)
    }
    if (extent + stripeExtents > physical.extentCount) {
      const text = `extents ${extent} to ${extent + stripeExtents} of ${physical.extentCount}`
      throw lvmFormatError('FORMAT_INVALID', where, text)
    }
    const offset = physical.dataOffset + extent * extentSize
    return sliceSource(from.source, offset, stripeExtents * extentSize)
  })
  const [only] = sources
  if (only && sources.length === 1) return only
  if (extentSize % stripeSize !== 0) {
    throw lvmFormatError(
      'FORMAT_INVALID',
      where,
      `stripes of ${stripeSize} bytes in extents of ${extentSize}`,
    )
  }
  return stripedSource(sources, stripeSize)
}

/** Sources of one length, taken by turns, `stripeSize` bytes of each. */
function stripedSource(sources: readonly ByteSource[], stripeSize: number): ByteSource {
  const size = sources.reduce((sum, source) => sum + source.size, 0)
  return {
    size,
    async read(offset, target) {
      checkRead(size, offset, target.length, 'logical volume')
      const pieces: GatherPiece[] = []
      for (let done = 0; done < target.length; ) {
        const stripe = Math.floor((offset + done) / stripeSize)
        const within = (offset + done) % stripeSize
        const length = Math.min(stripeSize - within, target.length - done)
        pieces.push({
          source: sources[stripe % sources.length] as ByteSource,
          offset: Math.floor(stripe / sources.length) * stripeSize + within,
          target: target.subarray(done, done + length),
        })
        done += length
      }
      await gather(pieces)
    },
  }
}
