import type { ByteSource } from '@bootable/bytes'
import { FormatError } from '@bootable/bytes'
import type { FatType } from './format.ts'
import {
  BACKUP_BOOT_SECTOR,
  BOOT_SIGNATURE,
  BootSector16,
  BootSector32,
  DRIVE_FIXED,
  ENTRY_SIZE,
  EXTENDED_BOOT_SIGNATURE,
  FIRST_CLUSTER,
  FSI_LEAD_SIGNATURE,
  FSI_STRUCTURE_SIGNATURE,
  FSI_TRAIL_SIGNATURE,
  FSINFO_SECTOR,
  FsInfo,
  MAX_CLUSTERS,
  MEDIA_FIXED,
} from './format.ts'
import type { FatLayout } from './layout.ts'

/** Sector 0 of a FAT volume: its layout and its names. */
export interface FatBootSector extends FatLayout {
  readonly oemName: string
  /** Serial number as every tool prints it: `XXXX-XXXX`, upper case. */
  readonly volumeId: string
  /** The boot sector's copy of the label; `NO NAME` where there is none. */
  readonly label: string
  /** Sectors before the volume on its disk. */
  readonly hiddenSectors: number
  /** First cluster of the root directory; 0 for FAT12 and FAT16. */
  readonly rootCluster: number
}

/** INT 18h, "no boot here, try the next disk", and a halt should it return. */
const BOOT_CODE = Uint8Array.of(0xcd, 0x18, 0xf4, 0xeb, 0xfd)

/** What of the boot sector does not follow from the layout. */
export interface BootSectorValues {
  readonly volumeId: number
  readonly label: string | undefined
  readonly hiddenSectors: number
}

/** The boot sector, 512 bytes whatever the size of a sector. */
export function encodeBootSector(layout: FatLayout, values: BootSectorValues): Uint8Array {
  const { type, totalSectors, sectorsPerFat } = layout
  const small = totalSectors < 65_536
  const common = {
    oemName: 'BOOTABLE',
    bytsPerSec: layout.sectorSize,
    secPerClus: layout.sectorsPerCluster,
    rsvdSecCnt: layout.reservedSectors,
    numFats: layout.fats,
    rootEntCnt: layout.rootEntries,
    media: MEDIA_FIXED,
    secPerTrk: layout.sectorsPerTrack,
    numHeads: layout.heads,
    hiddSec: values.hiddenSectors,
    totSec16: small ? totalSectors : 0,
    totSec32: small ? 0 : totalSectors,
    drvNum: DRIVE_FIXED,
    bootSig: EXTENDED_BOOT_SIGNATURE,
    volId: values.volumeId,
    volLab: values.label ?? 'NO NAME',
    filSysType: `FAT${type}`,
    bootCode: BOOT_CODE,
    signature: BOOT_SIGNATURE,
  }
  // A jump to the boot code, and a NOP: EB offset 90.
  const jump = (code: number): Uint8Array => Uint8Array.of(0xeb, code - 2, 0x90)
  if (type !== 32) {
    return BootSector16.encode({
      ...common,
      jmpBoot: jump(BootSector16.fields.bootCode.offset),
      fatSz16: sectorsPerFat,
    })
  }
  return BootSector32.encode({
    ...common,
    jmpBoot: jump(BootSector32.fields.bootCode.offset),
    fatSz32: sectorsPerFat,
    rootClus: FIRST_CLUSTER,
    fsInfo: FSINFO_SECTOR,
    bkBootSec: BACKUP_BOOT_SECTOR,
  })
}

/** FSInfo of a volume whose first `used` clusters are taken. */
export function encodeFsInfo(layout: FatLayout, used: number): Uint8Array {
  return FsInfo.encode({
    leadSig: FSI_LEAD_SIGNATURE,
    strucSig: FSI_STRUCTURE_SIGNATURE,
    freeCount: layout.clusters - used,
    // Where to look for free clusters next; the last cluster taken, as mkfs.fat has it.
    nxtFree: FIRST_CLUSTER + used - 1,
    trailSig: FSI_TRAIL_SIGNATURE,
  })
}

/**
 * Reads and checks sector 0.
 * @throws FormatError on anything but a FAT volume that lies within the source
 */
