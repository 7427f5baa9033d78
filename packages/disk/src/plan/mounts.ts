import { compareBytewise, seededBytes, seededUuid, toHex } from '@bootable/bytes'
import type { InstalledSystem, MountPoint } from '@bootable/system'
import type { TableFilesystem } from './base-table.ts'
import type { FilesystemContent } from './content.ts'
import { type CheckedOptions, checkOptions, type PlanDiskOptions, type PlannedSystem } from './options.ts'

/**
 * Which filesystems a disk will have, where they are mounted and under which uuids: everything about a
 * plan but sizes, so that it is there before the system is complete. {@link planDisk} with the same
 * options gives the same filesystems.
 *
 * @returns sorted by path, so that `/boot` stands before `/boot/efi`
 * @throws BootableError `DISK_OPTIONS_INVALID`
 */
export function planMounts(
  system: Pick<PlannedSystem, 'architecture' | 'layout'>,
  options: PlanDiskOptions,
): MountPoint[] {
  const checked = checkOptions(system, options)
  return checked.entries
    .flatMap(({ filesystem }) => (filesystem ? [mountPoint(filesystem, system, checked)] : []))
    .sort((a, b) => compareBytewise(a.path, b.path))
}

/** A filesystem of the table as it is to be made. */
export function filesystemContent(
  filesystem: TableFilesystem,
  system: Pick<InstalledSystem, 'layout'>,
  checked: CheckedOptions,
): FilesystemContent {
  const mount = mountPoint(filesystem, system, checked)
  // bootc-image-builder allows fs-verity on the root alone: GRUB cannot read a filesystem that has it.
  return { type: 'filesystem', mount, ...(mount.type === 'ext4' && mount.path === '/' && { verity: true }) }
}

/** A filesystem of the table with its identity. */
function mountPoint(
  { path, type, label, options, passno }: TableFilesystem,
  system: Pick<InstalledSystem, 'layout'>,
  { seed, rootfs }: CheckedOptions,
): MountPoint {
  const purpose = `filesystem:${path}`
  const base = { path, label, freq: 0 }
  if (type === 'vfat') return { ...base, type, uuid: volumeId(seed, purpose), options, passno }
  const uuid = seededUuid(seed, purpose)
  // bootc-image-builder mounts / and /boot read-only and unchecked: ostree remounts what it writes to.
  // A plain system has nobody who would do that.
  if (options === 'system' && system.layout === 'ostree') {
    return { ...base, type: rootfs, uuid, options: 'ro', passno: 0 }
  }
  return { ...base, type: rootfs, uuid, options: options === 'system' ? 'defaults' : options, passno }
}

/** The serial number of a FAT volume, `XXXX-XXXX`. */
function volumeId(seed: string, purpose: string): string {
  const digits = toHex(seededBytes(seed, purpose, 4)).toUpperCase()
  return `${digits.slice(0, 4)}-${digits.slice(4)}`
}
