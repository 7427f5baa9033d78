import type { ByteSource } from '@bootable/bytes'
import { memorySource, type SparseExtent, sparseSource, utf8 } from '@bootable/bytes'
import {
  LOCAL_SYMS_STRIPPED,
  NtHeaders,
  NX_COMPAT,
  OptionalHeader,
  SCN_CNT_CODE,
  SCN_CNT_INITIALIZED_DATA,
  SCN_MEM_READ,
  SectionHeader,
  SYMBOL_SIZE,
} from '../pe/format.ts'
import { findSection, type PeImage, readPe } from '../pe/reader.ts'
import { impossible, layoutUki, type UkiLayout } from './layout.ts'
import { mergeSbat } from './sbat.ts'

/** What a unified kernel image is made of. */
export interface UkiParts {
  /** systemd-stub: `linux<arch>.efi.stub`. */
  readonly stub: ByteSource
  /** A kernel that is an EFI program itself. */
  readonly kernel: ByteSource
  readonly initrd?: ByteSource
  readonly commandLine?: string
  /** The text of os-release(5): boot loaders take the title of their menu from it, and list no image without. */
  readonly osRelease: ByteSource
  /** Version of the kernel. */
  readonly uname?: string
  /** A picture in the BMP format, shown while the kernel starts. */
  readonly splash?: ByteSource
  /** Generations for shim's revocations, as CSV, added to those of the stub. */
  readonly sbat?: string
}

/** A section's header and what else changes in the headers of the stub. */
interface Edits {
  readonly layout: UkiLayout
  /** Bytes of the stub that are used: its symbol table is not. */
  readonly end: number
  readonly isNxCompatible: boolean
  /** Section that gets another content. */
  readonly replaced?: { readonly index: number; readonly content: Uint8Array }
}

/**
 * Makes a unified kernel image (UAPI group, "Unified Kernel Image (UKI)"): an EFI program that holds kernel,
 * initrd and command line, as `ukify build` does. Contents are read when the result is read; no more than
 * headers is in memory. It is not signed.
 *
 * @throws FormatError for a stub or a kernel that is no EFI program
 * @throws BootableError `BOOTLOADER_UKI_IMPOSSIBLE` for a stub that is signed, or has no room, or starts
 * another processor than the kernel
 */
export async function writeUki(parts: UkiParts): Promise<ByteSource> {
  const { stub, kernel } = parts
  const [image, inner] = await Promise.all([readPe(stub), readPe(kernel)])
  checkParts(image, inner)

  const sbat = parts.sbat === undefined ? undefined : await mergeSbat(stub, image, parts.sbat)
  const index = image.sections.findIndex(({ name }) => name === '.sbat')
  const text = (value: string | undefined): ByteSource => memorySource(utf8(value ?? ''))
  const candidates: [name: string, content: ByteSource | undefined][] = [
    ['.osrel', parts.osRelease],
    ['.cmdline', text(parts.commandLine)],
    ['.uname', text(parts.uname)],
    ['.splash', parts.splash],
    ['.sbat', sbat && index < 0 ? memorySource(sbat) : undefined],
    ['.initrd', parts.initrd],
    // Last: kernels that know no LoadFile2 are run where they lie and may want the room behind them.
    ['.linux', kernel],
  ]
  const contents = candidates.flatMap(([name, source]) =>
    source && source.size > 0 ? [{ name, source, size: source.size }] : [],
  )
  const end = await usedBytes(stub, image)
  const layout = layoutUki(image, end, contents)
  const replaced = sbat && index >= 0 ? { index, content: sbat } : undefined
  const { isNxCompatible } = inner
  const edits: Edits = { layout, end, isNxCompatible, ...(replaced && { replaced }) }

  const extents = [
    ...(await stubExtents(stub, image, edits)),
    ...layout.sections.map(({ offset, size }, position): SparseExtent => {
      const { source } = contents[position] as { source: ByteSource }
      return { offset, length: size, source, sourceOffset: 0 }
    }),
  ]
  return sparseSource(layout.fileSize, extents)
}

