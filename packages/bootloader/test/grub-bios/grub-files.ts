import { concatBytes, utf8 } from '@bootable/bytes'

/** A section of a made-up ELF file. */
interface Section {
  readonly name: string
  readonly type: number
  readonly flags?: number
  readonly address?: number
  readonly link?: number
  readonly content: Uint8Array
  /** Of a section without content. */
  readonly size?: number
}

/** A 32-bit ELF file for i386 with these sections behind the empty first one. */
export function elfFile(type: number, given: readonly Section[]): Uint8Array {
  const strings = utf8(`\0${[...given.map(({ name }) => name), '.shstrtab'].join('\0')}\0`)
  const sections = [...given, { name: '.shstrtab', type: 3, content: strings }]
  const text = new TextDecoder().decode(strings)
  const table = new DataView(new ArrayBuffer((sections.length + 1) * 40))
  let offset = 52
  for (const [
    index,
    { name, type: kind, flags = 0, address = 0, link = 0, content, size },
  ] of sections.entries()) {
    const words = [
      text.indexOf(`\0${name}\0`) + 1,
      kind,
      flags,
      address,
      offset,
      size ?? content.length,
      link,
      0,
      1,
      0,
    ]
    for (const [word, value] of words.entries()) table.setUint32((index + 1) * 40 + word * 4, value, true)
    offset += content.length
  }
  const header = new DataView(new ArrayBuffer(52))
  for (const [at, byte] of [0x7f, 0x45, 0x4c, 0x46, 1, 1, 1].entries()) header.setUint8(at, byte)
  header.setUint16(0x10, type, true)
  header.setUint16(0x12, 3, true)
  header.setUint32(0x20, offset, true)
  header.setUint16(0x2e, 40, true)
  header.setUint16(0x30, sections.length + 1, true)
  header.setUint16(0x32, sections.length, true)
  const contents = sections.map(({ content }) => content)
  return concatBytes([new Uint8Array(header.buffer), ...contents, new Uint8Array(table.buffer)])
}

/** A kernel of GRUB that exports these names. */
export function kernelFile(exports: readonly string[], bss = 64): Uint8Array {
  return elfFile(2, [
    { name: '.text', type: 1, flags: 2, address: 0x9000, content: new Uint8Array(100).fill(0x90) },
    { name: '.rodata', type: 1, flags: 2, address: 0x9080, content: utf8(`\0${exports.join('\0')}\0`) },
    { name: '.bss', type: 8, flags: 3, address: 0xa000, content: new Uint8Array(), size: bss },
  ])
}

/** A module that needs some modules and symbols, and gives others one symbol of its own. */
export function moduleFile(
  name: string,
  needs: readonly string[] = [],
  symbols: readonly string[] = [],
): Uint8Array {
  const names = [...symbols, `grub_${name}_call`]
  const table = new DataView(new ArrayBuffer((names.length + 1) * 16))
  let at = 1
  for (const [index, symbol] of names.entries()) {
    table.setUint32((index + 1) * 16, at, true)
    table.setUint8((index + 1) * 16 + 12, 1 << 4)
    table.setUint16((index + 1) * 16 + 14, index < symbols.length ? 0 : 1, true)
    at += symbol.length + 1
  }
  return elfFile(1, [
    { name: '.text', type: 1, flags: 2, content: utf8(`code of ${name}`) },
    { name: '.moddeps', type: 1, content: utf8(needs.map((need) => `${need}\0`).join('')) },
    { name: '.modname', type: 1, content: utf8(`${name}\0`) },
    { name: '.symtab', type: 2, link: 5, content: new Uint8Array(table.buffer) },
    { name: '.strtab', type: 3, content: utf8(`\0${names.join('\0')}\0`) },
  ])
}

/** `boot.img` as far as its fields go. */
export function bootSector(): Uint8Array {
  const sector = new Uint8Array(512).fill(0xcc)
  sector.set([0xeb, 0x63, 0x90])
  sector.set([0x00, 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0xff, 0, 0xeb, 0x05], 0x5a)
  sector.set(utf8('GRUB \0'), 0x180)
  sector.set([0x55, 0xaa], 0x1fe)
  return sector
}

/** `lzma_decompress.img`: its fields, and the instruction that says where the stream begins. */
export function decompressor(length = 128): Uint8Array {
  const image = new Uint8Array(length).fill(0x90)
  image.fill(0, 0, 0x1c)
  image.set([0xea, 0x1c, 0x82])
  image.set([0xbe, length, 0x82, 0, 0], 0x20)
  return image
}

/** A whole GRUB for a BIOS, by file name. */
export function grubFiles(): Record<string, Uint8Array> {
  const diskboot = new Uint8Array(512)
  diskboot.set([2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0x08], 0x1f4)
  return {
    'boot.img': bootSector(),
    'diskboot.img': diskboot,
    'lzma_decompress.img': decompressor(),
    'kernel.img': kernelFile(['grub_malloc', 'grub_free']),
    'biosdisk.mod': moduleFile('biosdisk', [], ['grub_malloc']),
    'part_gpt.mod': moduleFile('part_gpt'),
    'part_msdos.mod': moduleFile('part_msdos'),
    'diskfilter.mod': moduleFile('diskfilter'),
    'lvm.mod': moduleFile('lvm', ['diskfilter'], ['grub_diskfilter_call']),
    'xfs.mod': moduleFile('xfs', ['fshelp'], ['grub_fshelp_call']),
    'zstd.mod': moduleFile('zstd'),
    'btrfs.mod': moduleFile('btrfs', ['zstd'], ['grub_zstd_call']),
    'fshelp.mod': moduleFile('fshelp'),
    'ext2.mod': moduleFile('ext2', ['fshelp'], ['grub_fshelp_call', 'grub_free']),
    'search_fs_uuid.mod': moduleFile('search_fs_uuid'),
    'normal.mod': moduleFile('normal', ['fshelp'], ['grub_malloc']),
    'moddep.lst': utf8(
      'biosdisk:\npart_gpt:\npart_msdos:\nfshelp:\next2: fshelp\nxfs: fshelp\nzstd:\nbtrfs: zstd\n' +
        'diskfilter:\nlvm: diskfilter\nsearch_fs_uuid:\nnormal: fshelp\n',
    ),
    'efiemu32.o': utf8('efiemu'),
    'config.h': utf8('of no use'),
  }
}
