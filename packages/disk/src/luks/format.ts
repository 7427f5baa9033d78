import { ascii, bytes, KiB, MiB, struct, u16be, u64be } from '@bootable/bytes'

/** `LUKS\xba\xbe` at the start, `SKUL\xba\xbe` at the second copy. */
export const MAGIC_PRIMARY = Uint8Array.of(0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe)
export const MAGIC_SECONDARY = Uint8Array.of(0x53, 0x4b, 0x55, 0x4c, 0xba, 0xbe)

/** LUKS2 On-Disk Format Specification 1.1.3, 2.1: `struct luks2_hdr_disk`. Everything is big-endian. */
export const Luks2Header = struct('luks2_hdr_disk', 4096, {
  magic: bytes(0x000, 6),
  version: u16be(0x006),
  hdrSize: u64be(0x008), // hdr_size: this structure and the JSON area

  seqid: u64be(0x010),
  label: bytes(0x018, 48),

  checksumAlg: ascii(0x048, 32), // checksum_alg

  salt: bytes(0x068, 64), // makes the checksums of both copies differ; no secret

  uuid: ascii(0x0a8, 40),

  subsystem: bytes(0x0d0, 48),

  hdrOffset: u64be(0x100), // hdr_offset: its own place on the device

  csum: bytes(0x1c0, 64), // over hdr_size bytes, itself zero
})

export const VERSION = 2
export const CHECKSUM = 'sha256'

/** The sizes of header and JSON area that the specification allows (table 1), in bytes. */
export const HEADER_SIZES = [16, 32, 64, 128, 256, 512, 1024, 2048, 4096].map((size) => size * KiB)

/** What cryptsetup writes: headers of 16 KiB, and key slots up to where the data starts. */
export const HEADER_SIZE = 16 * KiB
export const DATA_OFFSET = 16 * MiB
export const KEYSLOTS_OFFSET = 2 * HEADER_SIZE
export const KEYSLOTS_SIZE = DATA_OFFSET - KEYSLOTS_OFFSET

/** Key slots are encrypted in sectors of this size, whatever the data's. */
export const AREA_SECTOR = 512
/** Areas of key slots start and end at multiples of it. */
export const AREA_ALIGNMENT = 4096
/** Stripes into which a key is split: `LUKS_STRIPES`, the only number there is. */
export const STRIPES = 4000

/** The only cipher that is written and read: XTS, sectors numbered by 64 bits. */
export const CIPHER = 'aes-xts-plain64'
/** Bytes of both keys of AES-256-XTS, and of AES-128-XTS. */
export const KEY_SIZE = 64
export const KEY_SIZES = [32, 64]

export const SECTOR_SIZES = [512, 1024, 2048, 4096] as const
