import { BootableError, FormatError } from '@bootable/bytes'
import type { BootloaderErrorCode } from '../errors.ts'
import { type Elf, ET_EXEC, readElf32, SHF_ALLOC, SHT_NOBITS, SHT_PROGBITS } from './elf.ts'
import { LINK_ADDRESS, MAX_KERNEL_END } from './format.ts'

/**
 * GRUB's kernel as it lies in memory: what `kernel.img` initialises, without its bss. Modules follow right
 * behind, so the length is exact (`grub-mkimagexx.c`, `SUFFIX (grub_mkimage_load_image)`).
 *
 * @throws FormatError; BootableError `BOOTLOADER_CORE_TOO_LARGE`
 */
export function loadKernel(data: Uint8Array): Uint8Array {
  const elf = readElf32(data, 'kernel.img')
  const allocated = elf.sections.filter(({ flags }) => (flags & SHF_ALLOC) !== 0)
  const initialised = allocated.filter(({ type }) => type === SHT_PROGBITS)
  checkPlace(elf, initialised.length)

  const memory = allocated.filter(({ type }) => type === SHT_PROGBITS || type === SHT_NOBITS)
  const end = Math.max(...memory.map(({ address, size }) => address + size))
  if (end > MAX_KERNEL_END) {
    throw new BootableError<BootloaderErrorCode>(
      'BOOTLOADER_CORE_TOO_LARGE',
      `GRUB's kernel would end at ${end} in memory; ${MAX_KERNEL_END} is the most`,
      { details: { end, limit: MAX_KERNEL_END } },
    )
  }
  if (memory.some(({ address }) => address < LINK_ADDRESS)) {
    const details = { format: 'elf', structure: 'kernel.img' }
    throw new FormatError('FORMAT_INVALID', details, `it lies below its address ${LINK_ADDRESS}`)
  }
  const length = Math.max(...initialised.map(({ address, size }) => address + size)) - LINK_ADDRESS
  const kernel = new Uint8Array(length)
  for (const { address, content } of initialised) kernel.set(content, address - LINK_ADDRESS)
  return kernel
}

function checkPlace({ type }: Elf, sections: number): void {
  if (type === ET_EXEC && sections > 0) return
  const details = { format: 'elf', structure: 'kernel.img', expected: ET_EXEC, actual: type }
  throw new FormatError(
    'FORMAT_INVALID',
    details,
    `type ${type} with ${sections} sections; no kernel of GRUB`,
  )
}
