import { alignUp, BootableError, concatBytes, FormatError } from '@bootable/bytes'
import type { BootloaderErrorCode } from '../errors.ts'
import { encodeLzma } from '../lzma/encoder.ts'
import {
  BlockList,
  Decompressor,
  FIRST_BLOCK_LIST,
  LINK_ADDRESS,
  MAX_CORE_END,
  MAX_DECOMPRESSOR,
  SECTOR,
} from './format.ts'
import { loadKernel } from './kernel.ts'
import { encodeModuleArea, type ModuleAreaParts } from './module-area.ts'

/** The files of one build of GRUB that a core image is made of. */
export interface CoreImageFiles {
  /** `diskboot.img` */
  readonly diskboot: Uint8Array
  /** `lzma_decompress.img` */
  readonly decompressor: Uint8Array
  /** `kernel.img` */
  readonly kernel: Uint8Array
}

/** What a core image holds before it is compressed: GRUB's kernel and its module area. @throws FormatError */
export function encodePayload(kernel: Uint8Array, parts: ModuleAreaParts): Uint8Array {
  return concatBytes([loadKernel(kernel), encodeModuleArea(parts)])
}

/**
 * A core image as `grub-mkimage -O i386-pc` makes it: `diskboot.img`, the decompressor, and the payload as
 * an LZMA stream. It does not know yet where on a disk it will lie.
 *
 * @param compress for tests that have another encoder's stream
 * @throws FormatError; BootableError `BOOTLOADER_CORE_TOO_LARGE`
 */
export function encodeCoreImage(
  files: CoreImageFiles,
  parts: ModuleAreaParts,
  compress: (payload: Uint8Array) => Uint8Array = encodeLzma,
): Uint8Array {
  checkFiles(files)
  const payload = encodePayload(files.kernel, parts)
  const stream = compress(payload)
  const length = files.decompressor.length + stream.length
  if (LINK_ADDRESS + length > MAX_CORE_END) {
    const limit = MAX_CORE_END - LINK_ADDRESS
    throw new BootableError<BootloaderErrorCode>(
      'BOOTLOADER_CORE_TOO_LARGE',
      `GRUB's core image has ${length} bytes; a BIOS loads ${limit} at most`,
      { details: { size: length, limit, modules: parts.modules.length } },
    )
  }
  const core = concatBytes([files.diskboot, files.decompressor, stream])
  BlockList.write(core, FIRST_BLOCK_LIST, { length: Math.ceil(length / SECTOR) })
  Decompressor.write(core, SECTOR, { compressedSize: stream.length, uncompressedSize: payload.length })
  return core
}

/** @throws FormatError */
function checkFiles({ diskboot, decompressor }: CoreImageFiles): void {
  const fail = (structure: string, message: string): FormatError =>
    new FormatError('FORMAT_INVALID', { format: 'grub', structure }, message)
  if (diskboot.length !== SECTOR) {
    throw fail('diskboot.img', `${diskboot.length} bytes; it has ${SECTOR}`)
  }
  if (decompressor.length < Decompressor.size || decompressor.length > MAX_DECOMPRESSOR) {
    const text = `${decompressor.length} bytes; ${MAX_DECOMPRESSOR} are the most`
    throw fail('lzma_decompress.img', text)
  }
  const { jump, noRsLength } = Decompressor.read(decompressor)
  // A far jump over the fields; startup_raw.S has 0xffff where its build went wrong.
  if (jump[0] !== 0xea || noRsLength > decompressor.length) {
    throw fail('lzma_decompress.img', 'not the decompressor of GRUB')
  }
}

/** Bytes that a core image takes on a disk. */
export function coreImageSize(core: Uint8Array): number {
  return alignUp(core.length, SECTOR)
}
