import { GiB, MiB } from '@bootable/bytes'
import type { Architecture } from '@bootable/system'
import { PARTITION_TYPES } from '../gpt/types.ts'

/** The filesystem of a {@link TableEntry}. */
export interface TableFilesystem {
  readonly path: string
  /** `root`: whatever the root filesystem is. */
  readonly type: 'vfat' | 'root'
  readonly label: string
  /** Options of fstab(5). `system`: they depend on how the system is laid out. */
  readonly options: string
  readonly passno: number
}

/** A partition of a base table, before it has a place. */
export interface TableEntry {
  readonly name: string
  readonly type: string
  /** Bytes. The root takes what is left; these are its least, where nobody says how large the disk is. */
  readonly size: number
  readonly filesystem?: TableFilesystem
}

/** GRUB's core image goes here when the firmware is a BIOS. */
const BIOS_BOOT: TableEntry = { name: 'bios', type: PARTITION_TYPES.biosBoot, size: MiB }

const PREP: TableEntry = { name: 'prep', type: PARTITION_TYPES.prep, size: 4 * MiB }

const ESP: TableEntry = {
  name: 'esp',
  type: PARTITION_TYPES.esp,
  size: 501 * MiB,
  filesystem: {
    path: '/boot/efi',
    type: 'vfat',
    label: 'EFI-SYSTEM',
    options: 'umask=0077,shortname=winnt',
    passno: 2,
  },
}

const BOOT: TableEntry = {
  name: 'boot',
  type: PARTITION_TYPES.xbootldr,
  size: GiB,
  filesystem: { path: '/boot', type: 'root', label: 'boot', options: 'system', passno: 2 },
}

/** image-builder's table says 2 GiB; its least sizes of `/` (1 GiB) and `/usr` (2 GiB) make that 3. */
const ROOT: TableEntry = {
  name: 'root',
  type: PARTITION_TYPES.linux,
  size: 3 * GiB,
  filesystem: { path: '/', type: 'root', label: 'root', options: 'system', passno: 1 },
}

/**
 * The partition tables that bootc-image-builder gives an image which brings none of its own. It has none for
 * riscv64, whose machines start by UEFI as those of aarch64 do.
 */
const BASE_TABLES: Readonly<Record<Architecture, readonly TableEntry[]>> = {
  x86_64: [BIOS_BOOT, ESP, BOOT, ROOT],
  aarch64: [ESP, BOOT, ROOT],
  ppc64le: [PREP, BOOT, ROOT],
  s390x: [BOOT, ROOT],
  riscv64: [ESP, BOOT, ROOT],
}

/** The base table of an architecture. No BIOS starts from sectors of 4096 bytes, so its partition is left out. */
export function baseTable(architecture: Architecture, sectorSize: number): readonly TableEntry[] {
  return BASE_TABLES[architecture].filter((entry) => entry !== BIOS_BOOT || sectorSize === 512)
}

/** A mount point that a blueprint asks for and no base table has. It stands in front of the root. */
export function extraEntry(path: string): TableEntry {
  return {
    name: path.slice(1).replaceAll('/', '-'),
    type: PARTITION_TYPES.linux,
    size: GiB,
    filesystem: { path, type: 'root', label: '', options: 'defaults', passno: 2 },
  }
}
