import type { ByteSource } from '@bootable/bytes'
import { readAll, utf8 } from '@bootable/bytes'
import { findSection, type PeImage, type PeSection, sectionContent } from '../pe/reader.ts'
import { impossible } from './layout.ts'
import { decodeSection } from './reader.ts'

/** The first line of every table (shim, SBAT.md). */
const HEADER = /^sbat,/

/**
 * The stub's table of generations with further lines in it. It takes the place of the stub's own, so it has
 * to fit in there.
 * @throws BootableError `BOOTLOADER_UKI_IMPOSSIBLE`
 */
export async function mergeSbat(stub: ByteSource, image: PeImage, added: string): Promise<Uint8Array> {
  const section = findSection(image, '.sbat')
  const own = section ? decodeSection(await readAll(sectionContent(stub, section)), section) : ''
  const lines = `${own}\n${added}`.split('\n').filter((line) => line !== '')
  const [first] = lines.filter((line) => HEADER.test(line))
  const merged = [...(first === undefined ? [] : [first]), ...lines.filter((line) => !HEADER.test(line))]
  const content = utf8(`${[...new Set(merged)].join('\n')}\n`)
  if (section && content.length > room(image, section)) {
    throw impossible(
      `the stub has room for ${room(image, section)} bytes of SBAT, ${content.length} are there`,
      { size: content.length, room: room(image, section) },
    )
  }
  return content
}

/** What a section can grow to without moving another. */
function room(image: PeImage, { rawSize, virtualAddress }: PeSection): number {
  const above = image.sections.map((other) => other.virtualAddress).filter((other) => other > virtualAddress)
  return Math.min(rawSize, ...above.map((other) => other - virtualAddress))
}
