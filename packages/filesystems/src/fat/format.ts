import { array, ascii, bytes, struct, u8, u16, u32 } from '@bootable/bytes'

// Microsoft Extensible Firmware Initiative FAT32 File System Specification, 1.03 ("fatgen103").
// Field names are the specification's, without their prefix.

/** The BIOS parameter block, the same in all three types. */
const COMMON = {
  jmpBoot: bytes(0x00, 3), // BS_jmpBoot
  oemName: ascii(0x03, 8, ' '), // BS_OEMName
  bytsPerSec: u16(0x0b), // BPB_BytsPerSec
  secPerClus: u8(0x0d), // BPB_SecPerClus
  rsvdSecCnt: u16(0x0e), // BPB_RsvdSecCnt

  numFats: u8(0x10), // BPB_NumFATs
  rootEntCnt: u16(0x11), // BPB_RootEntCnt
  totSec16: u16(0x13), // BPB_TotSec16
  media: u8(0x15), // BPB_Media
  fatSz16: u16(0x16), // BPB_FATSz16
  secPerTrk: u16(0x18), // BPB_SecPerTrk
  numHeads: u16(0x1a), // BPB_NumHeads
  hiddSec: u32(0x1c), // BPB_HiddSec

  totSec32: u32(0x20), // BPB_TotSec32
}

/** Sector 0 of FAT12 and FAT16. */
export const BootSector16 = struct('FAT12/16 boot sector', 512, {
  ...COMMON,
  drvNum: u8(0x24), // BS_DrvNum
  bootSig: u8(0x26), // BS_BootSig
  volId: u32(0x27), // BS_VolID
  volLab: ascii(0x2b, 11, ' '), // BS_VolLab

  filSysType: ascii(0x36, 8, ' '), // BS_FilSysType
  bootCode: bytes(0x3e, 448),
  signature: u16(0x1fe),
})

/** Sector 0 of FAT32, and its copy in sector 6. */
export const BootSector32 = struct('FAT32 boot sector', 512, {
  ...COMMON,
  fatSz32: u32(0x24), // BPB_FATSz32
  extFlags: u16(0x28), // BPB_ExtFlags
  fsVer: u16(0x2a), // BPB_FSVer
  rootClus: u32(0x2c), // BPB_RootClus

  fsInfo: u16(0x30), // BPB_FSInfo
  bkBootSec: u16(0x32), // BPB_BkBootSec

  drvNum: u8(0x40), // BS_DrvNum
  bootSig: u8(0x42), // BS_BootSig
  volId: u32(0x43), // BS_VolID
  volLab: ascii(0x47, 11, ' '), // BS_VolLab

  filSysType: ascii(0x52, 8, ' '), // BS_FilSysType
  bootCode: bytes(0x5a, 420),
  signature: u16(0x1fe),
})

/** FAT32's free cluster count, in sector 1 and copied to sector 7. */
export const FsInfo = struct('FSInfo', 512, {
  leadSig: u32(0x000), // FSI_LeadSig

  strucSig: u32(0x1e4), // FSI_StrucSig
  freeCount: u32(0x1e8), // FSI_Free_Count
  nxtFree: u32(0x1ec), // FSI_Nxt_Free

  trailSig: u32(0x1fc), // FSI_TrailSig
})

/** A short directory entry. */
export const DirectoryEntry = struct('directory entry', 32, {
  name: bytes(0x00, 11), // DIR_Name
  attr: u8(0x0b), // DIR_Attr
  ntRes: u8(0x0c), // DIR_NTRes
  crtTimeTenth: u8(0x0d), // DIR_CrtTimeTenth
  crtTime: u16(0x0e), // DIR_CrtTime

  crtDate: u16(0x10), // DIR_CrtDate
  lstAccDate: u16(0x12), // DIR_LstAccDate
  fstClusHi: u16(0x14), // DIR_FstClusHI
  wrtTime: u16(0x16), // DIR_WrtTime
  wrtDate: u16(0x18), // DIR_WrtDate
  fstClusLo: u16(0x1a), // DIR_FstClusLO
  fileSize: u32(0x1c), // DIR_FileSize
})

