import type { ByteSource, FormatErrorCode } from '@bootable/bytes'
import { FormatError, sliceSource } from '@bootable/bytes'
import {
  CERTIFICATE_DIRECTORY,
  DataDirectory,
  DOS_MAGIC,
  DosHeader,
  NtHeaders,
  NX_COMPAT,
  OptionalHeader,
  PE_SIGNATURE,
  PE32_PLUS,
  SectionHeader,
} from './format.ts'

/** A section of an EFI program. Offsets and sizes count bytes. */
export interface PeSection {
  /** Longer ones than 8 bytes are `/` and an offset in the string table behind the symbols. */
  readonly name: string
  readonly virtualAddress: number
  /** Of the section in memory; its content is no longer than that. */
  readonly virtualSize: number
  /** In the file. */
  readonly offset: number
  /** In the file, where it is padded to {@link PeImage.fileAlignment}. */
  readonly rawSize: number
  /** `IMAGE_SCN_…` */
  readonly characteristics: number
}

/** The headers of an EFI program. Offsets and sizes count bytes. */
export interface PeImage {
  /** `IMAGE_FILE_MACHINE_…`. */
  readonly machine: number
  /**
   * Version of the image. In Linux it tells what its EFI stub can do: from 1.0 on it fetches its initrd by
   * LoadFile2, and newer GRUBs ask for that (`LINUX_EFISTUB_MAJOR_VERSION`).
   */
  readonly imageVersion: { readonly major: number; readonly minor: number }
  /** `IMAGE_SUBSYSTEM_…`: 10 for an EFI application. */
  readonly subsystem: number
  /** `IMAGE_DLLCHARACTERISTICS_NX_COMPAT` is set. */
  readonly isNxCompatible: boolean
  readonly sections: readonly PeSection[]
  /** Where signatures lie in the file; missing in a program that nobody has signed. Nothing is verified. */
  readonly certificates?: { readonly offset: number; readonly size: number }
  /** The COFF symbol table, at 0 where there is none. */
  readonly symbols: { readonly offset: number; readonly count: number }
  readonly fileAlignment: number
  readonly sectionAlignment: number
  readonly sizeOfHeaders: number
  /** Of `IMAGE_NT_HEADERS64` in the file. */
  readonly headerOffset: number
  /** Of the first `IMAGE_SECTION_HEADER` in the file. */
  readonly sectionTableOffset: number
}

/** More than this Windows does not load; EFI programs have about ten. */
const MAX_SECTIONS = 96

/** `IMAGE_NUMBEROF_DIRECTORY_ENTRIES`: firmware (edk2) refuses more. */
const MAX_DIRECTORIES = 16

/**
 * Reads the headers of an EFI program: a boot loader, a kernel with an EFI stub, a unified kernel image.
 * @throws FormatError where it is not PE32+, or where a section or its signatures lie outside of the file
 */
export async function readPe(source: ByteSource): Promise<PeImage> {
  const dos = DosHeader.read(await readPart(source, 0, DosHeader.size, 'IMAGE_DOS_HEADER'))
  if (dos.magic !== DOS_MAGIC) {
    throw problem('FORMAT_INVALID', 'e_magic', 'not MZ', 0, DOS_MAGIC, dos.magic)
  }
  const headerOffset = dos.newHeader
  const nt = NtHeaders.read(await readPart(source, headerOffset, NtHeaders.size, 'IMAGE_NT_HEADERS64'))
  if (nt.signature !== PE_SIGNATURE) {
    throw problem('FORMAT_INVALID', 'Signature', 'not PE', headerOffset, PE_SIGNATURE, nt.signature)
  }
  if (nt.numberOfSections > MAX_SECTIONS) {
    const message = `${nt.numberOfSections} sections, ${MAX_SECTIONS} are possible`
    throw problem('FORMAT_INVALID', 'NumberOfSections', message, headerOffset + 6)
  }

  const optionalOffset = headerOffset + NtHeaders.size
  const optionalBytes = await readPart(source, optionalOffset, nt.sizeOfOptionalHeader, 'OptionalHeader')
  const optional = OptionalHeader.read(optionalBytes)
  if (optional.magic !== PE32_PLUS) {
    const message = 'only PE32+ is read'
    throw problem('FORMAT_UNSUPPORTED', 'Magic', message, optionalOffset, PE32_PLUS, optional.magic)
  }
  checkAlignments(optional, optionalOffset)

  const sectionTableOffset = optionalOffset + nt.sizeOfOptionalHeader
  const table = await readPart(
    source,
    sectionTableOffset,
    nt.numberOfSections * SectionHeader.size,
    'IMAGE_SECTION_HEADER',
  )
  const sections = Array.from({ length: nt.numberOfSections }, (_, index) =>
    readSection(source, table, index, sectionTableOffset),
  )
  const certificates = findCertificates(source, optionalBytes, optional.numberOfRvaAndSizes, optionalOffset)
  return {
    machine: nt.machine,
    imageVersion: { major: optional.majorImageVersion, minor: optional.minorImageVersion },
    subsystem: optional.subsystem,
    isNxCompatible: (optional.dllCharacteristics & NX_COMPAT) !== 0,
    sections,
    ...(certificates && { certificates }),
    symbols: { offset: nt.pointerToSymbolTable, count: nt.numberOfSymbols },
    fileAlignment: optional.fileAlignment,
    sectionAlignment: optional.sectionAlignment,
    sizeOfHeaders: optional.sizeOfHeaders,
    headerOffset,
    sectionTableOffset,
  }
}

