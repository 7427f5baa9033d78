import { ascii, flags64, struct, u8, u16, u32 } from '@bootable/bytes'

// Structures of the Portable Executable format (Microsoft, "PE Format") in the names of `winnt.h`. EFI
// programs of 64-bit processors are PE32+ (UEFI 2.10, 2.1.1); there is nothing else in here.

/** Only where the other headers begin. */
export const DosHeader = struct('IMAGE_DOS_HEADER', 64, {
  magic: u16(0x00), // e_magic
  newHeader: u32(0x3c), // e_lfanew
})

/** `MZ`. */
export const DOS_MAGIC = 0x5a4d

/** The signature and `IMAGE_FILE_HEADER`, up to the optional header. */
export const NtHeaders = struct('IMAGE_NT_HEADERS64', 24, {
  signature: u32(0x00),
  machine: u16(0x04),
  numberOfSections: u16(0x06),
  timeDateStamp: u32(0x08),
  pointerToSymbolTable: u32(0x0c),

  numberOfSymbols: u32(0x10),
  sizeOfOptionalHeader: u16(0x14),
  characteristics: u16(0x16),
})

/** `PE\0\0`. */
export const PE_SIGNATURE = 0x4550

/** `IMAGE_FILE_LOCAL_SYMS_STRIPPED` of `characteristics`. */
export const LOCAL_SYMS_STRIPPED = 0x0008

/** Bytes of a symbol in the symbol table, `IMAGE_SIZEOF_SYMBOL`; a string table with its length follows. */
export const SYMBOL_SIZE = 18

/** `IMAGE_OPTIONAL_HEADER64` without its data directories. */
export const OptionalHeader = struct('IMAGE_OPTIONAL_HEADER64', 112, {
  magic: u16(0x00),
  majorLinkerVersion: u8(0x02),
  minorLinkerVersion: u8(0x03),
  sizeOfCode: u32(0x04),
  sizeOfInitializedData: u32(0x08),
  sizeOfUninitializedData: u32(0x0c),

  addressOfEntryPoint: u32(0x10),
  baseOfCode: u32(0x14),
  imageBase: flags64(0x18),

  sectionAlignment: u32(0x20),
  fileAlignment: u32(0x24),
  majorOperatingSystemVersion: u16(0x28),
  minorOperatingSystemVersion: u16(0x2a),
  majorImageVersion: u16(0x2c),
  minorImageVersion: u16(0x2e),

  majorSubsystemVersion: u16(0x30),
  minorSubsystemVersion: u16(0x32),
  win32VersionValue: u32(0x34),
  sizeOfImage: u32(0x38),
  sizeOfHeaders: u32(0x3c),

  checkSum: u32(0x40),
  subsystem: u16(0x44),
  dllCharacteristics: u16(0x46),
  sizeOfStackReserve: flags64(0x48),

  sizeOfStackCommit: flags64(0x50),
  sizeOfHeapReserve: flags64(0x58),

  sizeOfHeapCommit: flags64(0x60),
  loaderFlags: u32(0x68),
  numberOfRvaAndSizes: u32(0x6c),
})

/** `IMAGE_NT_OPTIONAL_HDR64_MAGIC`: PE32+. */
export const PE32_PLUS = 0x20b

/** `IMAGE_DLLCHARACTERISTICS_NX_COMPAT`: it can live with memory that is either written or executed. */
export const NX_COMPAT = 0x0100

export const DataDirectory = struct('IMAGE_DATA_DIRECTORY', 8, {
  virtualAddress: u32(0x00),
  size: u32(0x04),
})

/** `IMAGE_DIRECTORY_ENTRY_SECURITY`: the one directory whose address is an offset in the file. */
export const CERTIFICATE_DIRECTORY = 4

export const SectionHeader = struct('IMAGE_SECTION_HEADER', 40, {
  name: ascii(0x00, 8),
  virtualSize: u32(0x08),
  virtualAddress: u32(0x0c),

  sizeOfRawData: u32(0x10),
  pointerToRawData: u32(0x14),
  pointerToRelocations: u32(0x18),
  pointerToLinenumbers: u32(0x1c),

  numberOfRelocations: u16(0x20),
  numberOfLinenumbers: u16(0x22),
  characteristics: u32(0x24),
})

/** `characteristics` of a section: `IMAGE_SCN_…`. */
export const SCN_CNT_CODE = 0x0000_0020
export const SCN_CNT_INITIALIZED_DATA = 0x0000_0040
export const SCN_MEM_DISCARDABLE = 0x0200_0000
export const SCN_MEM_EXECUTE = 0x2000_0000
export const SCN_MEM_READ = 0x4000_0000
export const SCN_MEM_WRITE = 0x8000_0000

/** `IMAGE_FILE_MACHINE_…`, by the name that `uname -m` gives the processor. */
export const PE_MACHINES = { x86_64: 0x8664, aarch64: 0xaa64, riscv64: 0x5064 } as const