/** 13 UTF-16 units of a long name; a name's last units come first on disk. */
export const LongNameEntry = struct('long name entry', 32, {
  ord: u8(0x00), // LDIR_Ord
  name1: array(u16, 0x01, 5), // LDIR_Name1
  attr: u8(0x0b), // LDIR_Attr
  type: u8(0x0c), // LDIR_Type
  chksum: u8(0x0d), // LDIR_Chksum
  name2: array(u16, 0x0e, 6), // LDIR_Name2

  fstClusLo: u16(0x1a), // LDIR_FstClusLO
  name3: array(u16, 0x1c, 2), // LDIR_Name3
})

export const ENTRY_SIZE = 32
/** UTF-16 units of one long name entry. */
export const LONG_NAME_UNITS = 13
/** Longest name, in UTF-16 units. */
export const MAX_NAME_UNITS = 255
/** A directory may not pass 65536 entries, long name entries counted (fatgen103, page 24: 2 MiB). */
export const MAX_DIRECTORY_ENTRIES = 65_536
/** DIR_FileSize has 32 bits. */
export const MAX_FILE_SIZE = 2 ** 32 - 1

export const ATTR_READ_ONLY = 0x01
export const ATTR_VOLUME_ID = 0x08
export const ATTR_DIRECTORY = 0x10
export const ATTR_ARCHIVE = 0x20
/** Read-only, hidden, system and volume id at once: no entry that old software would show. */
export const ATTR_LONG_NAME = 0x0f

export const LAST_LONG_ENTRY = 0x40
/** First byte of a name: this entry is free. */
export const ENTRY_FREE = 0xe5
/** First byte of a name: this entry and all that follow are free. */
export const ENTRY_END = 0x00
/** Stands for 0xE5 as the first byte of a name (a letter of Shift-JIS). */
export const ENTRY_KANJI = 0x05
/** DIR_NTRes: the base, the extension is to be shown in lower case. */
export const NT_LOWER_BASE = 0x08
export const NT_LOWER_EXTENSION = 0x10

export const BOOT_SIGNATURE = 0xaa55
/** BS_BootSig: serial number, label and type follow. */
export const EXTENDED_BOOT_SIGNATURE = 0x29
export const MEDIA_FIXED = 0xf8
/** INT 13h number of the first hard disk. */
export const DRIVE_FIXED = 0x80
export const FSI_LEAD_SIGNATURE = 0x4161_5252
export const FSI_STRUCTURE_SIGNATURE = 0x6141_7272
export const FSI_TRAIL_SIGNATURE = 0xaa55_0000
/** FAT32: sectors of the FSInfo structure and of the boot sector's copy. */
export const FSINFO_SECTOR = 1
export const BACKUP_BOOT_SECTOR = 6

/** Width of a FAT entry in bits. Of the 32, the upper four are reserved. */
export type FatType = 12 | 16 | 32

/** The highest number of clusters of each type; the type follows from the number (fatgen103, page 15). */
export const MAX_CLUSTERS: Readonly<Record<FatType, number>> = { 12: 4084, 16: 65_524, 32: 0x0fff_fff4 }
export const MIN_CLUSTERS: Readonly<Record<FatType, number>> = { 12: 1, 16: 4085, 32: 65_525 }
/** The entry of a chain's last cluster as it is written; readers take anything from `END_MIN` on. */
export const END_MARK: Readonly<Record<FatType, number>> = { 12: 0xfff, 16: 0xffff, 32: 0x0fff_ffff }
export const END_MIN: Readonly<Record<FatType, number>> = { 12: 0xff8, 16: 0xfff8, 32: 0x0fff_fff8 }
/** Number of the first cluster of the data area. */
export const FIRST_CLUSTER = 2

/** Codes of the errors of {@link writeFat} and {@link measureFat}. */
export type FatErrorCode =
  /** The device is too small for the tree. */
  | 'FAT_NO_SPACE'
  /** The device cannot have the type asked for: too few or too many clusters. */
  | 'FAT_TYPE_IMPOSSIBLE'
  /** A file, name or inode type that FAT has no place for. */
  | 'FAT_UNSUPPORTED'
  /** Two names of one directory that differ only in case. */
  | 'FAT_NAME_COLLISION'
  /** A volume id, label, sector size or the like outside what FAT knows. */
  | 'FAT_OPTION_INVALID'