/** The section of that name, the first one where there are several. */
export function findSection(image: PeImage, name: string): PeSection | undefined {
  return image.sections.find((section) => section.name === name)
}

/** What a section holds, without the padding of the file. */
export function sectionContent(source: ByteSource, section: PeSection): ByteSource {
  const { offset, rawSize, virtualSize } = section
  return sliceSource(source, offset, virtualSize === 0 ? rawSize : Math.min(rawSize, virtualSize))
}

/** The specification's rules, and no more than 64 KiB as linkers have it: sizes are rounded up to these. */
function checkAlignments(
  { fileAlignment, sectionAlignment }: { fileAlignment: number; sectionAlignment: number },
  offset: number,
): void {
  const isPower = (value: number): boolean => value > 0 && (value & (value - 1)) === 0
  if (isPower(fileAlignment) && fileAlignment <= 65_536 && isPower(sectionAlignment)) return
  const message = `alignments of ${fileAlignment} and ${sectionAlignment} bytes`
  throw problem('FORMAT_INVALID', 'FileAlignment', message, offset + 0x20)
}

function readSection(source: ByteSource, table: Uint8Array, index: number, tableOffset: number): PeSection {
  const header = SectionHeader.read(table, index * SectionHeader.size)
  const { name, virtualSize, virtualAddress, sizeOfRawData, pointerToRawData, characteristics } = header
  // A section of zeros has no place in the file, and linkers leave anything in the field.
  const offset = sizeOfRawData === 0 ? 0 : pointerToRawData
  if (offset + sizeOfRawData > source.size) {
    throw problem(
      'FORMAT_TRUNCATED',
      `section ${JSON.stringify(name)}`,
      `it ends at ${offset + sizeOfRawData}, the file at ${source.size}`,
      tableOffset + index * SectionHeader.size,
      offset + sizeOfRawData,
      source.size,
    )
  }
  return { name, virtualAddress, virtualSize, offset, rawSize: sizeOfRawData, characteristics }
}

function findCertificates(
  source: ByteSource,
  optional: Uint8Array,
  directories: number,
  optionalOffset: number,
): PeImage['certificates'] {
  const place = OptionalHeader.size + CERTIFICATE_DIRECTORY * DataDirectory.size
  if (
    directories > MAX_DIRECTORIES ||
    OptionalHeader.size + directories * DataDirectory.size > optional.length
  ) {
    const message = `${directories} data directories in an optional header of ${optional.length} bytes`
    throw problem('FORMAT_INVALID', 'NumberOfRvaAndSizes', message, optionalOffset + 0x6c)
  }
  if (directories <= CERTIFICATE_DIRECTORY) return undefined
  const { virtualAddress: offset, size } = DataDirectory.read(optional, place)
  if (size === 0) return undefined
  if (offset + size > source.size) {
    const message = `signatures end at ${offset + size}, the file at ${source.size}`
    const at = optionalOffset + place
    throw problem(
      'FORMAT_TRUNCATED',
      'IMAGE_DIRECTORY_ENTRY_SECURITY',
      message,
      at,
      offset + size,
      source.size,
    )
  }
  return { offset, size }
}

async function readPart(
  source: ByteSource,
  offset: number,
  length: number,
  structure: string,
): Promise<Uint8Array> {
  if (offset + length > source.size) {
    const message = `${length} bytes are needed, the file ends at ${source.size}`
    throw problem('FORMAT_TRUNCATED', structure, message, offset, offset + length, source.size)
  }
  const bytes = new Uint8Array(length)
  await source.read(offset, bytes)
  return bytes
}

function problem(
  code: FormatErrorCode,
  structure: string,
  message: string,
  offset: number,
  expected?: unknown,
  actual?: unknown,
): FormatError {
  return new FormatError(
    code,
    { format: 'PE', structure, offset, ...(expected !== undefined && { expected, actual }) },
    message,
  )
}
