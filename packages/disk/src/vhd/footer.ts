import { type ByteSource, FormatError, type StructValue, type Uuid, uuidFromBytes } from '@bootable/bytes'
import { formatErrorOf } from '../blocks/errors.ts'
import {
  checksum,
  DISK_TYPE_DIFFERENCING,
  DISK_TYPE_DYNAMIC,
  DISK_TYPE_FIXED,
  EPOCH,
  FILE_FORMAT_VERSION,
  FOOTER_COOKIE,
  Footer,
  MAX_GEOMETRY,
  SECTOR,
} from './format.ts'

/** What a vhd says about itself. */
export interface VhdInfo {
  readonly type: 'fixed' | 'dynamic'
  /** Bytes of the disk. */
  readonly size: number
  /** The program that made it, four characters. */
  readonly creator: string
  readonly uuid: Uuid
  /** When it was made, in seconds since 1970. */
  readonly time: number
}

/** A footer that has been checked. */
export interface CheckedFooter {
  readonly info: VhdInfo
  /** Of the dynamic header, in bytes. */
  readonly dataOffset: bigint
}

type FooterValue = StructValue<typeof Footer.fields>

/**
 * Programs that take a disk's size from `currentSize`. With all others it is the product of the geometry,
 * which Virtual PC went by; the same list stands in QEMU.
 */
const SIZE_IN_BYTES = ['win ', 'qem2', 'd2v ', 'tap', 'CTXS']

/**
 * Reads and checks the footer: the last sector, or its copy in front of a dynamic disk where that is damaged.
 *
 * @throws FormatError
 */
export async function readFooter(source: ByteSource): Promise<CheckedFooter> {
  if (source.size < SECTOR)
    throw vhdError('FORMAT_TRUNCATED', 'footer', 0, `${source.size} bytes are no image`)
  try {
    return checkFooter(await loadFooter(source, source.size - SECTOR))
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    const copy = await loadFooter(source, 0).catch(() => undefined)
    if (copy?.diskType !== DISK_TYPE_DYNAMIC) throw error
    return checkFooter(copy)
  }
}

async function loadFooter(source: ByteSource, offset: number): Promise<FooterValue> {
  const raw = new Uint8Array(SECTOR)
  await source.read(offset, raw)
  const footer = Footer.read(raw)
  if (footer.cookie !== FOOTER_COOKIE) {
    throw vhdError('FORMAT_INVALID', 'footer', offset, `no "${FOOTER_COOKIE}"`)
  }
  const actual = checksum(raw, Footer.fields.checksum)
  if (footer.checksum !== actual) {
    const values = { expected: footer.checksum, actual }
    throw vhdError('FORMAT_CHECKSUM', 'footer', offset, 'its checksum is another', values)
  }
  return footer
}

function checkFooter(footer: FooterValue): CheckedFooter {
  const { fileFormatVersion, diskType, creatorApplication, timeStamp, uniqueId, dataOffset } = footer
  if (Math.floor(fileFormatVersion / 2 ** 16) !== FILE_FORMAT_VERSION / 2 ** 16) {
    const text = `0x${fileFormatVersion.toString(16)}; version 1.0 is known`
    throw vhdError('FORMAT_UNSUPPORTED', 'file format version', 0x0c, text)
  }
  if (diskType !== DISK_TYPE_FIXED && diskType !== DISK_TYPE_DYNAMIC) {
    const what =
      diskType === DISK_TYPE_DIFFERENCING ? 'differencing disks, which have a parent' : `${diskType}`
    throw vhdError('FORMAT_UNSUPPORTED', 'disk type', 0x3c, what)
  }
  return {
    info: {
      type: diskType === DISK_TYPE_FIXED ? 'fixed' : 'dynamic',
      size: diskSize(footer),
      creator: creatorApplication,
      uuid: uuidFromBytes(uniqueId),
      time: EPOCH + timeStamp,
    },
    dataOffset,
  }
}

function diskSize({
  cylinders,
  heads,
  sectorsPerTrack,
  creatorApplication,
  currentSize,
}: FooterValue): number {
  const product = cylinders * heads * sectorsPerTrack
  const largest = MAX_GEOMETRY.cylinders * MAX_GEOMETRY.heads * MAX_GEOMETRY.sectorsPerTrack
  if (product !== largest && !SIZE_IN_BYTES.includes(creatorApplication)) return product * SECTOR
  return Math.floor(currentSize / SECTOR) * SECTOR
}

/** A FormatError of this format. */
export const vhdError = formatErrorOf('vhd')
