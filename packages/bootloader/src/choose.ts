import { BootableError } from '@bootable/bytes'
import type { InstalledSystem } from '@bootable/system'
import { type EfiNames, efiNames } from './efi/names.ts'
import { findGrubPayload, GRUB_PLACES, type PayloadFile } from './efi/payload.ts'
import type { BootloaderErrorCode } from './errors.ts'
import { grubDirectory } from './grub/directory.ts'
import { BIOS_PLACE, shipsGrubBios } from './grub-bios/platform.ts'
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
}

/** What all choices have. */
export interface Choice {
  /** Why it was chosen: a sentence for people. */
  readonly reason: string
  /** The EFI programs that are copied to the EFI system partition, sorted by target. */
  readonly files: readonly PayloadFile[]
}

export interface GrubChoice extends Choice {
  readonly kind: 'grub'
  /** The distribution's directory below `EFI`; GRUB looks for its configuration there. */
  readonly vendor?: string
  /** Name of GRUB's directory in `/boot`. */
  readonly directory: 'grub' | 'grub2'
  /** Where the image has GRUB for a BIOS, if the disk is to start on one. */
  readonly bios?: string
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
 * that. Else `auto` heeds the image's install configuration, then prefers shim and GRUB, then systemd-boot, then GRUB
 * for a BIOS alone, which otherwise is installed beside shim and GRUB.
 *
 * @throws BootableError `BOOTLOADER_MISSING`, `BOOTLOADER_UNSUPPORTED`
 */
export function chooseBootloader(
  system: InstalledSystem,
  options: ChooseBootloaderOptions = {},
): BootloaderChoice {
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
  const mayBeSystemdBoot = asked !== 'grub' && !isOstree
  const grub = mayBeGrub ? chooseGrub(system, names, why, options) : undefined
  const systemdBoot = mayBeSystemdBoot ? chooseSystemdBoot(system, names, why) : undefined
  const chosen = grub?.files.length === 0 ? (systemdBoot ?? grub) : (grub ?? systemdBoot)
  if (chosen) return chosen

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

function chooseGrub(
  system: InstalledSystem,
  names: EfiNames,
  why: string,
  { sectorSize = 512 }: ChooseBootloaderOptions,
): GrubChoice | undefined {
  const payload = findGrubPayload(system.root, names)
  const startsOnBios = system.architecture === 'x86_64' && sectorSize === 512 && shipsGrubBios(system.root)
  const bios = startsOnBios ? { bios: BIOS_PLACE } : {}
  const directory = grubDirectory(system)
  if (!payload) {
    const reason = `The image ships GRUB in /${BIOS_PLACE}${why}, and none for UEFI: the disk starts on a BIOS only.`
    return startsOnBios ? { kind: 'grub', reason, files: [], directory, ...bios } : undefined
  }
  const { place, files, vendor } = payload
  const hasShim = files.some(({ target }) => target.toLowerCase().endsWith(`/${names.shim}`))
  const forBios = startsOnBios ? `, GRUB for a BIOS in /${BIOS_PLACE}` : ''
  return {
    kind: 'grub',
    reason: `The image ships ${hasShim ? 'shim and GRUB' : 'GRUB'} in /${place}${forBios}${why}.`,
    files,
    ...(vendor !== undefined && { vendor }),
    directory,
    ...bios,
  }
}
