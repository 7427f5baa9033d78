import { concatBytes, utf8 } from '@bootable/bytes'

interface Section {
  readonly name: string
  readonly type: number
  readonly flags?: number
  readonly link?: number
  readonly info?: number
  readonly alignment?: number
  readonly content?: Uint8Array
  readonly size?: number
}

/** A 64-bit object file for x86-64 with these sections behind the empty first one. */
function objectFile(given: readonly Section[]): Uint8Array {
  const strings = utf8(`\0${[...given.map(({ name }) => name), '.shstrtab'].join('\0')}\0`)
  const sections: readonly Section[] = [...given, { name: '.shstrtab', type: 3, content: strings }]
  const names = new TextDecoder().decode(strings)
  const table = new DataView(new ArrayBuffer((sections.length + 1) * 64))
  let offset = 64
  for (const [index, section] of sections.entries()) {
    const { content = new Uint8Array(), size = content.length } = section
    const at = (index + 1) * 64
    table.setUint32(at, names.indexOf(`\0${section.name}\0`) + 1, true)
    table.setUint32(at + 0x04, section.type, true)
    table.setUint32(at + 0x08, section.flags ?? 0, true)
    table.setUint32(at + 0x18, offset, true)
    table.setUint32(at + 0x20, size, true)
    table.setUint32(at + 0x28, section.link ?? 0, true)
    table.setUint32(at + 0x2c, section.info ?? 0, true)
    table.setUint32(at + 0x30, section.alignment ?? 1, true)
    offset += content.length
  }
  const header = new DataView(new ArrayBuffer(64))
  for (const [at, byte] of [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1].entries()) header.setUint8(at, byte)
  header.setUint16(0x10, 1, true)
  header.setUint16(0x12, 62, true)
  header.setUint32(0x28, offset, true)
  header.setUint16(0x3a, 64, true)
  header.setUint16(0x3c, sections.length + 1, true)
  header.setUint16(0x3e, sections.length, true)
  const contents = sections.map(({ content = new Uint8Array() }) => content)
  return concatBytes([new Uint8Array(header.buffer), ...contents, new Uint8Array(table.buffer)])
}

/** A relocation in the code of {@link kernelFile}. */
export interface Relocation {
  readonly offset: number
  readonly type: number
  /** 1 `_start` at byte 4 of the code, 2 `__bss_start`, 3 `value` at byte 8 of the data, 4 `_end`. */
  readonly symbol: number
  readonly addend: number
}

/** A kernel of GRUB for EFI: 48 bytes of code, data aligned to 16 bytes, 100 bytes of bss. */
export function kernelFile(relocations: readonly Relocation[]): Uint8Array {
  const rela = new DataView(new ArrayBuffer(relocations.length * 24))
  for (const [index, { offset, type, symbol, addend }] of relocations.entries()) {
    rela.setUint32(index * 24, offset, true)
    rela.setUint32(index * 24 + 8, type, true)
    rela.setUint32(index * 24 + 12, symbol, true)
    rela.setBigInt64(index * 24 + 16, BigInt(addend), true)
  }
  const names = ['_start', '__bss_start', 'value', '_end']
  const symbols = new DataView(new ArrayBuffer((names.length + 1) * 24))
  const places = [
    [1, 4],
    [0, 0],
    [2, 8],
    [0, 0],
  ] as const
  let at = 1
  for (const [index, name] of names.entries()) {
    const [section, value] = places[index] as readonly [number, number]
    symbols.setUint32((index + 1) * 24, at, true)
    symbols.setUint8((index + 1) * 24 + 4, 1 << 4)
    symbols.setUint16((index + 1) * 24 + 6, section, true)
    symbols.setUint32((index + 1) * 24 + 8, value, true)
    at += name.length + 1
  }
  return objectFile([
    { name: '.text', type: 1, flags: 6, content: new Uint8Array(48) },
    { name: '.data', type: 1, flags: 3, alignment: 16, content: utf8('data of the kernel') },
    { name: '.bss', type: 8, flags: 3, alignment: 32, size: 100 },
    { name: '.rela.text', type: 4, link: 5, info: 1, content: new Uint8Array(rela.buffer) },
    { name: '.symtab', type: 2, link: 6, content: new Uint8Array(symbols.buffer) },
    { name: '.strtab', type: 3, content: utf8(`\0${names.join('\0')}\0`) },
  ])
}
