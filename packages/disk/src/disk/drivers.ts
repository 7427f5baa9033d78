import { type BlockDevice, BootableError, type OperationOptions, type RuntimeOptions } from '@bootable/bytes'
import { measureBtrfs, writeBtrfs } from '@bootable/filesystems/btrfs'
import { measureExt4, writeExt4 } from '@bootable/filesystems/ext4'
import { measureFat, writeFat } from '@bootable/filesystems/fat'
import { measureXfs, writeXfs } from '@bootable/filesystems/xfs'
import type { FileTree } from '@bootable/tree'
import type { DiskErrorCode } from '../errors.ts'
import type { FilesystemContent } from '../plan/content.ts'

/** What a filesystem needs to know about its place on the disk. */
export interface DriverOptions extends OperationOptions, RuntimeOptions {
  readonly content: FilesystemContent
  readonly sectorSize: number
  /** Sectors in front of its partition. */
  readonly hiddenSectors: number
}

/** What the size of a filesystem depends on beside its tree. */
export interface MeasureOptions {
  readonly label: string
  readonly sectorSize: number
  /** xfs */
  readonly agCount?: number
}

/** One filesystem type as the planner and the writer of disks see it. */
export interface FilesystemDriver {
  /** Bytes of the smallest device that takes the tree. */
  measure(tree: FileTree, options: MeasureOptions): number
  write(tree: FileTree, device: BlockDevice, options: DriverOptions): Promise<unknown>
}

const ext4: FilesystemDriver = {
  measure: (tree) => measureExt4(tree).minimumSize,
  write: (tree, device, { content: { mount, verity = false }, ...options }) =>
    writeExt4(tree, device, { ...options, uuid: mount.uuid, label: mount.label, features: { verity } }),
}

const vfat: FilesystemDriver = {
  measure: (tree, options) => measureFat(tree, fatOptions(options)),
  write: (tree, device, { content: { mount, geometry }, ...options }) =>
    writeFat(tree, device, {
      ...options,
      ...fatOptions({ ...options, label: mount.label }),
      ...(geometry && { geometry }),
      volumeId: mount.uuid,
      time: tree.root.mtime,
    }),
}

const xfs: FilesystemDriver = {
  measure: (tree, options) => measureXfs(tree, xfsOptions(options)).minimumSize,
  write: (tree, device, { content: { mount, agCount }, ...options }) =>
    writeXfs(tree, device, {
      ...options,
      ...xfsOptions({ ...options, ...(agCount !== undefined && { agCount }) }),
      uuid: mount.uuid,
      label: mount.label,
    }),
}

const btrfs: FilesystemDriver = {
  measure: (tree) => measureBtrfs(tree).minimumSize,
  // The sectors of a btrfs are those that its data has, whatever the disk has.
  write: (tree, device, { content: { mount }, sectorSize: _, ...options }) =>
    writeBtrfs(tree, device, { ...options, uuid: mount.uuid, label: mount.label }),
}

function fatOptions({ label, sectorSize }: MeasureOptions): {
  readonly label?: string
  readonly sectorSize: 512 | 4096
} {
  const sectors = { sectorSize: sectorSize as 512 | 4096 }
  return label === '' ? sectors : { ...sectors, label }
}

function xfsOptions({ sectorSize, agCount }: Omit<MeasureOptions, 'label'>): {
  readonly sectorSize: 512 | 4096
  readonly agCount?: number
} {
  const sectors = { sectorSize: sectorSize as 512 | 4096 }
  return agCount === undefined ? sectors : { ...sectors, agCount }
}

const DRIVERS: Readonly<Record<string, FilesystemDriver>> = { ext4, vfat, xfs, btrfs }

/** @throws BootableError `FILESYSTEM_UNSUPPORTED` */
export function driverOf(type: string): FilesystemDriver {
  const driver = Object.hasOwn(DRIVERS, type) ? DRIVERS[type] : undefined
  if (driver) return driver
  throw new BootableError<DiskErrorCode>('FILESYSTEM_UNSUPPORTED', `no filesystem "${type}" can be written`, {
    details: { type },
    hint: `possible: ${Object.keys(DRIVERS).join(', ')}`,
  })
}
