import { type ByteSource, decodeUtf8, FormatError, gather } from '@bootable/bytes'
import { lvmChecksum } from './checksum.ts'
import { lvmFormatError } from './errors.ts'
import {
  DiskLocation,
  LABEL_ID,
  LABEL_SCAN_SECTORS,
  LABEL_TYPE,
  LabelHeader,
  MDA_MAGIC,
  MDA_VERSION,
  MdaHeader,
  PvHeader,
  RAW_LOCN_IGNORED,
  SECTOR,
} from './format.ts'
import { parseMetadata, type VolumeGroupMetadata } from './metadata.ts'
import { dashLvmUuid, type LvmUuid } from './uuid.ts'
import { openVolume } from './volume.ts'

/** A volume group as one of its physical volumes shows it. */
export interface VolumeGroup {
  readonly name: string
  readonly uuid: LvmUuid
  /** Bytes. */
  readonly extentSize: number
  readonly physicalVolume: { readonly uuid: LvmUuid; readonly size: number }
  /** The volumes that one can mount, in the order of the metadata. */
  readonly volumes: readonly LogicalVolume[]
}

/** A logical volume. */
export interface LogicalVolume {
  readonly name: string
  readonly uuid: LvmUuid
  /** Bytes. */
  readonly size: number
  /**
   * Its bytes.
   * @throws FormatError `FORMAT_UNSUPPORTED` for snapshots, thin volumes, mirrors, RAID, caches, and volumes
   *   that reach to other physical volumes
   */
  open(): ByteSource
}

/** Tells whether a source is a physical volume of LVM2, by its label alone. */
export async function isPhysicalVolume(source: ByteSource): Promise<boolean> {
  return (await findLabel(source)) !== undefined
}

/**
 * Reads the volume group of a physical volume. Where one copy of the metadata is damaged, the next is taken.
 *
 * @throws FormatError also for a physical volume that belongs to no group
 */
export async function readVolumeGroup(source: ByteSource): Promise<VolumeGroup> {
  const label = await readLabel(source)
  const metadata = await readMetadata(source, label)
  const entry = [...metadata.physicalVolumes].find(([, { uuid }]) => uuid === label.uuid)
  if (!entry) {
    throw lvmFormatError('FORMAT_INVALID', 'physical_volumes', `${label.uuid} is not among them`)
  }
  const [name, physical] = entry
  const end = physical.dataOffset + physical.extentCount * metadata.extentSize
  if (end > source.size) {
    throw lvmFormatError(
      'FORMAT_TRUNCATED',
      `physical volume ${name}`,
      `${end} bytes of ${source.size} are there`,
    )
  }
  return {
    name: metadata.name,
    uuid: metadata.uuid,
    extentSize: metadata.extentSize,
    physicalVolume: { uuid: label.uuid, size: label.size },
    volumes: metadata.volumes
      .filter(({ visible }) => visible)
      .map((volume) => ({
        name: volume.name,
        uuid: volume.uuid,
        size: volume.extentCount * metadata.extentSize,
        open: () => openVolume(volume, { source, name, physical, extentSize: metadata.extentSize }),
      })),
  }
}

interface Label {
  readonly uuid: LvmUuid
  /** Bytes that the physical volume says it has. */
  readonly size: number
  readonly metadataAreas: readonly { readonly offset: number; readonly size: number }[]
}

/** The first label among the first sectors, and its place. */
async function findLabel(source: ByteSource): Promise<{ sector: Uint8Array; offset: number } | undefined> {
  const head = new Uint8Array(Math.min(LABEL_SCAN_SECTORS * SECTOR, source.size))
  await source.read(0, head)
  for (let offset = 0; offset + SECTOR <= head.length; offset += SECTOR) {
    const sector = head.subarray(offset, offset + SECTOR)
    const id = String.fromCharCode(...sector.subarray(0, LABEL_ID.length))
    const type = String.fromCharCode(...sector.subarray(24, 32))
    if (id === LABEL_ID && type === LABEL_TYPE) return { sector, offset }
  }
  return undefined
}

