import { GiB, MiB } from '@bootable/bytes'
import type { Architecture, InstalledSystem } from '@bootable/system'
import { GRAIN } from '../gpt/layout.ts'
import { PARTITION_TYPES, ROOT_PARTITION_TYPES } from '../gpt/types.ts'
import type { RootFilesystem, SectorSize } from './options.ts'
import type { DiskTable, TableContent, TableEntry, TableFilesystem } from './table.ts'

/** What a table depends on beside the request. */
export interface TableContext {
  readonly architecture: Architecture
  readonly layout: InstalledSystem['layout']
  readonly rootfs: RootFilesystem
  readonly sectorSize: SectorSize
  /** The kernel is a unified kernel image, which lies on the ESP and is started without a boot loader. */
  readonly isUnified: boolean
}

/** What bootc-image-builder makes a disk when nobody says otherwise. */
export const DEFAULT_DISK_SIZE = 10 * GiB

/** image-builder's table says 2 GiB; its least sizes of `/` (1 GiB) and `/usr` (2 GiB) make that 3. */
export const DEFAULT_ROOT_SIZE = 3 * GiB

const nameless = { label: '', attributes: [], minimum: 0 } as const

/** GRUB's core image goes here when the firmware is a BIOS. */
export const BIOS_BOOT: TableEntry = {
  ...nameless,
  ...{ name: 'bios', key: 'bios', type: PARTITION_TYPES.biosBoot, size: MiB, minimum: MiB },
}

export const PREP: TableEntry = {
  ...nameless,
  ...{ name: 'prep', key: 'prep', type: PARTITION_TYPES.prep, size: 4 * MiB, minimum: 4 * MiB },
}

/** The EFI system partition of the base tables. */
export const ESP: TableEntry = {
  ...nameless,
  ...{ name: 'esp', key: 'esp', type: PARTITION_TYPES.esp, size: 501 * MiB },
  content: {
    ...{ type: 'filesystem', format: 'vfat', path: '/boot/efi', label: 'EFI-SYSTEM' },
    ...{ options: 'umask=0077,shortname=winnt', freq: 0, passno: 2 },
  },
}

/**
 * The partition tables that bootc-image-builder gives an image which brings none of its own. It has none for
 * riscv64, whose machines start by UEFI as those of aarch64 do.
 */
const FIRMWARE_PARTITIONS: Readonly<Record<Architecture, readonly TableEntry[]>> = {
  x86_64: [BIOS_BOOT, ESP],
  aarch64: [ESP],
  ppc64le: [PREP],
  s390x: [],
  riscv64: [ESP],
}

/** What firmware looks for. No BIOS starts from sectors of 4096 bytes, so its partition is left out. */
export function firmwarePartitions({ architecture, sectorSize }: TableContext): readonly TableEntry[] {
  return FIRMWARE_PARTITIONS[architecture].filter((entry) => entry !== BIOS_BOOT || sectorSize === 512)
}

/** What tables have in common where nobody says otherwise. */
export function tableDefaults({ sectorSize }: TableContext): Omit<DiskTable, 'entries' | 'size'> {
  return {
    type: 'gpt',
    sectorSize,
    grain: GRAIN,
    startOffset: { bytes: 0, absolute: false },
    padding: 0,
    growRoot: true,
  }
}

/** The base table of an architecture. */
export function baseTable(context: TableContext): DiskTable {
  const { layout, rootfs, architecture } = context
  // bootc-image-builder mounts / and /boot read-only and unchecked: ostree remounts what it writes to. A plain
  // system has nobody who would do that.
  const mount = layout === 'ostree' ? { options: 'ro', passno: 0 } : {}
  const boot: TableEntry = { ...bootEntry(), content: { ...bootFilesystem(context), ...mount } }
  const root: TableEntry = {
    ...nameless,
    ...{ name: 'root', key: 'root', size: DEFAULT_ROOT_SIZE },
    type: rootfs === 'btrfs' ? ROOT_PARTITION_TYPES[architecture] : PARTITION_TYPES.linux,
    content: rootContent(context, mount),
  }
  return {
    ...tableDefaults(context),
    size: DEFAULT_DISK_SIZE,
    entries: [...firmwarePartitions(context), boot, root],
  }
}

/** A `/boot` of its own, without its filesystem. */
export function bootEntry(): Omit<TableEntry, 'content'> {
  return { ...nameless, name: 'boot', key: 'boot', type: PARTITION_TYPES.xbootldr, size: GiB }
}

/** As the root, but never a btrfs: ext4 is what every boot loader reads. */
export function bootFilesystem({ rootfs }: TableContext): TableFilesystem {
  return plainFilesystem(rootfs === 'btrfs' ? 'ext4' : rootfs, '/boot', 'boot')
}

/** The root that nobody has asked for in other words: on btrfs in a subvolume, compressed. */
export function rootContent(
  { rootfs }: TableContext,
  mount: Partial<Pick<TableFilesystem, 'options' | 'passno'>> = {},
): TableContent {
  if (rootfs !== 'btrfs') return { ...plainFilesystem(rootfs, '/', 'root'), ...mount }
  const compress = 'zstd:1'
  const options = subvolumeOptions('root', compress, mount.options === undefined ? [] : [mount.options])
  const subvolume = { name: 'root', mount: { path: '/', options, freq: 0, passno: 0 }, compress, size: 0 }
  return { type: 'btrfs', label: 'root', subvolumes: [subvolume] }
}

/** A filesystem with the mount options that osbuild gives to all that it is asked for. */
export function plainFilesystem(
  format: TableFilesystem['format'],
  path: string,
  label: string,
): TableFilesystem {
  return {
    type: 'filesystem',
    format,
    path,
    label,
    options: 'defaults',
    freq: 0,
    passno: passOf(format, path),
  }
}

/** When fsck(8) looks at a filesystem: its programs for xfs and btrfs do nothing. */
function passOf(format: TableFilesystem['format'], path: string): number {
  if (format === 'xfs' || format === 'btrfs' || path === '') return 0
  return path === '/' ? 1 : 2
}

/** Mount options of a subvolume in image-builder's order. An empty name is the top level. */
export function subvolumeOptions(
  name: string,
  compress: string | undefined,
  others: readonly string[] = [],
): string {
  const words = [
    `subvol=${name === '' ? '/' : name}`,
    ...(compress ? [`compress=${compress}`] : []),
    ...others,
  ]
  return words.join(',')
}
