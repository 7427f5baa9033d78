import { concatBytes } from '@bootable/bytes'
import {
  DataDirectory,
  DOS_MAGIC,
  DosHeader,
  NtHeaders,
  OptionalHeader,
  PE_MACHINES,
  PE_SIGNATURE,
  PE32_PLUS,
  SectionHeader,
} from '../../src/pe/format.ts'

/** What can be said about a program of {@link makeProgram}. */
export interface ProgramOptions {
  readonly sections?: Readonly<Record<string, Uint8Array>>
  /** Bytes of the headers in the file; the sections follow. @defaultValue 0x400 */
  readonly sizeOfHeaders?: number
  /** Address of the first section. @defaultValue 0x1000 */
  readonly firstAddress?: number
  readonly machine?: number
  readonly imageVersion?: number
  readonly isNxCompatible?: boolean
  /** Appended to the file, and named in the directory. */
  readonly certificates?: Uint8Array
  /** Symbols, each of 18 bytes, and an empty string table at the end of the file. */
  readonly symbols?: number
  readonly magic?: number
}

const FILE_ALIGNMENT = 0x200
const DIRECTORIES = 16
const padded = (size: number): number => Math.ceil(size / FILE_ALIGNMENT) * FILE_ALIGNMENT

/** A small PE32+ file with everything in its place, made by hand. */
export function makeProgram(options: ProgramOptions = {}): Uint8Array {
  const { sections = { '.text': Uint8Array.of(0xc3) }, sizeOfHeaders = 0x400 } = options
  const entries = Object.entries(sections)
  const header = new Uint8Array(sizeOfHeaders)
  const optionalSize = OptionalHeader.size + DIRECTORIES * DataDirectory.size
  DosHeader.write(header, 0, { magic: DOS_MAGIC, newHeader: 0x40 })
  const optional = 0x40 + NtHeaders.size
  let offset = sizeOfHeaders
  let address = options.firstAddress ?? 0x1000
  const parts: Uint8Array[] = [header]
  for (const [index, [name, content]] of entries.entries()) {
    const rawSize = padded(content.length)
    SectionHeader.write(header, optional + optionalSize + index * SectionHeader.size, {
      name,
      virtualSize: content.length,
      virtualAddress: address,
      sizeOfRawData: rawSize,
      pointerToRawData: offset,
      characteristics: 0x6000_0020,
    })
    const raw = new Uint8Array(rawSize)
    raw.set(content)
    parts.push(raw)
    offset += rawSize
    address += Math.ceil(content.length / 0x1000) * 0x1000
  }
  const { symbols, certificates } = options
  NtHeaders.write(header, 0x40, {
    signature: PE_SIGNATURE,
    machine: options.machine ?? PE_MACHINES.x86_64,
    numberOfSections: entries.length,
    sizeOfOptionalHeader: optionalSize,
    characteristics: 0x206,
    ...(symbols !== undefined && { pointerToSymbolTable: offset, numberOfSymbols: symbols }),
  })
  OptionalHeader.write(header, optional, {
    magic: options.magic ?? PE32_PLUS,
    sectionAlignment: 0x1000,
    fileAlignment: FILE_ALIGNMENT,
    majorImageVersion: options.imageVersion ?? 1,
    sizeOfImage: address,
    sizeOfHeaders,
    checkSum: 0x1234,
    subsystem: 10,
    dllCharacteristics: (options.isNxCompatible ?? true) ? 0x160 : 0x60,
    numberOfRvaAndSizes: DIRECTORIES,
  })
  if (symbols !== undefined) {
    const table = new Uint8Array(symbols * 18 + 4)
    table[symbols * 18] = 4 // the string table: its own length
    parts.push(table)
    offset += table.length
  }
  if (certificates) {
    const place = optional + OptionalHeader.size + 4 * DataDirectory.size
    DataDirectory.write(header, place, { virtualAddress: offset, size: certificates.length })
    parts.push(certificates)
  }
  return concatBytes(parts)
}
