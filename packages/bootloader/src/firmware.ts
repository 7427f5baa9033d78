import { BootableError } from '@bootable/bytes'
import type { InstalledSystem } from '@bootable/system'
import type { BootloaderChoice, ChooseBootloaderOptions } from './choose.ts'
import type { BootloaderErrorCode } from './errors.ts'
import { BIOS_PLACE } from './grub-bios/platform.ts'

/** What starts a disk. */
export type Firmware = 'bios' | 'uefi'

/** A kind of firmware that a disk starts on. */
export interface FirmwareSupport {
  readonly name: Firmware
  /** Where the image has what it starts; no leading slash. */
  readonly from: string
}

/** The firmware that a choice serves. */
export function supportedFirmware(choice: BootloaderChoice): FirmwareSupport[] {
  if (choice.kind === 'none') return []
  const uefi = efiSource(choice)
  const bios = choice.kind === 'grub' ? choice.bios : undefined
  return [
    ...(uefi === undefined ? [] : [{ name: 'uefi', from: uefi } as const]),
    ...(bios === undefined ? [] : [{ name: 'bios', from: bios } as const]),
  ]
}

function efiSource(choice: Exclude<BootloaderChoice, { kind: 'none' }>): string | undefined {
  const [first] = choice.files
  if (first) return first.source.slice(0, first.source.lastIndexOf('/'))
  if (choice.kind === 'uki') return 'shipped' in choice.from ? choice.from.shipped : choice.from.stub
  return choice.kind === 'grub' ? choice.efi : undefined
}

/**
 * Refuses firmware that was asked for and cannot be had.
 * @throws BootableError `BOOTLOADER_MISSING`, `BOOTLOADER_UNSUPPORTED`
 */
export function checkFirmware(
  choice: BootloaderChoice,
  system: InstalledSystem,
  options: ChooseBootloaderOptions,
): void {
  if (choice.kind === 'none') return
  const supported = supportedFirmware(choice).map(({ name }) => name)
  const missing = options.firmware?.find((name) => !supported.includes(name))
  if (missing === 'bios') throw noBios(system, options, choice.kind)
  if (missing === 'uefi') {
    throw new BootableError<BootloaderErrorCode>(
      'BOOTLOADER_MISSING',
      'the image ships no boot loader for UEFI, which was asked for',
      {
        details: { firmware: missing, bootloader: choice.kind },
        hint: 'install bootupd with shim and GRUB in the image, or ask for bios alone (--firmware bios)',
      },
    )
  }
}

/** Why the disk cannot start on a BIOS. @param kind of the boot loader that would be taken */
export function noBios(
  { architecture }: InstalledSystem,
  { sectorSize = 512 }: ChooseBootloaderOptions,
  kind: BootloaderChoice['kind'],
): BootableError<BootloaderErrorCode> {
  const why =
    architecture !== 'x86_64'
      ? `machines of ${architecture} have none`
      : sectorSize !== 512
        ? `it starts no disk with sectors of ${sectorSize} bytes`
        : kind === 'grub'
          ? undefined
          : `${kind === 'uki' ? 'a unified kernel image' : kind} starts by UEFI alone`
  const details = { firmware: 'bios', architecture, sectorSize, bootloader: kind }
  if (why !== undefined) {
    const message = `a BIOS was asked for, but ${why}`
    return new BootableError('BOOTLOADER_UNSUPPORTED', message, { details, hint: 'ask for uefi' })
  }
  return new BootableError(
    'BOOTLOADER_MISSING',
    `the image ships no GRUB for a BIOS, which was asked for; looked at /${BIOS_PLACE}`,
    {
      details,
      hint: 'install GRUB’s modules in the image (grub2-pc-modules in Fedora, grub-pc-bin in Debian)',
    },
  )
}
