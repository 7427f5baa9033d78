import { bytes, FormatError, type FormatErrorCode, struct, u8, u16, u32, u64 } from '@bootable/bytes'

/** System V ABI, "ELF header". */
const Elf32Ehdr = struct('Elf32_Ehdr', 52, {
  e_ident: bytes(0x00, 16),

  e_type: u16(0x10),
  e_machine: u16(0x12),
  e_version: u32(0x14),
  e_entry: u32(0x18),
  e_phoff: u32(0x1c),

  e_shoff: u32(0x20),
  e_flags: u32(0x24),
  e_ehsize: u16(0x28),
  e_phentsize: u16(0x2a),
  e_phnum: u16(0x2c),
  e_shentsize: u16(0x2e),

  e_shnum: u16(0x30),
  e_shstrndx: u16(0x32),
})

const Elf32Shdr = struct('Elf32_Shdr', 40, {
  sh_name: u32(0x00),
  sh_type: u32(0x04),
  sh_flags: u32(0x08),
  sh_addr: u32(0x0c),

  sh_offset: u32(0x10),
  sh_size: u32(0x14),
  sh_link: u32(0x18),
  sh_info: u32(0x1c),

  sh_addralign: u32(0x20),
  sh_entsize: u32(0x24),
})

const Elf32Sym = struct('Elf32_Sym', 16, {
  st_name: u32(0x00),
  st_value: u32(0x04),
  st_size: u32(0x08),
  st_info: u8(0x0c),
  st_shndx: u16(0x0e),
})

const Elf64Ehdr = struct('Elf64_Ehdr', 64, {
  e_ident: bytes(0x00, 16),

  e_type: u16(0x10),
  e_machine: u16(0x12),
  e_version: u32(0x14),
  e_entry: u64(0x18),

  e_phoff: u64(0x20),
  e_shoff: u64(0x28),

  e_flags: u32(0x30),
  e_ehsize: u16(0x34),
  e_phentsize: u16(0x36),
  e_phnum: u16(0x38),
  e_shentsize: u16(0x3a),
  e_shnum: u16(0x3c),
  e_shstrndx: u16(0x3e),
})

const Elf64Shdr = struct('Elf64_Shdr', 64, {
  sh_name: u32(0x00),
  sh_type: u32(0x04),
  sh_flags: u64(0x08),

  sh_addr: u64(0x10),
  sh_offset: u64(0x18),

  sh_size: u64(0x20),
  sh_link: u32(0x28),
  sh_info: u32(0x2c),

  sh_addralign: u64(0x30),
  sh_entsize: u64(0x38),
})

const Elf64Sym = struct('Elf64_Sym', 24, {
  st_name: u32(0x00),
  st_info: u8(0x04),
  st_shndx: u16(0x06),
  st_value: u64(0x08),

  st_size: u64(0x10),
})

/** What tells the two classes apart: which processor, and how its structures lie. */
const I386 = { elfClass: 1, machine: 3, ehdr: Elf32Ehdr, shdr: Elf32Shdr, sym: Elf32Sym } as const
const X86_64 = { elfClass: 2, machine: 62, ehdr: Elf64Ehdr, shdr: Elf64Shdr, sym: Elf64Sym } as const

const MAGIC = 0x464c_457f
const LITTLE_ENDIAN = 1
const STB_LOCAL = 0

export const ET_REL = 1
export const ET_EXEC = 2
export const SHT_PROGBITS = 1
export const SHT_SYMTAB = 2
export const SHT_RELA = 4
export const SHT_NOBITS = 8
export const SHF_ALLOC = 2
export const SHF_EXECINSTR = 4
export const SHN_UNDEF = 0
export const SHN_ABS = 0xfff1

/** A section of a file that was checked: its bytes are there. */
export interface ElfSection {
  readonly name: string
  readonly type: number
  readonly flags: number
  readonly address: number
  readonly size: number
  /** A power of two; 0 and 1 mean none. */
  readonly alignment: number
  /** Index of the section that belongs to this one. */
  readonly link: number
  /** In a table of relocations: index of the section that they are for. */
  readonly info: number
  /** Empty for `SHT_NOBITS`. */
  readonly content: Uint8Array
}

/** An ELF file of GRUB: its kernel or a module. */
export interface Elf {
  /** What messages call it. */
  readonly name: string
  /** 32 for a BIOS, 64 for EFI. */
  readonly bits: 32 | 64
  readonly type: number
  readonly sections: readonly ElfSection[]
}

/**
 * Reads the sections of a 32-bit ELF file for i386, which GRUB's kernel and modules for a BIOS are.
 * @param name of the file, for messages
 * @throws FormatError
 */
export function readElf32(data: Uint8Array, name: string): Elf {
  return readElf(data, name, 32)
}

