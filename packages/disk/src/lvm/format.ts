import { array, ascii, type Field, struct, u32, u64 } from '@bootable/bytes'

/** Everything in LVM's headers counts sectors of 512 bytes or, where said so, bytes; whatever the disk's own. */
export const SECTOR = 512

/** `LABEL_ID` and `LVM2_LABEL` of `lib/label/label.h`. */
export const LABEL_ID = 'LABELONE'
export const LABEL_TYPE = 'LVM2 001'
/** The label stands in one of the first four sectors; everybody writes it to the second. */
export const LABEL_SCAN_SECTORS = 4
export const LABEL_SECTOR = 1

/** `struct label_header` of `lib/label/label.h`; its checksum covers the sector from `offset` on. */
export const LabelHeader = struct('label_header', 32, {
  id: ascii(0x00, 8),
  sector: u64(0x08),

  crc: u32(0x10),
  offset: u32(0x14), // of what follows, from the start of the label
  type: ascii(0x18, 8),
})

/** `struct pv_header` of `lib/format_text/layout.h`; lists of areas follow, each ended by a zero entry. */
export const PvHeader = struct('pv_header', 40, {
  pvUuid: ascii(0x00, 32), // without dashes
  deviceSize: u64(0x20), // bytes
})

/** `struct disk_locn`: an area in bytes from the start of the device; a size of 0 is "to the end". */
export const DiskLocation = struct('disk_locn', 16, {
  offset: u64(0x00),
  size: u64(0x08),
})

/** `struct pv_header_extension`, behind both lists; one list of areas for boot loaders follows it. */
export const PvHeaderExtension = struct('pv_header_extension', 8, {
  version: u32(0x00),
  flags: u32(0x04),
})

export const PV_EXTENSION_VERSION = 2
/** `PV_EXT_USED`: the volume is one of a group. */
export const PV_EXT_USED = 1

/** `struct raw_locn`: where a copy of the text is, from the start of its metadata area. */
export const RawLocation = struct('raw_locn', 24, {
  offset: u64(0x00),
  size: u64(0x08), // the zero behind the text included
  checksum: u32(0x10),
  flags: u32(0x14),
})

/** `RAW_LOCN_IGNORED`: the area is not in use. */
export const RAW_LOCN_IGNORED = 1

/** `struct mda_header` of `lib/format_text/layout.h`: the first sector of a metadata area. */
export const MdaHeader = struct('mda_header', SECTOR, {
  checksum: u32(0x00), // of the rest of the sector
  magic: ascii(0x04, 16),
  version: u32(0x14),
  start: u64(0x18), // bytes from the start of the device

  size: u64(0x20),
  rawLocations: array(rawLocation, 0x28, 4), // committed, being committed; ended by a zero entry
})

export const MDA_MAGIC = ' LVM2 x[5A%r0N*>'
export const MDA_VERSION = 1

/** What pvcreate makes of its defaults: one metadata area, data from 1 MiB on. */
export const METADATA_OFFSET = 4096
export const DATA_OFFSET = 1_048_576
/** What vgcreate makes of its defaults. */
export const EXTENT_SIZE = 4 * 1_048_576

/** `INITIAL_CRC` of `lib/misc/crc.h`. */
export const INITIAL_CRC = 0xf597_a6cf

type RawLocationValue = ReturnType<typeof RawLocation.read>

function rawLocation(offset: number): Field<RawLocationValue> {
  const { size } = RawLocation
  const bytesOf = (view: DataView, at: number): Uint8Array =>
    new Uint8Array(view.buffer, view.byteOffset + at, size)
  return {
    offset,
    size,
    get: (view, at) => RawLocation.read(bytesOf(view, at)),
    set: (view, at, value) => RawLocation.write(bytesOf(view, at), 0, value),
  }
}
