import type { BlockDevice, OperationOptions } from '@bootable/bytes'
import { BootableError, clearRange, sliceDevice, utf8 } from '@bootable/bytes'
import { lvmChecksum } from './checksum.ts'
import type { LvmErrorCode } from './errors.ts'
import {
  DATA_OFFSET,
  DiskLocation,
  LABEL_ID,
  LABEL_SECTOR,
  LABEL_TYPE,
  LabelHeader,
  MDA_MAGIC,
  MDA_VERSION,
  MdaHeader,
  METADATA_OFFSET,
  PV_EXT_USED,
  PV_EXTENSION_VERSION,
  PvHeader,
  PvHeaderExtension,
  SECTOR,
} from './format.ts'
import type { VolumeGroupLayout } from './layout.ts'
import { renderMetadata } from './metadata.ts'
import { plainLvmUuid } from './uuid.ts'

/** Options of {@link writeVolumeGroup}. */
export interface WriteVolumeGroupOptions extends OperationOptions {
  /** When the volumes were made, in seconds since 1970. @defaultValue 0 */
  readonly time?: number
  /** On which machine they were made: a host name. @defaultValue `bootable` */
  readonly host?: string
}

/**
 * Makes a device the only physical volume of a volume group: what pvcreate, vgcreate and lvcreate would
 * leave on it. What is in the volumes is for their own writers.
 *
 * @throws BootableError `LVM_NO_SPACE` for a device smaller than the layout, or more volumes than metadata
 *   has room for
 */
export async function writeVolumeGroup(
  layout: VolumeGroupLayout,
  device: BlockDevice,
  options: WriteVolumeGroupOptions = {},
): Promise<void> {
  const { signal, time = 0, host = 'bootable' } = options
  signal?.throwIfAborted()
  // LVM reads quotes, but does not escape them when it writes the text anew.
  if (!/^[\w.-]+$/.test(host)) {
    throw new BootableError<LvmErrorCode>(
      'LVM_OPTION_INVALID',
      `host ${JSON.stringify(host)}: must be a host name`,
      {
        details: { problems: ['host'] },
      },
    )
  }
  const { size } = layout.physicalVolume
  if (device.size < size) {
    throw new BootableError<LvmErrorCode>(
      'LVM_NO_SPACE',
      `volume group ${layout.name} is laid out for ${size} bytes, the device has ${device.size}`,
      { details: { needed: size, size: device.size } },
    )
  }
  const area = encodeMetadataArea(layout, utf8(`${renderMetadata(layout, { time, host })}\0`))
  await clearRange(device, 0, DATA_OFFSET)
  const head = new Uint8Array(METADATA_OFFSET + area.length)
  head.set(encodeLabel(layout), LABEL_SECTOR * SECTOR)
  head.set(area, METADATA_OFFSET)
  await device.write(0, head)
}

/** A logical volume of a group that {@link writeVolumeGroup} wrote, as a device of its own. */
export function openLogicalVolume(layout: VolumeGroupLayout, device: BlockDevice, name: string): BlockDevice {
  const volume = layout.volumes.find((candidate) => candidate.name === name)
  if (!volume) {
    const names = layout.volumes.map((candidate) => candidate.name)
    throw new BootableError<LvmErrorCode>(
      'LVM_OPTION_INVALID',
      `volume group ${layout.name} has no volume ${JSON.stringify(name)}, but ${names.join(', ') || 'none'}`,
      { details: { name, names } },
    )
  }
  return sliceDevice(device, volume.offset, volume.size)
}

/** The sector with label, header and areas of the physical volume. */
function encodeLabel({ physicalVolume: { uuid, size, dataOffset } }: VolumeGroupLayout): Uint8Array {
  const sector = new Uint8Array(SECTOR)
  LabelHeader.write(sector, 0, {
    id: LABEL_ID,
    sector: LABEL_SECTOR,
    offset: LabelHeader.size,
    type: LABEL_TYPE,
  })
  let at = LabelHeader.size
  PvHeader.write(sector, at, { pvUuid: plainLvmUuid(uuid), deviceSize: size })
  at += PvHeader.size
  const end = { offset: 0, size: 0 }
  const data = { offset: dataOffset, size: 0 }
  const metadata = { offset: METADATA_OFFSET, size: DATA_OFFSET - METADATA_OFFSET }
  for (const location of [data, end, metadata, end]) {
    DiskLocation.write(sector, at, location)
    at += DiskLocation.size
  }
  PvHeaderExtension.write(sector, at, { version: PV_EXTENSION_VERSION, flags: PV_EXT_USED })
  const sealed = sector.subarray(LabelHeader.fields.offset.offset)
  LabelHeader.write(sector, 0, { crc: lvmChecksum(sealed) })
  return sector
}

/** Header and text. @param text its final zero included */
function encodeMetadataArea({ name, volumes }: VolumeGroupLayout, text: Uint8Array): Uint8Array {
  const size = DATA_OFFSET - METADATA_OFFSET
  // LVM writes each change next to the text before it: both must fit (`_vg_write_raw`).
  if (text.length * 2 > size - SECTOR) {
    throw new BootableError<LvmErrorCode>(
      'LVM_NO_SPACE',
      `the metadata of volume group ${name} with ${volumes.length} volumes has ${text.length} bytes, ${Math.floor((size - SECTOR) / 2)} are there for it`,
      { details: { needed: text.length * 2 + SECTOR, size } },
    )
  }
  const location = { offset: SECTOR, size: text.length, checksum: lvmChecksum(text), flags: 0 }
  const area = new Uint8Array(SECTOR + text.length)
  MdaHeader.write(area, 0, {
    magic: MDA_MAGIC,
    version: MDA_VERSION,
    start: METADATA_OFFSET,
    size,
    rawLocations: [location],
  })
  const sealed = area.subarray(MdaHeader.fields.magic.offset, MdaHeader.size)
  MdaHeader.write(area, 0, { checksum: lvmChecksum(sealed) })
  area.set(text, SECTOR)
  return area
}
