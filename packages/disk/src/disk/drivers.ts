import { type BlockDevice, BootableError, type OperationOptions } from '@bootable/bytes'
import { measureExt4, writeExt4 } from '@bootable/filesystems/ext4'
import { measureFat, writeFat } from '@bootable/filesystems/fat'
import type { FileTree } from '@bootable/tree'
import type { DiskErrorCode } from '../errors.ts'
import type { FilesystemContent } from '../plan/content.ts'

/** What a filesystem needs to know about its place on the disk. */
export interface DriverOptions extends OperationOptions {
  readonly content: FilesystemContent
  readonly sectorSize: number
  /** Sectors in front of its partition. */
  readonly hiddenSectors: number
}

/** One filesystem type as the planner and the writer of disks see it. */
export interface FilesystemDriver {
  /** Bytes of the smallest device that takes the tree. */
  measure(tree: FileTree, options: { readonly label: string; readonly sectorSize: number }): number
  write(tree: FileTree, device: BlockDevice, options: DriverOptions): Promise<unknown>
}

const ext4: FilesystemDriver = {
  measure: (tree) => measureExt4(tree).minimumSize,
  write: (tree, device, { content: { mount, verity = false }, ...options }) =>
    writeExt4(tree, device, { ...options, uuid: mount.uuid, label: mount.label, features: { verity } }),
}

const vfat: FilesystemDriver = {
  measure: (tree, options) => measureFat(tree, fatOptions(options)),
  write: (
    tree,
    device,
    {
      content: {
        mount: { uuid, label },
      },
      ...options
    },
  ) =>
    writeFat(tree, device, {
      ...options,
      ...fatOptions({ ...options, label }),
      volumeId: uuid,
      time: tree.root.mtime,
    }),
}

function fatOptions({ label, sectorSize }: { readonly label: string; readonly sectorSize: number }): {
  readonly label?: string
  readonly sectorSize: 512 | 4096
} {
  const sectors = { sectorSize: sectorSize as 512 | 4096 }
  return label === '' ? sectors : { ...sectors, label }
}

const DRIVERS: Readonly<Record<string, FilesystemDriver>> = { ext4, vfat }

/** @throws BootableError `FILESYSTEM_UNSUPPORTED` */
export function driverOf(type: string): FilesystemDriver {
  const driver = Object.hasOwn(DRIVERS, type) ? DRIVERS[type] : undefined
  if (driver) return driver
  throw new BootableError<DiskErrorCode>('FILESYSTEM_UNSUPPORTED', `no filesystem "${type}" can be written`, {
    details: { type },
    hint: `possible: ${Object.keys(DRIVERS).join(', ')}`,
  })
}
