import { BootableError } from '@bootable/bytes'
import { findUnifiedKernels, type InstalledSystem } from '@bootable/system'
import { findFile } from '@bootable/tree'
import type { BootloaderName, Choice } from '../choose.ts'
import type { EfiNames } from '../efi/names.ts'
import { entryToken } from '../entries/kernel.ts'
import type { BootloaderErrorCode } from '../errors.ts'
import { findSystemdBoot, SYSTEMD_BOOT_PLACE } from '../systemd-boot/choose.ts'

/** A unified kernel image, with systemd-boot where the image has that, else started by the firmware. */
export interface UkiChoice extends Choice {
  readonly kind: 'uki'
  /** The image's own, or one that is made from its kernel and this stub. */
  readonly from: { readonly shipped: string } | { readonly stub: string }
  /** Name of the file below `EFI/Linux`. */
  readonly name: string
  /** What offers it in a menu. */
  readonly loader?: 'systemd-boot'
}

/** What was asked for, and the words that say so. */
export interface UkiRequest {
  readonly asked: BootloaderName | undefined
  readonly why: string
}

/**
 * Chooses how a unified kernel image is started: the one that the image carries, or one that is made.
 * @throws BootableError `BOOTLOADER_MISSING`, `BOOTLOADER_UNSUPPORTED`
 */
export function chooseUki(system: InstalledSystem, names: EfiNames, { asked, why }: UkiRequest): UkiChoice {
  const shipped = system.kernel.uki ?? besideModules(system)
  if (system.layout === 'ostree' || asked === 'grub') throw unsupported(system, asked, why)
  const files = findSystemdBoot(system, names)
  if (asked === 'systemd-boot' && files.length === 0) {
    throw missing(system, `${SYSTEMD_BOOT_PLACE}/${names.systemdBoot}`, 'systemd-boot')
  }
  const loader = files.length > 0 ? ({ loader: 'systemd-boot' } as const) : {}
  const starter = loader.loader
    ? `systemd-boot from /${SYSTEMD_BOOT_PLACE} starts it`
    : 'the firmware starts it without a boot loader'
  if (shipped !== undefined) {
    const reason = `The image ships the unified kernel image /${shipped}${why}; ${starter}.`
    const name = isPlaced(shipped) ? baseName(shipped) : ownName(system)
    return { kind: 'uki', reason, files, from: { shipped }, name, ...loader }
  }
  const stub = `${SYSTEMD_BOOT_PLACE}/${names.stub}`
  if (!findFile(system.root, stub)) throw missing(system, stub, 'unified kernel image, nor a stub for one,')
  const reason = `A unified kernel image is made of the kernel and /${stub}${why}; ${starter}. It is not signed.`
  return { kind: 'uki', reason, files, from: { stub }, name: ownName(system), ...loader }
}

/** What a package of the distribution has put beside the modules of this kernel. */
function besideModules({ root, kernel }: InstalledSystem): string | undefined {
  return findUnifiedKernels(root).find(({ version }) => version === kernel.version)?.path
}

/** Its name is its author's: it may hold a version, and tries that are left. */
function isPlaced(path: string): boolean {
  return path.startsWith('boot/EFI/Linux/')
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** As kernel-install(8) names them (`90-uki-copy.install`). */
function ownName({ osRelease, kernel }: InstalledSystem): string {
  return `${entryToken(osRelease)}-${kernel.version}.efi`
}

function unsupported(
  { layout, kernel }: InstalledSystem,
  asked: BootloaderName | undefined,
  why: string,
): BootableError<BootloaderErrorCode> {
  if (layout === 'ostree') {
    return new BootableError<BootloaderErrorCode>(
      'BOOTLOADER_UNSUPPORTED',
      `a unified kernel image cannot start deployments of ostree${why}: each has a command line of its own`,
      { details: { layout }, hint: 'take GRUB, or the plain layout (--layout plain)' },
    )
  }
  return new BootableError<BootloaderErrorCode>(
    'BOOTLOADER_UNSUPPORTED',
    `the image carries a unified kernel image (/${kernel.uki}), which GRUB is not set up to start${why}`,
    {
      details: { bootloader: asked, uki: kernel.uki },
      hint: 'ask for uki, for systemd-boot, or for nothing',
    },
  )
}

function missing(
  { architecture }: InstalledSystem,
  place: string,
  what: string,
): BootableError<BootloaderErrorCode> {
  return new BootableError<BootloaderErrorCode>(
    'BOOTLOADER_MISSING',
    `the image ships no ${what} for UEFI on ${architecture}; looked at /${place}`,
    {
      details: { architecture, places: [`/${place}`] },
      hint: 'install systemd-boot in the image (systemd-boot and systemd-boot-efi in Debian, systemd-boot-unsigned in Fedora)',
    },
  )
}