export async function readFatBootSector(source: ByteSource): Promise<FatBootSector> {
  const sector = new Uint8Array(512)
  if (source.size < sector.length) {
    throw new FormatError(
      'FORMAT_TRUNCATED',
      { format: 'fat', structure: 'boot sector', offset: 0, expected: sector.length, actual: source.size },
      `${source.size} bytes are no volume`,
    )
  }
  await source.read(0, sector)
  return decodeBootSector(sector, source.size)
}

function decodeBootSector(sector: Uint8Array, size: number): FatBootSector {
  const old = BootSector16.read(sector)
  const is32 = old.fatSz16 === 0
  const { fatSz32, rootClus, ...extended } = BootSector32.read(sector)
  const names = is32 ? extended : old

  const sectorsPerFat = is32 ? fatSz32 : old.fatSz16
  const totalSectors = old.totSec16 === 0 ? old.totSec32 : old.totSec16
  check(old.signature === BOOT_SIGNATURE, 'signature', 0x1fe, BOOT_SIGNATURE, old.signature)
  const { bytsPerSec, secPerClus, rsvdSecCnt, numFats, rootEntCnt } = old
  check([512, 1024, 2048, 4096].includes(bytsPerSec), 'BPB_BytsPerSec', 0x0b, '512 to 4096', bytsPerSec)
  check(
    secPerClus > 0 && (secPerClus & (secPerClus - 1)) === 0,
    'BPB_SecPerClus',
    0x0d,
    'a power of two',
    secPerClus,
  )
  check(rsvdSecCnt > 0, 'BPB_RsvdSecCnt', 0x0e, 'at least 1', rsvdSecCnt)
  check(numFats > 0, 'BPB_NumFATs', 0x10, 'at least 1', numFats)
  check(
    sectorsPerFat > 0,
    is32 ? 'BPB_FATSz32' : 'BPB_FATSz16',
    is32 ? 0x24 : 0x16,
    'at least 1',
    sectorsPerFat,
  )
  check(!is32 || rootEntCnt === 0, 'BPB_RootEntCnt', 0x11, '0 in FAT32', rootEntCnt)
  check(!is32 || extended.fsVer === 0, 'BPB_FSVer', 0x2a, 0, extended.fsVer)
  check(
    totalSectors * bytsPerSec <= size,
    'BPB_TotSec',
    0x20,
    `at most ${Math.floor(size / bytsPerSec)}`,
    totalSectors,
  )

  const rootSectors = Math.ceil((rootEntCnt * ENTRY_SIZE) / bytsPerSec)
  const overhead = rsvdSecCnt + numFats * sectorsPerFat + rootSectors
  check(overhead < totalSectors, 'BPB_TotSec', 0x20, `more than ${overhead}`, totalSectors)
  const counted = Math.floor((totalSectors - overhead) / secPerClus)
  // Linux and GRUB go by the field that FAT32 alone has, not by the count, from 65525 clusters on.
  const type: FatType = is32 ? 32 : counted <= MAX_CLUSTERS[12] ? 12 : 16
  // A table that is too short for its clusters leaves the last ones out of use.
  const held = Math.floor((sectorsPerFat * bytsPerSec * 8) / type) - FIRST_CLUSTER
  const id = names.volId.toString(16).toUpperCase().padStart(8, '0')
  return {
    type,
    sectorSize: bytsPerSec,
    sectorsPerCluster: secPerClus,
    reservedSectors: rsvdSecCnt,
    fats: numFats,
    sectorsPerFat,
    rootEntries: rootEntCnt,
    totalSectors,
    clusters: Math.max(0, Math.min(counted, held, MAX_CLUSTERS[type])),
    sectorsPerTrack: old.secPerTrk,
    heads: old.numHeads,
    oemName: old.oemName,
    volumeId: `${id.slice(0, 4)}-${id.slice(4)}`,
    label: names.volLab,
    hiddenSectors: old.hiddSec,
    rootCluster: is32 ? rootClus : 0,
  }
}

function check(good: boolean, structure: string, offset: number, expected: unknown, actual: unknown): void {
  if (good) return
  const details = { format: 'fat', structure, offset, expected, actual }
  throw new FormatError('FORMAT_INVALID', details, `is ${actual}, expected ${expected}`)
}
