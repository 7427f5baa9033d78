import { bytes, FormatError, type FormatErrorCode, struct, u16, u32 } from '@bootable/bytes'

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

const SYMBOL_SIZE = 16
const MAGIC = 0x464c_457f
const CLASS_32 = 1
const LITTLE_ENDIAN = 1
const EM_386 = 3
const STB_LOCAL = 0

export const ET_EXEC = 2
export const SHT_PROGBITS = 1
export const SHT_SYMTAB = 2
export const SHT_NOBITS = 8
export const SHF_ALLOC = 2

/** A section of a file that was checked: its bytes are there. */
export interface ElfSection {
  readonly name: string
  readonly type: number
  readonly flags: number
  readonly address: number
  readonly size: number
  /** Index of the section that belongs to this one. */
  readonly link: number
  /** Empty for `SHT_NOBITS`. */
  readonly content: Uint8Array
}

/** A 32-bit ELF file for i386. */
export interface Elf32 {
  /** What messages call it. */
  readonly name: string
  readonly type: number
  readonly sections: readonly ElfSection[]
}

/**
 * Reads the sections of a 32-bit ELF file for i386, which GRUB's kernel and modules for a BIOS are.
 * @param name of the file, for messages
 * @throws FormatError
 */
export function readElf32(data: Uint8Array, name: string): Elf32 {
  const fail = (code: FormatErrorCode, offset: number, message: string): FormatError =>
    new FormatError(code, { format: 'elf', structure: name, offset }, message)
  if (data.length < Elf32Ehdr.size) throw fail('FORMAT_TRUNCATED', 0, `${data.length} bytes`)
  const header = Elf32Ehdr.read(data)
  const view = new DataView(data.buffer, data.byteOffset, data.length)
  if (view.getUint32(0, true) !== MAGIC) throw fail('FORMAT_INVALID', 0, 'no ELF file')
  const [elfClass, order] = [header.e_ident[4], header.e_ident[5]]
  if (elfClass !== CLASS_32 || order !== LITTLE_ENDIAN || header.e_machine !== EM_386) {
    const text = `class ${elfClass}, byte order ${order}, machine ${header.e_machine}; i386 has 1, 1 and 3`
    throw fail('FORMAT_UNSUPPORTED', 4, text)
  }
  const { e_shoff, e_shnum, e_shentsize, e_shstrndx } = header
  if (e_shentsize !== Elf32Shdr.size) {
    throw fail('FORMAT_INVALID', 0x2e, `section headers of ${e_shentsize} bytes; they have 40`)
  }
  if (e_shoff + e_shnum * Elf32Shdr.size > data.length) {
    throw fail('FORMAT_TRUNCATED', e_shoff, `${e_shnum} section headers, but the file ends at ${data.length}`)
  }

  const headers = Array.from({ length: e_shnum }, (_, index) => {
    const at = e_shoff + index * Elf32Shdr.size
    const section = Elf32Shdr.read(data, at)
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
    link: section.sh_link,
    content: contentOf(index),
  }))
  return { name, type: header.e_type, sections }
}

/** What a module takes from others and gives to others. */
export interface ElfSymbols {
  readonly undefined: readonly string[]
  readonly defined: readonly string[]
}

/** The names in the symbol table, as `grub_dl_resolve_symbols` divides them. @throws FormatError */
export function readSymbols({ name: file, sections }: Elf32): ElfSymbols {
  const table = sections.find(({ type }) => type === SHT_SYMTAB)
  if (!table) {
    throw new FormatError('FORMAT_INVALID', { format: 'elf', structure: file }, 'there is no symbol table')
  }
  const names = sections[table.link]?.content ?? new Uint8Array()
  const symbols = { undefined: [] as string[], defined: [] as string[] }
  const view = new DataView(table.content.buffer, table.content.byteOffset, table.content.length)
  for (let at = 0; at + SYMBOL_SIZE <= table.content.length; at += SYMBOL_SIZE) {
    const name = cString(names, view.getUint32(at, true))
    const binding = view.getUint8(at + 12) >> 4
    const section = view.getUint16(at + 14, true)
    if (name === '') continue
    if (section === 0) symbols.undefined.push(name)
    else if (binding !== STB_LOCAL) symbols.defined.push(name)
  }
  return symbols
}

/** The text of a section that holds strings with a NUL behind each. */
export function readStrings({ sections }: Elf32, section: string): string[] {
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