/** Reads an ELF file of GRUB. @throws FormatError also for one of another class or processor */
export function readElf(data: Uint8Array, name: string, bits: Elf['bits']): Elf {
  const { elfClass, machine, ehdr, shdr } = bits === 32 ? I386 : X86_64
  const fail = (code: FormatErrorCode, offset: number, message: string): FormatError =>
    new FormatError(code, { format: 'elf', structure: name, offset }, message)
  if (data.length < ehdr.size) throw fail('FORMAT_TRUNCATED', 0, `${data.length} bytes`)
  const header = ehdr.read(data)
  const view = new DataView(data.buffer, data.byteOffset, data.length)
  if (view.getUint32(0, true) !== MAGIC) throw fail('FORMAT_INVALID', 0, 'no ELF file')
  const [itsClass, order] = [header.e_ident[4], header.e_ident[5]]
  if (itsClass !== elfClass || order !== LITTLE_ENDIAN || header.e_machine !== machine) {
    const text = `class ${itsClass}, byte order ${order}, machine ${header.e_machine}; it should be ${elfClass}, 1 and ${machine}`
    throw fail('FORMAT_UNSUPPORTED', 4, text)
  }
  const { e_shoff, e_shnum, e_shentsize, e_shstrndx } = header
  if (e_shentsize !== shdr.size) {
    const message = `section headers of ${e_shentsize} bytes; they have ${shdr.size}`
    throw fail('FORMAT_INVALID', ehdr.size - 6, message)
  }
  if (e_shoff + e_shnum * shdr.size > data.length) {
    throw fail('FORMAT_TRUNCATED', e_shoff, `${e_shnum} section headers, but the file ends at ${data.length}`)
  }

  const headers = Array.from({ length: e_shnum }, (_, index) => {
    const at = e_shoff + index * shdr.size
    const section = shdr.read(data, at)
    const end = section.sh_type === SHT_NOBITS ? 0 : section.sh_offset + section.sh_size
    if (end <= data.length) return section
    throw fail('FORMAT_TRUNCATED', at, `section ${index} ends at ${end}, the file at ${data.length}`)
  })
  const contentOf = (index: number): Uint8Array => {
    const section = headers[index]
    if (!section || section.sh_type === SHT_NOBITS) return new Uint8Array()
    return data.subarray(section.sh_offset, section.sh_offset + section.sh_size)
  }
  const names = contentOf(e_shstrndx)
  const sections = headers.map((section, index) => ({
    name: cString(names, section.sh_name),
    type: section.sh_type,
    flags: section.sh_flags,
    address: section.sh_addr,
    size: section.sh_size,
    alignment: section.sh_addralign,
    link: section.sh_link,
    info: section.sh_info,
    content: contentOf(index),
  }))
  return { name, bits, type: header.e_type, sections }
}

/** A line of a symbol table. */
export interface ElfSymbol {
  readonly name: string
  readonly value: number
  /** Index of the section that it is in; `SHN_UNDEF`, `SHN_ABS`. */
  readonly section: number
  readonly isLocal: boolean
}

/** The symbol table, from its first, empty line on; no lines where there is none. */
export function readSymbolTable({ bits, sections }: Elf): ElfSymbol[] {
  const table = sections.find(({ type }) => type === SHT_SYMTAB)
  if (!table) return []
  const { sym } = bits === 32 ? I386 : X86_64
  const names = sections[table.link]?.content ?? new Uint8Array()
  return Array.from({ length: Math.floor(table.content.length / sym.size) }, (_, index) => {
    const symbol = sym.read(table.content, index * sym.size)
    return {
      name: cString(names, symbol.st_name),
      value: symbol.st_value,
      section: symbol.st_shndx,
      isLocal: symbol.st_info >> 4 === STB_LOCAL,
    }
  })
}

/** What a module takes from others and gives to others. */
export interface ElfSymbols {
  readonly undefined: readonly string[]
  readonly defined: readonly string[]
}

/**
 * The names in the symbol table, as `grub_dl_resolve_symbols` divides them. A module that only draws in
 * others has none.
 */
export function readSymbols(elf: Elf): ElfSymbols {
  const named = readSymbolTable(elf).filter(({ name }) => name !== '')
  const names = (symbols: readonly ElfSymbol[]): string[] => symbols.map(({ name }) => name)
  return {
    undefined: names(named.filter(({ section }) => section === SHN_UNDEF)),
    defined: names(named.filter(({ section, isLocal }) => section !== SHN_UNDEF && !isLocal)),
  }
}

/** The text of a section that holds strings with a NUL behind each. */
export function readStrings({ sections }: Elf, section: string): string[] {
  const content = sections.find(({ name }) => name === section)?.content ?? new Uint8Array()
  return latin1(content)
    .split('\0')
    .filter((text) => text !== '')
}

function cString(data: Uint8Array, start: number): string {
  if (start >= data.length) return ''
  const end = data.indexOf(0, start)
  return latin1(data.subarray(start, end < 0 ? data.length : end))
}

/** One character a byte. */
export function latin1(data: Uint8Array): string {
  let text = ''
  for (let at = 0; at < data.length; at += 0x2000) {
    text += String.fromCharCode(...data.subarray(at, at + 0x2000))
  }
  return text
}
