import { BootableError } from '@bootable/bytes'
import type { InstalledSystem } from '@bootable/system'
import { efiNames } from './efi/names.ts'
import { GRUB_PLACES, type PayloadFile } from './efi/payload.ts'
import type { BootloaderErrorCode } from './errors.ts'
import { checkFirmware, type Firmware, noBios } from './firmware.ts'
import { chooseGrub, type GrubChoice } from './grub/choose.ts'
import { chooseSystemdBoot, SYSTEMD_BOOT_PLACE, type SystemdBootChoice } from './systemd-boot/choose.ts'
import { chooseUki, type UkiChoice } from './uki/choose.ts'

/** A boot loader by name; `auto` takes what the image asks for, else what it ships. */
export type BootloaderName = 'auto' | 'grub' | 'systemd-boot' | 'uki' | 'none'

/** Options of {@link chooseBootloader}. */
export interface ChooseBootloaderOptions {
  /** @defaultValue `auto` */
  readonly bootloader?: BootloaderName
  /** Bytes of a sector of the disk; no BIOS starts from any but 512. @defaultValue 512 */
  readonly sectorSize?: number
  /**
   * What the disk has to start on.
   * @defaultValue everything that the image has a boot loader for
   */
  readonly firmware?: readonly Firmware[]
  /**
   * Starts GRUB by way of shim's fallback program, which makes boot entries in the machine's firmware and
   * resets machines that have a TPM; otherwise GRUB stands beside shim in `EFI/BOOT`.
   * @defaultValue false
   */
  readonly fallback?: boolean
}

/** What all choices have. */
export interface Choice {
  /** Why it was chosen: a sentence for people. */
  readonly reason: string
  /** The EFI programs that are copied to the EFI system partition, sorted by target. */
  readonly files: readonly PayloadFile[]
}

export interface NoBootloader extends Choice {
  readonly kind: 'none'
}

/** The boot loader that a system gets. Plain data, for plans. */
export type BootloaderChoice = GrubChoice | SystemdBootChoice | UkiChoice | NoBootloader

/** What `install.bootloader` of an image's install configuration may say. */
const CONFIGURED: Readonly<Record<string, BootloaderName>> = {
  grub: 'grub',
  systemd: 'systemd-boot',
  'systemd-boot': 'systemd-boot',
  uki: 'uki',
  none: 'none',
}

/**
 * Chooses a boot loader that the image ships; nothing is ever taken from the host.
 *
 * A unified kernel image that the image carries is what starts it, and leaves only the choice of what starts
 * that. Else `auto` heeds the image's install configuration, then prefers shim and GRUB, then systemd-boot,
 * then a GRUB for UEFI made of modules. GRUB for a BIOS is installed beside GRUB, or alone.
 *
 * @throws BootableError `BOOTLOADER_MISSING`, `BOOTLOADER_UNSUPPORTED`
 */
export function chooseBootloader(
  system: InstalledSystem,
  options: ChooseBootloaderOptions = {},
): BootloaderChoice {
  const choice = choose(system, options)
  checkFirmware(choice, system, options)
  return choice
}

function choose(system: InstalledSystem, options: ChooseBootloaderOptions): BootloaderChoice {
  const { bootloader = 'auto' } = options
  const configured = CONFIGURED[system.installConfiguration.bootloader ?? '']
  const asked = bootloader === 'auto' ? configured : bootloader
  const why =
    asked === undefined
      ? ''
      : bootloader === 'auto'
        ? " and the image's install configuration asks for it"
        : ' and it was asked for'

  if (asked === 'none') return { kind: 'none', reason: `No boot loader is installed${why}.`, files: [] }
  const names = efiNames(system.architecture)
  if (asked === 'uki' || system.kernel.uki !== undefined) return chooseUki(system, names, { asked, why })
  const isOstree = system.layout === 'ostree'
  if (isOstree && asked === 'systemd-boot') throw systemdBootOnOstree(why)
  const mayBeGrub = asked !== 'systemd-boot'
  const needsBios = options.firmware?.includes('bios') ?? false
  const mayBeSystemdBoot = asked === 'systemd-boot' || (asked !== 'grub' && !isOstree && !needsBios)
  const grub = mayBeGrub ? chooseGrub(system, names, why, options) : undefined
  const systemdBoot = mayBeSystemdBoot ? chooseSystemdBoot(system, names, why) : undefined
  const chosen = grub?.files.length === 0 ? (systemdBoot ?? grub) : (grub ?? systemdBoot)
  if (chosen) return chosen
  if (needsBios) throw noBios(system, options, asked === 'systemd-boot' ? asked : 'grub')

  const places = [
    ...(mayBeGrub ? GRUB_PLACES.map((place) => `/${place} (${names.shim}, ${names.grub})`) : []),
    ...(mayBeSystemdBoot ? [`/${SYSTEMD_BOOT_PLACE}/${names.systemdBoot}`] : []),
  ]
  throw new BootableError<BootloaderErrorCode>(
    'BOOTLOADER_MISSING',
    `the image ships no ${asked ?? (isOstree ? 'grub' : 'boot loader')} for UEFI on ${system.architecture}; looked at ${places.join(', ')}`,
    {
      details: { bootloader: asked ?? 'auto', architecture: system.architecture, places },
      hint: isOstree
        ? 'install bootupd with shim and GRUB in the image'
        : 'install bootupd with shim and GRUB, or systemd-boot, in the image',
    },
  )
}

/** bootc refuses it too (`bootc install` with its ostree backend). */
function systemdBootOnOstree(why: string): BootableError<BootloaderErrorCode> {
  return new BootableError<BootloaderErrorCode>(
    'BOOTLOADER_UNSUPPORTED',
    `systemd-boot cannot start deployments of ostree${why}: it reads FAT alone, and updates put kernels and entries into /boot, which needs symbolic links`,
    { details: { layout: 'ostree' }, hint: 'take GRUB, or the plain layout (--layout plain)' },
  )
}
