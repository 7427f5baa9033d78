import { flags64, struct, u32, u64 } from '@bootable/bytes'

/** Alignment of sections in the file and in memory, and bytes of the headers (`grub-mkimage.c`). */
export const PAGE = 0x1000

/** `Elf64_Rela` (System V ABI, AMD64 supplement). */
export const Rela = struct('Elf64_Rela', 24, {
  offset: u64(0x00), // r_offset
  type: u32(0x08), // ELF64_R_TYPE (r_info)
  symbol: u32(0x0c), // ELF64_R_SYM (r_info)

  addend: flags64(0x10), // r_addend
})

/** Relocations that GRUB's kernel has, as it is compiled for the large code model. */
export const RELOCATION_TYPES = {
  absolute64: 1, // R_X86_64_64
  relative32: 2, // R_X86_64_PC32
  call32: 4, // R_X86_64_PLT32
  relative64: 24, // R_X86_64_PC64
} as const

/** `IMAGE_BASE_RELOCATION`: entries of two bytes for one page follow. */
export const BaseRelocation = struct('IMAGE_BASE_RELOCATION', 8, {
  virtualAddress: u32(0x0),
  sizeOfBlock: u32(0x4), // with this header
})

/** `IMAGE_REL_BASED_DIR64`, in the upper four bits of an entry. */
export const REL_BASED_DIR64 = 10 << 12

/** What DOS does with the file: `GRUB_PE32_MSDOS_STUB` (`grub/efi/pe32.h`). */
export const DOS_STUB = Uint8Array.from(
  [
    '4d5a90000300000004000000ffff0000b8000000000000004000000000000000',
    '0000000000000000000000000000000000000000000000000000000080000000',
    '0e1fba0e00b409cd21b8014ccd21546869732070726f6772616d2063616e6e6f',
    '742062652072756e20696e20444f53206d6f64652e0d0d0a2400000000000000',
  ]
    .join('')
    .match(/../g) as string[],
  (byte) => Number.parseInt(byte, 16),
)
