import { alignUp, concatBytes } from '@bootable/bytes'
import { encodeModuleArea, type ModuleAreaParts } from '../grub-bios/module-area.ts'
import {
  DataDirectory,
  NtHeaders,
  NX_COMPAT,
  OptionalHeader,
  PE_MACHINES,
  PE_SIGNATURE,
  PE32_PLUS,
  SCN_CNT_CODE,
  SCN_CNT_INITIALIZED_DATA,
  SCN_MEM_DISCARDABLE,
  SCN_MEM_EXECUTE,
  SCN_MEM_READ,
  SCN_MEM_WRITE,
  SectionHeader,
} from '../pe/format.ts'
import { BaseRelocation, DOS_STUB, PAGE, REL_BASED_DIR64 } from './format.ts'
import { linkKernel } from './kernel.ts'

/** What grub-mkimage writes for the time of a build: the first second of 2015. */
const TIME_STAMP = 1_420_070_400

/** `IMAGE_FILE_…`: executable, without line numbers and local symbols, with debugging information apart. */
const CHARACTERISTICS = 0x020e

/** Firmware (edk2) refuses a program whose header has room for more or fewer directories than it counts. */
const DIRECTORIES = 16
const BASE_RELOCATION_DIRECTORY = 5

/** `IMAGE_SUBSYSTEM_EFI_APPLICATION`. */
const EFI_APPLICATION = 10

/** `GRUB_PE32_…`: what an image asks of stack and heap. */
const STACK_AND_HEAP = 0x1_0000n

/** Options of {@link encodeEfiImage}. */
export interface EfiImageOptions {
  /**
   * Says that the program lives with memory that is either written or executed. True of GRUB 2.14; older
   * ones that are told so do not start on firmware that insists.
   * @defaultValue false
   */
  readonly isNxCompatible?: boolean
}

interface Section {
  readonly name: string
  readonly characteristics: number
  readonly content: Uint8Array
}

/**
 * GRUB as an EFI program, byte for byte as `grub-mkimage -O x86_64-efi` makes it.
 *
 * @param kernel `kernel.img`
 * @throws FormatError
 */
export function encodeEfiImage(
  kernel: Uint8Array,
  parts: ModuleAreaParts,
  { isNxCompatible = false }: EfiImageOptions = {},
): Uint8Array {
  const { content, codeSize, entry, fixups } = linkKernel(kernel)
  const data = SCN_CNT_INITIALIZED_DATA | SCN_MEM_READ
  const sections: readonly Section[] = [
    {
      name: '.text',
      characteristics: SCN_CNT_CODE | SCN_MEM_EXECUTE | SCN_MEM_READ,
      content: content.subarray(0, codeSize),
    },
    { name: '.data', characteristics: data | SCN_MEM_WRITE, content: content.subarray(codeSize) },
    { name: 'mods', characteristics: data | SCN_MEM_WRITE, content: padToPage(encodeModuleArea(parts, 8)) },
    { name: '.reloc', characteristics: data | SCN_MEM_DISCARDABLE, content: encodeFixups(fixups) },
  ]
  const [code, , , relocations] = sections as [Section, Section, Section, Section]
  const size = sections.reduce((sum, section) => sum + section.content.length, PAGE)
  const initialised = size - PAGE - code.content.length - relocations.content.length

  const nt = NtHeaders.encode({
    signature: PE_SIGNATURE,
    machine: PE_MACHINES.x86_64,
    numberOfSections: sections.length,
    timeDateStamp: TIME_STAMP,
    sizeOfOptionalHeader: OptionalHeader.size + DIRECTORIES * DataDirectory.size,
    characteristics: CHARACTERISTICS,
  })
  const optional = OptionalHeader.encode({
    magic: PE32_PLUS,
    sizeOfCode: code.content.length,
    sizeOfInitializedData: initialised,
    addressOfEntryPoint: entry,
    baseOfCode: PAGE,
    sectionAlignment: PAGE,
    fileAlignment: PAGE,
    sizeOfImage: size,
    sizeOfHeaders: PAGE,
    subsystem: EFI_APPLICATION,
    dllCharacteristics: isNxCompatible ? NX_COMPAT : 0,
    sizeOfStackReserve: STACK_AND_HEAP,
    sizeOfStackCommit: STACK_AND_HEAP,
    sizeOfHeapReserve: STACK_AND_HEAP,
    sizeOfHeapCommit: STACK_AND_HEAP,
    numberOfRvaAndSizes: DIRECTORIES,
  })
  const directories = new Uint8Array(DIRECTORIES * DataDirectory.size)
  DataDirectory.write(directories, BASE_RELOCATION_DIRECTORY * DataDirectory.size, {
    virtualAddress: size - relocations.content.length,
    size: relocations.content.length,
  })
  const headers = concatBytes([DOS_STUB, nt, optional, directories, encodeSectionTable(sections)])
  return concatBytes([padToPage(headers), ...sections.map((section) => section.content)])
}

/** Every section lies in memory as it lies in the file. */
function encodeSectionTable(sections: readonly Section[]): Uint8Array {
  let at = PAGE
  return concatBytes(
    sections.map(({ name, characteristics, content: { length } }) => {
      const header = SectionHeader.encode({
        name,
        virtualSize: length,
        virtualAddress: at,
        sizeOfRawData: length,
        pointerToRawData: at,
        characteristics,
      })
      at += length
      return header
    }),
  )
}

/** Base relocations in blocks of a page; a new block begins wherever the page changes. */
function encodeFixups(fixups: readonly number[]): Uint8Array {
  const blocks: { readonly page: number; readonly entries: number[] }[] = []
  for (const address of fixups) {
    const page = address - (address % PAGE)
    if (blocks.at(-1)?.page !== page) blocks.push({ page, entries: [] })
    blocks.at(-1)?.entries.push(REL_BASED_DIR64 | (address % PAGE))
  }
  let length = 0
  const sizes = blocks.map(({ entries }, index) => {
    const size = BaseRelocation.size + 2 * entries.length
    // Entries of zero mean nothing: the last block is filled with them up to the end of the section.
    const padded = index < blocks.length - 1 ? alignUp(size, 8) : alignUp(length + size, PAGE) - length
    length += padded
    return padded
  })
  const table = new Uint8Array(length)
  const view = new DataView(table.buffer)
  let at = 0
  for (const [index, { page, entries }] of blocks.entries()) {
    const sizeOfBlock = sizes[index] as number
    BaseRelocation.write(table, at, { virtualAddress: page, sizeOfBlock })
    for (const [number, entry] of entries.entries()) {
      view.setUint16(at + BaseRelocation.size + 2 * number, entry, true)
    }
    at += sizeOfBlock
  }
  return table
}

function padToPage(data: Uint8Array): Uint8Array {
  const padded = new Uint8Array(alignUp(data.length, PAGE))
  padded.set(data)
  return padded
}