async function readLabel(source: ByteSource): Promise<Label> {
  const found = await findLabel(source)
  if (!found) throw lvmFormatError('FORMAT_INVALID', 'label_header', `no "${LABEL_ID}" in the first sectors`)
  const { sector, offset: at } = found
  const header = LabelHeader.read(sector)
  if (lvmChecksum(sector.subarray(LabelHeader.fields.offset.offset)) !== header.crc) {
    throw lvmFormatError('FORMAT_CHECKSUM', 'label_header', 'the CRC is wrong', at)
  }
  let position = header.offset
  const next = <T>(structure: { size: number; read(bytes: Uint8Array, base: number): T }): T => {
    if (position + structure.size > sector.length) {
      throw lvmFormatError('FORMAT_INVALID', 'pv_header', 'its lists do not end in the sector', at)
    }
    position += structure.size
    return structure.read(sector, position - structure.size)
  }
  const { pvUuid, deviceSize } = next(PvHeader)
  const areas = (): { offset: number; size: number }[] => {
    const list = []
    for (let area = next(DiskLocation); area.offset !== 0; area = next(DiskLocation)) list.push(area)
    return list
  }
  areas() // of data; the metadata says the same
  return { uuid: dashLvmUuid(pvUuid), size: deviceSize, metadataAreas: areas() }
}

async function readMetadata(source: ByteSource, label: Label): Promise<VolumeGroupMetadata> {
  let damage: unknown
  for (const area of label.metadataAreas) {
    try {
      const text = await readArea(source, area)
      if (text !== undefined) return parseMetadata(text)
    } catch (error) {
      if (!(error instanceof FormatError)) throw error
      damage ??= error
    }
  }
  throw damage ?? lvmFormatError('FORMAT_INVALID', 'metadata', `${label.uuid} belongs to no volume group`)
}

/** Text above this is refused: a thousand volumes have 300 KB. */
const MAX_TEXT = 4 * 1_048_576

/** The text of an area; `undefined` for one that is not in use. */
async function readArea(
  source: ByteSource,
  area: { readonly offset: number; readonly size: number },
): Promise<string | undefined> {
  const at = area.offset
  if (at + area.size > source.size || area.size < SECTOR) {
    const place = `${area.size} bytes, the device ends at ${source.size}`
    throw lvmFormatError('FORMAT_TRUNCATED', 'metadata area', place, at)
  }
  const sector = new Uint8Array(SECTOR)
  await source.read(at, sector)
  const header = MdaHeader.read(sector)
  if (header.magic !== MDA_MAGIC)
    throw lvmFormatError('FORMAT_INVALID', 'mda_header', 'the magic is wrong', at)
  if (lvmChecksum(sector.subarray(MdaHeader.fields.magic.offset)) !== header.checksum) {
    throw lvmFormatError('FORMAT_CHECKSUM', 'mda_header', 'the CRC is wrong', at)
  }
  if (header.version !== MDA_VERSION || header.start !== at || header.size !== area.size) {
    const text = `version ${header.version}, ${header.size} bytes from ${header.start}`
    throw lvmFormatError('FORMAT_INVALID', 'mda_header', text, at)
  }
  const location = header.rawLocations[0]
  if (!location || location.offset === 0 || location.flags & RAW_LOCN_IGNORED) return undefined
  const { offset, size, checksum } = location
  if (offset < SECTOR || offset >= area.size || size > Math.min(area.size - SECTOR, MAX_TEXT)) {
    throw lvmFormatError(
      'FORMAT_INVALID',
      'raw_locn',
      `${size} bytes from ${offset} of ${area.size}`,
      at + 40,
    )
  }
  const raw = new Uint8Array(size)
  // The area is a ring behind its first sector.
  const straight = Math.min(size, area.size - offset)
  await gather([
    { source, offset: at + offset, target: raw.subarray(0, straight) },
    { source, offset: at + SECTOR, target: raw.subarray(straight) },
  ])
  if (lvmChecksum(raw) !== checksum) {
    throw lvmFormatError('FORMAT_CHECKSUM', 'metadata text', 'the CRC is wrong', at + offset)
  }
  const end = raw.indexOf(0)
  const text = decodeUtf8(end < 0 ? raw : raw.subarray(0, end))
  if (text === undefined)
    throw lvmFormatError('FORMAT_INVALID', 'metadata text', 'it is not UTF-8', at + offset)
  return text
}
