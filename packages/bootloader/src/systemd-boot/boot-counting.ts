import { BootableError } from '@bootable/bytes'
import type { BootloaderErrorCode } from '../errors.ts'

/**
 * Name of the file of a boot entry with the tries that are left for it (UAPI group, Boot Loader
 * Specification, "Boot counting"): systemd-boot counts down in the name and passes over an entry that has
 * none left, until systemd-bless-boot(8) has taken the counter out.
 *
 * @param id of the entry; one that looks like a counter at its end would be taken for one
 * @param extension `.conf` or `.efi`
 * @throws BootableError `BOOTLOADER_TEXT_INVALID`
 */
export function entryFileName(id: string, extension: string, tries: number | undefined): string {
  if (tries === undefined) return `${id.replace(/\+(\d+(?:-\d+)?)$/, '_$1')}${extension}`
  if (Number.isSafeInteger(tries) && tries > 0) return `${id}+${tries}${extension}`
  throw new BootableError<BootloaderErrorCode>(
    'BOOTLOADER_TEXT_INVALID',
    `${tries} is no number of tries to start an entry`,
    { details: { tries }, hint: 'a whole number from 1 on; 3 is usual' },
  )
}
