import type { ByteSource, FormatErrorCode } from '@bootable/bytes'
import { decodeUtf8, FormatError, uuidFromBytes } from '@bootable/bytes'
import { MAGIC, PAGE_SIZES, SwapHeader, VERSION } from './format.ts'
import type { SwapArea } from './writer.ts'

/**
 * Reads the header of a swap area; the size of its pages is where the magic number says it is.
 *
 * @throws FormatError on anything but a whole swap area of version 1, little-endian
 */
export async function readSwap(source: ByteSource): Promise<SwapArea> {
  const pageSize = await findPageSize(source)
  const header = new Uint8Array(SwapHeader.size)
  await source.read(0, header)
  const { version, lastPage, nrBadpages, uuid } = SwapHeader.read(header)
  if (version !== VERSION) throw swapError('FORMAT_UNSUPPORTED', 'version', 0x400, `${version}, expected 1`)
  const { volume } = SwapHeader.fields
  const end = header.indexOf(0, volume.offset)
  const raw = header.subarray(volume.offset, Math.min(end < 0 ? header.length : end, volume.offset + 16))
  const label = decodeUtf8(raw)
  if (label === undefined) throw swapError('FORMAT_INVALID', 'sws_volume', volume.offset, 'it is not UTF-8')
  if (lastPage === 0 || nrBadpages >= lastPage) {
    throw swapError('FORMAT_INVALID', 'last_page', 0x404, `${lastPage}, with ${nrBadpages} bad pages`)
  }
  if ((lastPage + 1) * pageSize > source.size) {
    const needed = (lastPage + 1) * pageSize
    throw swapError('FORMAT_TRUNCATED', 'last_page', 0x404, `${needed} bytes of ${source.size} are there`)
  }
  return { uuid: uuidFromBytes(uuid), label, pageSize, size: (lastPage - nrBadpages) * pageSize }
}

/** Tells whether a source holds a swap area, by its magic number alone. */
export async function isSwap(source: ByteSource): Promise<boolean> {
  for (const pageSize of PAGE_SIZES) if (await hasMagic(source, pageSize)) return true
  return false
}

async function findPageSize(source: ByteSource): Promise<number> {
  for (const pageSize of PAGE_SIZES) if (await hasMagic(source, pageSize)) return pageSize
  const smallest = PAGE_SIZES[0]
  if (source.size < smallest) {
    throw swapError('FORMAT_TRUNCATED', 'swap_header', 0, `${source.size} bytes are no page`)
  }
  const text = `no "${MAGIC}" at the end of a page of any size`
  throw swapError('FORMAT_INVALID', 'magic', smallest - MAGIC.length, text)
}

async function hasMagic(source: ByteSource, pageSize: number): Promise<boolean> {
  if (source.size < pageSize) return false
  const magic = new Uint8Array(MAGIC.length)
  await source.read(pageSize - MAGIC.length, magic)
  return String.fromCharCode(...magic) === MAGIC
}

function swapError(code: FormatErrorCode, structure: string, offset: number, message: string): FormatError {
  return new FormatError(code, { format: 'swap', structure, offset }, message)
}
