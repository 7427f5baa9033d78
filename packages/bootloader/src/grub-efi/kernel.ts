import { alignUp, FormatError } from '@bootable/bytes'
import {
  type Elf,
  type ElfSection,
  ET_REL,
  readElf,
  readSymbolTable,
  SHF_ALLOC,
  SHF_EXECINSTR,
  SHN_ABS,
  SHN_UNDEF,
  SHT_NOBITS,
  SHT_RELA,
} from '../grub-bios/elf.ts'
import { PAGE, RELOCATION_TYPES, Rela } from './format.ts'

/** GRUB's kernel as it lies in memory, linked for an image that is loaded at 0. */
export interface EfiKernel {
  /** Code, data and bss. */
  readonly content: Uint8Array
  /** Bytes of it that are code. */
  readonly codeSize: number
  /** Where it begins to run, in the image. */
  readonly entry: number
  /** Addresses of words that hold addresses of the image, in the order of the relocations. */
  readonly fixups: readonly number[]
}

/** Where the sections of the kernel lie; offsets in its content. */
interface Places {
  /** By index of the section; missing for those that are not loaded. */
  readonly sections: readonly (number | undefined)[]
  readonly codeSize: number
  readonly bss: number
  readonly end: number
}

/** More than any kernel of GRUB takes in memory, bss included. */
const MAX_KERNEL = 16 * 1024 * 1024

/** Its first address in the image: behind the headers. */
const BASE = PAGE

/**
 * Links `kernel.img`, which for EFI is an object file, as grub-mkimage does (`grub-mkimagexx.c`,
 * `SUFFIX (grub_mkimage_load_image)`): sections in the order of their table, code first, then data, then bss.
 *
 * @throws FormatError
 */
export function linkKernel(data: Uint8Array): EfiKernel {
  const elf = readElf(data, 'kernel.img', 64)
  if (elf.type !== ET_REL) {
    throw problem('FORMAT_INVALID', `type ${elf.type}; for EFI it is an object file, of type ${ET_REL}`)
  }
  const places = placeSections(elf)
  const content = new Uint8Array(places.end)
  for (const [index, section] of elf.sections.entries()) {
    const place = places.sections[index]
    if (place !== undefined) content.set(section.content, place)
  }
  const symbols = readSymbolTable(elf)
  const entry = symbols.find(({ name }) => name === '_start' || name === 'start')
  if (!entry) throw problem('FORMAT_INVALID', 'it has no symbol _start')
  const addressOf = (symbol: (typeof symbols)[number]): number => {
    if (symbol.section === SHN_ABS) return symbol.value
    if (symbol.section === SHN_UNDEF) return undefinedSymbol(symbol.name, places)
    const place = places.sections[symbol.section]
    return place === undefined ? symbol.value : symbol.value + place + BASE
  }
  const addresses = symbols.map((symbol) => () => addressOf(symbol))
  const fixups = relocate(elf, places, content, (symbol) => {
    const address = addresses[symbol]
    if (address) return address()
    throw problem('FORMAT_INVALID', `a relocation is for symbol ${symbol} of ${symbols.length}`)
  })
  return { content, codeSize: places.codeSize, entry: addressOf(entry), fixups }
}

/** grub-mkimage takes its own two for offsets behind the headers, and every other one for an error. */
function undefinedSymbol(name: string, { bss, end }: Places): number {
  if (name === '__bss_start') return bss
  if (name === '_end') return end
  if (name === '') return 0
  throw problem('FORMAT_INVALID', `it needs the symbol ${name}, which is not in it`)
}

function placeSections({ sections }: Elf): Places {
  const places: (number | undefined)[] = sections.map(() => undefined)
  let cursor = 0
  const place = (belongs: (section: ElfSection) => boolean): void => {
    for (const [index, section] of sections.entries()) {
      if ((section.flags & SHF_ALLOC) === 0 || !belongs(section)) continue
      const alignment = Math.max(section.alignment, 1)
      if (alignment > PAGE || PAGE % alignment !== 0) {
        throw problem('FORMAT_UNSUPPORTED', `section ${section.name} is aligned to ${alignment} bytes`)
      }
      places[index] = alignUp(cursor + BASE, alignment) - BASE
      cursor = (places[index] as number) + section.size
      if (cursor > MAX_KERNEL) {
        throw problem('FORMAT_INVALID', `it takes ${cursor} bytes of memory; ${MAX_KERNEL} are too many`)
      }
    }
  }
  const isCode = ({ flags }: ElfSection): boolean => (flags & SHF_EXECINSTR) !== 0
  place(isCode)
  cursor = alignUp(cursor, PAGE)
  const codeSize = cursor
  place((section) => !isCode(section) && section.type !== SHT_NOBITS)
  const bss = cursor
  place((section) => !isCode(section) && section.type === SHT_NOBITS)
  return { sections: places, codeSize, bss, end: alignUp(cursor, PAGE) }
}

/** Writes addresses into the content. @returns the places of absolute ones */
function relocate(
  { sections }: Elf,
  places: Places,
  content: Uint8Array,
  addressOf: (symbol: number) => number,
): number[] {
  const view = new DataView(content.buffer)
  const fixups: number[] = []
  for (const { type, info, content: table } of sections) {
    const place = places.sections[info]
    if (type !== SHT_RELA || place === undefined) continue
    const size = sections[info]?.size ?? 0
    for (let at = 0; at + Rela.size <= table.length; at += Rela.size) {
      const { offset, type: kind, symbol, addend } = Rela.read(table, at)
      const width = kind === RELOCATION_TYPES.absolute64 || kind === RELOCATION_TYPES.relative64 ? 8 : 4
      if (offset + width > size) {
        throw problem('FORMAT_INVALID', `a relocation at ${offset} of a section of ${size} bytes`)
      }
      const target = place + offset
      const value = addend + BigInt(addressOf(symbol))
      const relative = value - BigInt(target + BASE)
      switch (kind) {
        case RELOCATION_TYPES.absolute64:
          view.setBigUint64(target, view.getBigUint64(target, true) + value, true)
          fixups.push(target + BASE)
          break
        case RELOCATION_TYPES.relative64:
          view.setBigUint64(target, view.getBigUint64(target, true) + relative, true)
          break
        case RELOCATION_TYPES.relative32:
        case RELOCATION_TYPES.call32:
          view.setInt32(
            target,
            Number(BigInt.asIntN(32, BigInt(view.getInt32(target, true)) + relative)),
            true,
          )
          break
        default:
          throw problem('FORMAT_UNSUPPORTED', `a relocation of type ${kind}`)
      }
    }
  }
  return fixups
}

function problem(code: 'FORMAT_INVALID' | 'FORMAT_UNSUPPORTED', message: string): FormatError {
  return new FormatError(code, { format: 'elf', structure: 'kernel.img' }, message)
}
