import { struct, u8, u16, u32, u64 } from '@bootable/bytes'

/**
 * `struct setup_header` at the end of the first and in the second sector of a bzImage (Linux x86 boot
 * protocol, "The Real-Mode Kernel Header"). Offsets count from the start of the file.
 */
export const SetupHeader = struct('setup_header', 0x26c, {
  setupSects: u8(0x1f1), // sectors of 16-bit code after the first
  rootFlags: u16(0x1f2),
  sysSize: u32(0x1f4), // protected-mode code in units of 16 bytes
  bootFlag: u16(0x1fe),

  jump: u16(0x200), // a short jump of two bytes; it also tells where the header ends
  header: u32(0x202),
  version: u16(0x206),
  kernelVersion: u16(0x20e),
  loadFlags: u8(0x211),
  code32Start: u32(0x214),
  initrdAddressMax: u32(0x22c),

  kernelAlignment: u32(0x230),
  relocatableKernel: u8(0x234),
  minAlignment: u8(0x235),
  xloadFlags: u16(0x236),
  cmdlineSize: u32(0x238),
  prefAddress: u64(0x258),
  initSize: u32(0x260),
  handoverOffset: u32(0x264),
})

/** What loaders leave in the zero page, by offset (`struct boot_params`). */
export const BOOT_PARAMS = { ramdiskImage: 0x218, ramdiskSize: 0x21c, cmdLinePointer: 0x228 } as const
