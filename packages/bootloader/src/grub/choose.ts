import { BootableError } from '@bootable/bytes'
import type { InstalledSystem } from '@bootable/system'
import type { Choice, ChooseBootloaderOptions } from '../choose.ts'
import type { EfiNames } from '../efi/names.ts'
import { findGrubPayload, type GrubPayload } from '../efi/payload.ts'
import type { BootloaderErrorCode } from '../errors.ts'
import { BIOS_PLACE, shipsGrubBios } from '../grub-bios/platform.ts'
import { findEfiModules } from '../grub-efi/install.ts'
import { grubDirectory } from './directory.ts'

export interface GrubChoice extends Choice {
  readonly kind: 'grub'
  /** The distribution's directory below `EFI`; GRUB looks for its configuration there. */
  readonly vendor?: string
  /** Name of GRUB's directory in `/boot`. */
  readonly directory: 'grub' | 'grub2'
  /** Where the image has GRUB for a BIOS, if the disk is to start on one. */
  readonly bios?: string
  /** Where the image has the modules of which a GRUB for UEFI is made; missing where it ships a program. */
  readonly efi?: string
}

/**
 * Chooses GRUB for all firmware that was asked for, else for all that the image has it for.
 * @throws BootableError `BOOTLOADER_MISSING` where the programs for shim's fallback are incomplete
 */
export function chooseGrub(
  system: InstalledSystem,
  names: EfiNames,
  why: string,
  options: ChooseBootloaderOptions,
): GrubChoice | undefined {
  const { sectorSize = 512, firmware = ['bios', 'uefi'], fallback = false } = options
  const mayStartOnBios = system.architecture === 'x86_64' && sectorSize === 512 && firmware.includes('bios')
  const isForUefi = firmware.includes('uefi')
  const bios = mayStartOnBios && shipsGrubBios(system.root) ? BIOS_PLACE : undefined
  const payload = isForUefi ? findGrubPayload(system.root, names, { fallback }) : undefined
  const efi = isForUefi && !payload ? findEfiModules(system) : undefined
  if (fallback && isForUefi) checkFallback(payload, names)
  if (!payload && efi === undefined && bios === undefined) return undefined
  return {
    kind: 'grub',
    reason: explain(payload, names, { efi, bios, why, isForUefi }),
    files: payload?.files ?? [],
    ...(payload?.vendor !== undefined && { vendor: payload.vendor }),
    directory: grubDirectory(system),
    ...(bios !== undefined && { bios }),
    ...(efi !== undefined && { efi }),
  }
}

function explain(
  payload: GrubPayload | undefined,
  names: EfiNames,
  {
    efi,
    bios,
    why,
    isForUefi,
  }: { efi?: string | undefined; bios: string | undefined; why: string; isForUefi: boolean },
): string {
  const forBios = bios === undefined ? '' : `, GRUB for a BIOS in /${bios}`
  if (payload) {
    const hasShim = payload.files.some(({ target }) => target.toLowerCase().endsWith(`/${names.shim}`))
    return `The image ships ${hasShim ? 'shim and GRUB' : 'GRUB'} in /${payload.place}${forBios}${why}.`
  }
  if (efi !== undefined) {
    return `The image ships GRUB's modules for UEFI in /${efi}${forBios}${why}; a GRUB is made of them, which nobody has signed.`
  }
  const others = isForUefi ? ', and none for UEFI' : ''
  return `The image ships GRUB in /${bios}${why}${others}: the disk starts on a BIOS only.`
}

function checkFallback(payload: GrubPayload | undefined, names: EfiNames): void {
  const has = (path: string): boolean =>
    payload?.files.some(({ target }) => target.toLowerCase() === `efi/${path}`.toLowerCase()) ?? false
  const vendor = payload?.vendor ?? '*'
  const missing = [
    `BOOT/${names.removable}`,
    `BOOT/${names.fallback}`,
    ...[names.shim, names.grub, names.csv].map((name) => `${vendor}/${name}`),
  ].filter((path) => !has(path))
  if (missing.length === 0) return
  throw new BootableError<BootloaderErrorCode>(
    'BOOTLOADER_MISSING',
    `shim's fallback was asked for, but the image lacks EFI/${missing.join(', EFI/')}`,
    {
      details: { missing: missing.map((path) => `EFI/${path}`) },
      hint: 'do without it: GRUB then stands beside shim, and no boot entries are made',
    },
  )
}
