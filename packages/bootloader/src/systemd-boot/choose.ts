import type { InstalledSystem } from '@bootable/system'
import { findFile } from '@bootable/tree'
import type { Choice } from '../choose.ts'
import type { EfiNames } from '../efi/names.ts'
import type { PayloadFile } from '../efi/payload.ts'

export interface SystemdBootChoice extends Choice {
  readonly kind: 'systemd-boot'
}

/** Where systemd keeps its EFI programs: the boot loader, and the stub of unified kernel images. */
export const SYSTEMD_BOOT_PLACE = 'usr/lib/systemd/boot/efi'

/** systemd-boot of an image with its places on the EFI system partition; nothing where there is none. */
export function findSystemdBoot({ root }: InstalledSystem, names: EfiNames): PayloadFile[] {
  const source = `${SYSTEMD_BOOT_PLACE}/${names.systemdBoot}`
  if (!findFile(root, source)) return []
  return [`EFI/BOOT/${names.removable}`, `EFI/systemd/${names.systemdBoot}`].map((target) => ({
    source,
    target,
  }))
}

/** Takes systemd-boot where the image has it. */
export function chooseSystemdBoot(
  system: InstalledSystem,
  names: EfiNames,
  why: string,
): SystemdBootChoice | undefined {
  const files = findSystemdBoot(system, names)
  if (files.length === 0) return undefined
  return {
    kind: 'systemd-boot',
    reason: `The image ships systemd-boot in /${SYSTEMD_BOOT_PLACE}${why}.`,
    files,
  }
}
