import { bytes, struct, u8, u16, u32, u64 } from '@bootable/bytes'

/** GRUB's BIOS code knows sectors of this length only (`boot.S`, `GRUB_DISK_SECTOR_SIZE`). */
export const SECTOR = 512

/** `boot.img` (`grub/i386/pc/boot.h`). From 0x1b8 on lie what a disk keeps: its signature and its table. */
export const BootSector = struct('boot.img', SECTOR, {
  jump: bytes(0x000, 3),
  kernelAddress: u16(0x05a), // where diskboot.img is loaded to: 0x8000
  kernelSector: u64(0x05c), // where diskboot.img lies
  bootDrive: u8(0x064), // 0xff: the one that the BIOS names
  driveCheck: bytes(0x066, 2),
  signature: u16(0x1fe),
})

/** Bytes of the boot sector that are code. */
export const BOOT_CODE_SIZE = 0x1b8
export const KERNEL_ADDRESS = 0x8000
export const BOOT_SIGNATURE = 0xaa55

/** `grub_pc_bios_boot_blocklist`: records stand at the end of `diskboot.img`, the first one last. */
export const BlockList = struct('grub_boot_blocklist', 12, {
  start: u64(0x0), // a sector
  length: u16(0x8), // sectors
  segment: u16(0xa),
})

/** The first record of the block list. */
export const FIRST_BLOCK_LIST = SECTOR - 12

/** `lzma_decompress.img` (`startup_raw.S`, `GRUB_DECOMPRESSOR_*` of `grub/offsets.h`). */
export const Decompressor = struct('lzma_decompress.img', 0x1c, {
  jump: bytes(0x00, 5),
  compressedSize: u32(0x08),
  uncompressedSize: u32(0x0c),

  redundancy: u32(0x10), // bytes of Reed-Solomon codes; none are needed
  noRsLength: u16(0x14),
  bootDevice: bytes(0x18, 4),
})

/** `GRUB_DECOMPRESSOR_I386_PC_MAX_DECOMPRESSOR_SIZE`. */
export const MAX_DECOMPRESSOR = 0x9000 - 0x8200

/** `GRUB_KERNEL_I386_PC_LINK_ADDR`: where the kernel runs. */
export const LINK_ADDRESS = 0x9000
/** What is compressed is loaded below this (`grub-mkimage`: "core image is too big"). */
export const MAX_CORE_END = 0x78000
/** The kernel and its bss end below this. */
export const MAX_KERNEL_END = 0x68000

/** `grub_module_info32` and `grub_module_info64` (`grub/kernel.h`). */
export const ModuleInfo32 = struct('grub_module_info32', 12, {
  magic: u32(0x0),
  offset: u32(0x4),
  size: u32(0x8),
})
export const ModuleInfo64 = struct('grub_module_info64', 24, {
  magic: u32(0x00),
  offset: u64(0x08),
  size: u64(0x10),
})
export const MODULE_MAGIC = 0x676d_696d

/** `grub_module_header`. */
export const ModuleHeader = struct('grub_module_header', 8, {
  type: u32(0x0),
  size: u32(0x4), // with this header
})

/** Types of objects; numbers above these differ between versions of GRUB. */
export const OBJ_TYPE = { elf: 0, memdisk: 1, config: 2, prefix: 3 } as const
