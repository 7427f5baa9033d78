import type { DiskBootReport } from '@bootable/core'

/** What firmware starts from a disk: a line for a BIOS, a line for each EFI program. */
export function bootPairs({ bios, biosFinding, efi }: DiskBootReport): [string, string][] {
  const programs = efi.map(({ path, isSigned }): [string, string] => [
    'UEFI',
    `${path}, ${isSigned ? 'signed' : 'not signed'}`,
  ])
  if (biosFinding !== undefined) return [['BIOS', `would not start: ${biosFinding}`], ...programs]
  if (!bios) return programs
  const { size, firstSector, modules, prefix } = bios
  const place = prefix === undefined ? '' : `, files in ${prefix}`
  const core = `GRUB, ${size} bytes at sector ${firstSector}${place}, with ${modules.join(' ')}`
  return [['BIOS', core], ...programs]
}
