import { FormatError } from '@bootable/bytes'
import type { BootCode } from '@bootable/system'
import { coreImageSize } from './core-image.ts'
import {
  BlockList,
  BOOT_CODE_SIZE,
  BOOT_SIGNATURE,
  BootSector,
  FIRST_BLOCK_LIST,
  KERNEL_ADDRESS,
  SECTOR,
} from './format.ts'

/** Two `nop` where `boot.img` jumps over the check of the drive's number, as grub-bios-setup does. */
const CHECK_DRIVE = Uint8Array.of(0x90, 0x90)

/**
 * Boot sector and core image, to be tied to their places: what `grub-bios-setup` does for a GUID partition
 * table, without Reed-Solomon codes.
 *
 * @param bootSector `boot.img`
 * @throws FormatError
 */
export function createBootCode(bootSector: Uint8Array, core: Uint8Array): BootCode {
  checkBootSector(bootSector)
  return {
    size: coreImageSize(core),
    place(firstSector) {
      const sector = bootSector.slice()
      BootSector.write(sector, 0, { kernelSector: firstSector, driveCheck: CHECK_DRIVE })
      const image = new Uint8Array(coreImageSize(core))
      image.set(core)
      BlockList.write(image, FIRST_BLOCK_LIST, { start: firstSector + 1 })
      return { bootSector: sector.slice(0, BOOT_CODE_SIZE), image }
    },
  }
}

function checkBootSector(data: Uint8Array): void {
  const isBootSector =
    data.length === SECTOR &&
    BootSector.at(data).signature === BOOT_SIGNATURE &&
    BootSector.at(data).kernelAddress === KERNEL_ADDRESS
  if (isBootSector) return
  const details = { format: 'grub', structure: 'boot.img' }
  throw new FormatError('FORMAT_INVALID', details, `${data.length} bytes; not the boot sector of GRUB`)
}
