import type { ByteSource } from '@bootable/bytes'
import { decodeUtf8, FormatError, readAll } from '@bootable/bytes'
import { parseOsRelease } from '@bootable/system'
import { findSection, type PeImage, type PeSection, readPe, sectionContent } from '../pe/reader.ts'

/** A unified kernel image as it describes itself. */
export interface UnifiedKernel {
  readonly image: PeImage
  /** What the kernel is started with; empty where nothing is built in. */
  readonly commandLine: string
  /** os-release(5), quotes removed; empty where there is none. */
  readonly osRelease: Readonly<Record<string, string>>
  /** Version of the kernel. */
  readonly uname?: string
}

/** No text in a unified kernel image comes near it: Linux itself takes 2 to 4 KiB of command line. */
const MAX_TEXT = 65_536

/**
 * Reads what a unified kernel image says about itself; kernel and initrd are left alone. Of several profiles
 * the first counts.
 * @throws FormatError also for an EFI program that has no kernel in it
 */
export async function readUki(source: ByteSource): Promise<UnifiedKernel> {
  const image = await readPe(source)
  if (!findSection(image, '.linux')) {
    const details = { format: 'UKI', structure: '.linux', actual: image.sections.map(({ name }) => name) }
    throw new FormatError('FORMAT_INVALID', details, 'an EFI program without a kernel in it')
  }
  const [commandLine = '', osRelease = '', uname] = await Promise.all(
    ['.cmdline', '.osrel', '.uname'].map((name) => readText(source, image, name)),
  )
  return {
    image,
    commandLine: commandLine.trim(),
    osRelease: parseOsRelease(osRelease),
    ...(uname !== undefined && { uname: uname.trim() }),
  }
}

async function readText(source: ByteSource, image: PeImage, name: string): Promise<string | undefined> {
  const section = findSection(image, name)
  if (!section) return undefined
  const content = sectionContent(source, section)
  if (content.size > MAX_TEXT) {
    const details = { format: 'UKI', structure: name, offset: section.offset, actual: content.size }
    throw new FormatError('FORMAT_INVALID', details, `${content.size} bytes of text, ${MAX_TEXT} are read`)
  }
  return decodeSection(await readAll(content), section)
}

/** The text of a section: up to the first zero, which some linkers put behind it. */
export function decodeSection(bytes: Uint8Array, { name, offset }: PeSection): string {
  const end = bytes.indexOf(0)
  const text = decodeUtf8(end < 0 ? bytes : bytes.subarray(0, end))
  if (text !== undefined) return text
  throw new FormatError('FORMAT_INVALID', { format: 'UKI', structure: name, offset }, 'not UTF-8')
}
