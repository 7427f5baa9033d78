import { ascii, bytes, struct, u16, u32, u64 } from '@bootable/bytes'

/** The parts of the MS-DOS, COFF and optional headers that matter (Microsoft PE format; PE32+). */
const PortableExecutable = struct('PE32+', 0x170, {
  magic: ascii(0x000, 2), // e_magic
  peOffset: u32(0x03c), // e_lfanew

  signature: ascii(0x040, 4),
  machine: u16(0x044),
  numberOfSections: u16(0x046),
  sizeOfOptionalHeader: u16(0x054),
  characteristics: u16(0x056),

  optionalMagic: u16(0x058),
  sizeOfCode: u32(0x05c),
  addressOfEntryPoint: u32(0x068),
  baseOfCode: u32(0x06c),
  imageBase: u64(0x070),
  sectionAlignment: u32(0x078),
  fileAlignment: u32(0x07c),
  majorImageVersion: u16(0x084),
  sizeOfImage: u32(0x090),
  sizeOfHeaders: u32(0x094),
  subsystem: u16(0x09c),
  dllCharacteristics: u16(0x09e),
  numberOfRvaAndSizes: u32(0x0c4),
  directories: bytes(0x0c8, 16 * 8),

  sectionName: ascii(0x148, 8),
  virtualSize: u32(0x150),
  virtualAddress: u32(0x154),
  sizeOfRawData: u32(0x158),
  pointerToRawData: u32(0x15c),
  sectionCharacteristics: u32(0x16c),
})

/** Bytes at the start of a file that {@link writeEfiHeaders} fills; what follows is the caller's. */
export const EFI_HEADERS_SIZE = PortableExecutable.size

const PAGE = 0x1000

/** `Machine` of the COFF header. */
const MACHINES = { x86_64: 0x8664, aarch64: 0xaa64 } as const

/** Makes a file an EFI application: one section of code from `codeOffset` to the end. */
export function writeEfiHeaders(
  file: Uint8Array,
  codeOffset: number,
  entryOffset: number,
  machine: keyof typeof MACHINES = 'x86_64',
): void {
  const size = file.length - codeOffset
  PortableExecutable.write(file, 0, {
    magic: 'MZ',
    peOffset: 0x40,
    signature: 'PE\0\0',
    machine: MACHINES[machine],
    numberOfSections: 1,
    // edk2 refuses anything but 112 + 8 * numberOfRvaAndSizes.
    sizeOfOptionalHeader: 112 + 8 * 16,
    characteristics: 0x0206, // executable, no line numbers, no debug information
    optionalMagic: 0x20b,
    sizeOfCode: size,
    addressOfEntryPoint: PAGE + entryOffset - codeOffset,
    baseOfCode: PAGE,
    sectionAlignment: PAGE,
    fileAlignment: 0x200,
    // As in a Linux kernel's: 1 promises that the initrd is fetched by LoadFile2.
    majorImageVersion: 1,
    sizeOfImage: PAGE + Math.ceil(size / PAGE) * PAGE,
    sizeOfHeaders: codeOffset,
    subsystem: 10, // EFI application
    dllCharacteristics: 0x0100, // nothing is both written and executed
    numberOfRvaAndSizes: 16,
    sectionName: '.text',
    virtualSize: size,
    virtualAddress: PAGE,
    sizeOfRawData: size,
    pointerToRawData: codeOffset,
    sectionCharacteristics: 0x6000_0020, // code, executable, readable
  })
}
