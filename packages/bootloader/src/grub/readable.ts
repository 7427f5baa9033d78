import { BootableError } from '@bootable/bytes'
import type { BootloaderErrorCode } from '../errors.ts'
import type { Installation } from '../installation.ts'

/** The module that reads a filesystem. */
const FILESYSTEM_MODULES: Readonly<Record<string, string>> = {
  ext4: 'ext2',
  xfs: 'xfs',
  btrfs: 'btrfs',
  vfat: 'fat',
}

const TABLE_MODULES = { gpt: 'part_gpt', dos: 'part_msdos' } as const

/**
 * The modules with which GRUB comes to the files below `/boot`: that of the partition table, of LVM where they
 * are on a logical volume, and of the filesystem. What these need, such as zstd for btrfs, `moddep.lst` says.
 *
 * @throws BootableError `BOOTLOADER_UNSUPPORTED`
 */
export function storageModules({ places, partitionTable }: Installation): string[] {
  const filesystem = FILESYSTEM_MODULES[places.bootType]
  if (filesystem !== undefined) {
    return [TABLE_MODULES[partitionTable], ...(places.isLogical ? ['lvm'] : []), filesystem]
  }
  throw new BootableError<BootloaderErrorCode>(
    'BOOTLOADER_UNSUPPORTED',
    `GRUB reads no filesystem of type ${places.bootType}, on which /boot is`,
    { details: { type: places.bootType }, hint: `possible: ${Object.keys(FILESYSTEM_MODULES).join(', ')}` },
  )
}

/**
 * Refuses a `/boot` that GRUB would have to decrypt: which LUKS headers its builds open differs, and somebody
 * would have to type the passphrase twice, the first time without a keyboard layout.
 *
 * @throws BootableError `BOOTLOADER_UNSUPPORTED`
 */
export function checkReadableBoot({ places }: Installation): void {
  if (!places.isEncrypted) return
  throw new BootableError<BootloaderErrorCode>(
    'BOOTLOADER_UNSUPPORTED',
    '/boot is on an encrypted volume, which GRUB does not open here',
    {
      details: { uuid: places.bootUuid },
      hint: 'give /boot a partition of its own (ext4 or xfs, without encryption), or take systemd-boot or a unified kernel image, which start from the EFI system partition',
    },
  )
}
