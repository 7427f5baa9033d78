import { alignUp, BootableError } from '@bootable/bytes'
import type { BootloaderErrorCode } from '../errors.ts'
import { SectionHeader } from '../pe/format.ts'
import type { PeImage } from '../pe/reader.ts'

/** A section that is added to a stub, with its place. Offsets and sizes count bytes. */
export interface PlacedSection {
  readonly name: string
  readonly virtualAddress: number
  /** Of the content. */
  readonly size: number
  readonly offset: number
  /** `size`, padded. */
  readonly rawSize: number
}

/** Where everything of a unified kernel image goes. */
export interface UkiLayout {
  /** Bytes of the stub in front of its first section. */
  readonly headers: number
  /** Bytes put in behind them, by which every section of the stub moves. */
  readonly inserted: number
  readonly sections: readonly PlacedSection[]
  readonly fileSize: number
  readonly sizeOfImage: number
}

/** Sections lie on pages, whatever the stub's own alignment: memory is protected by pages. */
const PAGE = 0x1000
/** Offsets and addresses are 32-bit. */
const MAX_OFFSET = 0xffff_ffff

/**
 * Finds the places of new sections behind those of a stub.
 * @param end bytes of the stub in the file
 * @throws BootableError `BOOTLOADER_UKI_IMPOSSIBLE`
 */
export function layoutUki(
  stub: PeImage,
  end: number,
  contents: readonly { readonly name: string; readonly size: number }[],
): UkiLayout {
  const { fileAlignment, sectionAlignment, sizeOfHeaders, sectionTableOffset } = stub
  const inFile = stub.sections.filter(({ rawSize }) => rawSize > 0)
  const headers = Math.min(end, ...inFile.map(({ offset }) => offset))
  const firstAddress = Math.min(...stub.sections.map(({ virtualAddress }) => virtualAddress))
  const tableEnd = sectionTableOffset + SectionHeader.size * (stub.sections.length + contents.length)
  const inserted = alignUp(Math.max(0, tableEnd - Math.min(sizeOfHeaders, headers)), fileAlignment)
  if (sizeOfHeaders + inserted > firstAddress) {
    throw impossible(
      `the stub has no room for the headers of ${contents.length} more sections: they would end at ${sizeOfHeaders + inserted}, its first section is loaded at ${firstAddress}`,
      { sizeOfHeaders, inserted, firstAddress },
    )
  }

  let offset = alignUp(end + inserted, fileAlignment)
  let address = Math.max(...stub.sections.map((section) => section.virtualAddress + section.virtualSize))
  const sections = contents.map(({ name, size }): PlacedSection => {
    const virtualAddress = alignUp(address, Math.max(sectionAlignment, PAGE))
    const placed = { name, virtualAddress, size, offset, rawSize: alignUp(size, fileAlignment) }
    offset += placed.rawSize
    address = virtualAddress + size
    return placed
  })
  const sizeOfImage = alignUp(address, sectionAlignment)
  if (Math.max(offset, sizeOfImage) > MAX_OFFSET) {
    throw impossible(`a unified kernel image of ${offset} bytes: EFI programs end below 4 GiB`, {
      size: offset,
    })
  }
  return { headers, inserted, sections, fileSize: offset, sizeOfImage }
}

/** What stands in the way of a unified kernel image. */
export function impossible(
  message: string,
  details: Readonly<Record<string, unknown>>,
  hint?: string,
): BootableError<BootloaderErrorCode> {
  return new BootableError<BootloaderErrorCode>('BOOTLOADER_UKI_IMPOSSIBLE', message, {
    details,
    ...(hint !== undefined && { hint }),
  })
}
