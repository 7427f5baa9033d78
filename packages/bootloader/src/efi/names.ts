import { BootableError } from '@bootable/bytes'
import type { Architecture } from '@bootable/system'
import type { BootloaderErrorCode } from '../errors.ts'

/** What the EFI programs of one architecture are called. */
export interface EfiNames {
  /** What firmware starts from a disk it knows nothing about (UEFI 2.10, 3.5.1.1), below `EFI/BOOT`. */
  readonly removable: string
  /** First stage, signed by Microsoft; starts {@link EfiNames.grub} from its own directory. */
  readonly shim: string
  readonly grub: string
  /** Started by shim instead of GRUB where it stands in `EFI/BOOT`: makes firmware boot entries. */
  readonly fallback: string
  /** What the fallback reads in each directory below `EFI`: the boot entry to make. */
  readonly csv: string
  /** MokManager, which shim starts to enrol keys. */
  readonly mokManager: string
  readonly systemdBoot: string
  /** systemd-stub, of which unified kernel images are made. */
  readonly stub: string
}

/** The architecture's name inside of EFI file names (UEFI 2.10, table 3-2). */
const SUFFIXES: Partial<Record<Architecture, string>> = {
  x86_64: 'x64',
  aarch64: 'aa64',
  riscv64: 'riscv64',
}

/** Why nothing is installed for the others. */
const OTHER_FIRMWARE: Partial<Record<Architecture, string>> = {
  ppc64le: "their firmware loads GRUB's core.elf from a PReP partition, and nothing here makes one",
  s390x: 'they need the boot map of zipl, and nothing here writes one',
}

/**
 * The names for an architecture.
 * @throws BootableError `BOOTLOADER_UNSUPPORTED` where UEFI is not how its machines start
 */
export function efiNames(architecture: Architecture): EfiNames {
  const suffix = SUFFIXES[architecture]
  if (suffix === undefined) {
    throw new BootableError<BootloaderErrorCode>(
      'BOOTLOADER_UNSUPPORTED',
      `no boot loader can be installed for machines of ${architecture}: ${OTHER_FIRMWARE[architecture]}`,
      {
        details: { architecture },
        hint: `${Object.keys(SUFFIXES).join(', ')} start by UEFI; --bootloader none makes the disk without a boot loader`,
      },
    )
  }
  return {
    removable: `BOOT${suffix.toUpperCase()}.EFI`,
    shim: `shim${suffix}.efi`,
    grub: `grub${suffix}.efi`,
    fallback: `fb${suffix}.efi`,
    csv: `BOOT${suffix.toUpperCase()}.CSV`,
    mokManager: `mm${suffix}.efi`,
    systemdBoot: `systemd-boot${suffix}.efi`,
    stub: `linux${suffix}.efi.stub`,
  }
}