function checkParts(stub: PeImage, kernel: PeImage): void {
  if (stub.certificates) {
    throw impossible('the stub is signed; with a kernel in it the signature would be wrong', {
      certificates: stub.certificates,
    })
  }
  const taken = ['.linux', '.osrel', '.cmdline', '.initrd'].find((name) => findSection(stub, name))
  if (stub.sections.length === 0 || taken !== undefined) {
    const message =
      taken === undefined ? 'the stub has no sections' : `the stub has a section ${taken} already`
    throw impossible(message, { sections: stub.sections.map(({ name }) => name) })
  }
  if (stub.machine !== kernel.machine) {
    const [a, b] = [stub, kernel].map(({ machine }) => `0x${machine.toString(16)}`)
    throw impossible(`the stub is for machines of type ${a}, the kernel for ${b}`, {
      stub: stub.machine,
      kernel: kernel.machine,
    })
  }
}

/** Bytes of the stub without a symbol table at its end: linkers leave one, EFI programs should have none. */
async function usedBytes(stub: ByteSource, image: PeImage): Promise<number> {
  const { offset, count } = image.symbols
  if (offset === 0) return stub.size
  const stringTable = offset + count * SYMBOL_SIZE
  let end = stringTable
  if (stringTable + 4 <= stub.size) {
    const length = new Uint8Array(4)
    await stub.read(stringTable, length)
    end += new DataView(length.buffer).getUint32(0, true)
  }
  const isLast =
    end === stub.size && image.sections.every((section) => section.offset + section.rawSize <= offset)
  return isLast ? offset : stub.size
}

/** The stub with new headers; what stands in front of its first section is in memory. */
async function stubExtents(stub: ByteSource, image: PeImage, edits: Edits): Promise<SparseExtent[]> {
  const { end, replaced } = edits
  const { headers, inserted } = edits.layout
  const bytes = new Uint8Array(headers + inserted)
  await stub.read(0, bytes.subarray(0, headers))
  editHeaders(bytes, image, edits)

  const rest = (from: number, to: number): SparseExtent[] =>
    from < to ? [{ offset: from + inserted, length: to - from, source: stub, sourceOffset: from }] : []
  const front: SparseExtent = {
    offset: 0,
    length: bytes.length,
    source: memorySource(bytes),
    sourceOffset: 0,
  }
  if (!replaced) return [front, ...rest(headers, end)]
  const { offset, rawSize } = image.sections[replaced.index] as PeImage['sections'][number]
  const content = new Uint8Array(rawSize)
  content.set(replaced.content)
  return [
    front,
    ...rest(headers, offset),
    { offset: offset + inserted, length: rawSize, source: memorySource(content), sourceOffset: 0 },
    ...rest(offset + rawSize, end),
  ]
}

function editHeaders(bytes: Uint8Array, image: PeImage, edits: Edits): void {
  const { layout, end, replaced } = edits
  const { inserted, sections } = layout
  const nt = NtHeaders.at(bytes, image.headerOffset)
  nt.numberOfSections += sections.length
  if (image.symbols.offset === end) {
    nt.pointerToSymbolTable = 0
    nt.numberOfSymbols = 0
    nt.characteristics |= LOCAL_SYMS_STRIPPED
  } else if (image.symbols.offset !== 0) nt.pointerToSymbolTable += inserted

  const optional = OptionalHeader.at(bytes, image.headerOffset + NtHeaders.size)
  optional.sizeOfInitializedData += sections.reduce((sum, { size }) => sum + size, 0)
  optional.sizeOfImage = layout.sizeOfImage
  optional.sizeOfHeaders += inserted
  optional.checkSum = 0
  if (!edits.isNxCompatible) optional.dllCharacteristics &= ~NX_COMPAT

  const header = SectionHeader.at(bytes)
  for (const [index, { rawSize }] of image.sections.entries()) {
    header.base = image.sectionTableOffset + index * SectionHeader.size
    if (rawSize > 0) header.pointerToRawData += inserted
    if (replaced?.index === index) header.virtualSize = replaced.content.length
  }
  for (const [index, section] of sections.entries()) {
    const base = image.sectionTableOffset + (image.sections.length + index) * SectionHeader.size
    SectionHeader.write(bytes, base, {
      name: section.name,
      virtualSize: section.size,
      virtualAddress: section.virtualAddress,
      sizeOfRawData: section.rawSize,
      pointerToRawData: section.offset,
      pointerToRelocations: 0,
      pointerToLinenumbers: 0,
      numberOfRelocations: 0,
      numberOfLinenumbers: 0,
      characteristics: SCN_MEM_READ | (section.name === '.linux' ? SCN_CNT_CODE : SCN_CNT_INITIALIZED_DATA),
    })
  }
}
