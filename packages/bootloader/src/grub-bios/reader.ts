import { type ByteSource, FormatError, type FormatErrorCode } from '@bootable/bytes'
import { decodeLzma } from '../lzma/decoder.ts'
import { latin1, readElf32, readStrings } from './elf.ts'
import {
  BlockList,
  BOOT_SIGNATURE,
  BootSector,
  Decompressor,
  FIRST_BLOCK_LIST,
  KERNEL_ADDRESS,
  LINK_ADDRESS,
  MAX_CORE_END,
  MAX_DECOMPRESSOR,
  MODULE_MAGIC,
  OBJ_TYPE,
  SECTOR,
} from './format.ts'
import { decodeModuleArea } from './module-area.ts'

/** The GRUB that a BIOS starts from a disk. */
export interface GrubBootCode {
  /** Sector of its core image. */
  readonly firstSector: number
  /** Bytes of the core image. */
  readonly size: number
  /** Bytes of GRUB's kernel before compression. */
  readonly kernelSize: number
  /** Names of the modules in it, each after those that it needs. */
  readonly modules: readonly string[]
  /** Commands that run before GRUB looks for its files. */
  readonly config?: string
  /** Where it looks for them. */
  readonly prefix?: string
}

/** GRUB's own images are a tenth of it; the decompressor runs in the memory of the smallest machines. */
const MAX_PAYLOAD = 16 * 1024 * 1024

/** GRUB's boot sector says so where it prints its name. */
const NAME = 'GRUB \0'

/**
 * Reads what a BIOS would start: the boot sector, and the core image where that says it is.
 *
 * @param disk with sectors of 512 bytes
 * @returns `undefined` where the boot sector is not GRUB's
 * @throws FormatError for a GRUB that could not start
 */
export async function readBootCode(disk: ByteSource): Promise<GrubBootCode | undefined> {
  const sector = new Uint8Array(SECTOR)
  await disk.read(0, sector)
  const { signature, kernelAddress } = BootSector.at(sector)
  const isGrub =
    signature === BOOT_SIGNATURE && kernelAddress === KERNEL_ADDRESS && latin1(sector).includes(NAME)
  if (!isGrub) return undefined
  const firstSector = BootSector.read(sector).kernelSector
  const core = await readCore(disk, firstSector)
  const payload = decompress(core)
  const kernelSize = findModuleArea(payload)
  const objects = decodeModuleArea(payload.subarray(kernelSize))
  const text = (type: number): string | undefined => {
    const found = objects.find((object) => object.type === type)
    return found && latin1(found.content).replace(/\0.*$/s, '')
  }
  const [config, prefix] = [text(OBJ_TYPE.config), text(OBJ_TYPE.prefix)]
  return {
    firstSector,
    size: core.length,
    kernelSize,
    modules: objects
      .filter(({ type }) => type === OBJ_TYPE.elf)
      .map(({ content }) => readStrings(readElf32(content, 'module'), '.modname')[0] ?? ''),
    ...(config !== undefined && { config }),
    ...(prefix !== undefined && { prefix }),
  }
}

/** The core image, by its block list. */
async function readCore(disk: ByteSource, firstSector: number): Promise<Uint8Array> {
  const first = new Uint8Array(SECTOR)
  await disk.read(firstSector * SECTOR, first)
  const parts: { readonly start: number; readonly length: number }[] = []
  let total = 0
  for (let at = FIRST_BLOCK_LIST; at >= 0; at -= BlockList.size) {
    const { start, length } = BlockList.read(first, at)
    if (length === 0) break
    total += length * SECTOR
    if (total > MAX_CORE_END) {
      throw coreError('FORMAT_INVALID', at, `${total} bytes; a BIOS loads ${MAX_CORE_END} at most`)
    }
    parts.push({ start, length })
  }
  const core = new Uint8Array(SECTOR + total)
  core.set(first)
  let done = SECTOR
  for (const { start, length } of parts) {
    await disk.read(start * SECTOR, core.subarray(done, done + length * SECTOR))
    done += length * SECTOR
  }
  return core
}

function decompress(core: Uint8Array): Uint8Array {
  const { uncompressedSize, jump } = Decompressor.read(core, SECTOR)
  if (jump[0] !== 0xea) throw coreError('FORMAT_UNSUPPORTED', SECTOR, 'it is not compressed by LZMA')
  if (uncompressedSize > MAX_PAYLOAD) {
    throw coreError('FORMAT_INVALID', SECTOR, `${uncompressedSize} bytes before compression`)
  }
  const start = SECTOR + streamOffset(core.subarray(SECTOR))
  return decodeLzma(core.subarray(start), uncompressedSize)
}

/**
 * Where the stream begins is built into the decompressor, as an immediate of `movl $LZMA, %esi` in
 * 32-bit code: the address at which the byte behind the code will lie.
 */
function streamOffset(decompressor: Uint8Array): number {
  const view = new DataView(decompressor.buffer, decompressor.byteOffset, decompressor.length)
  for (let at = Decompressor.size; at + 5 <= Math.min(MAX_DECOMPRESSOR, decompressor.length); at++) {
    const offset = view.getUint32(at + 1, true) - DECOMPRESSOR_ADDRESS
    const isMove = decompressor[at] === 0xbe && offset > at && offset <= MAX_DECOMPRESSOR
    // Every stream of a range coder begins with a zero byte.
    if (isMove && decompressor[offset] === 0) return offset
  }
  throw coreError('FORMAT_UNSUPPORTED', SECTOR, 'the LZMA stream is not found')
}

/** `GRUB_BOOT_MACHINE_KERNEL_ADDR` + one sector. */
const DECOMPRESSOR_ADDRESS = 0x8200

/** GRUB's kernel knows its own length; on the disk the module area is found by its magic number. */
function findModuleArea(payload: Uint8Array): number {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length)
  for (let at = 0; at + 12 <= payload.length; at++) {
    const isHeader = view.getUint32(at, true) === MODULE_MAGIC && view.getUint32(at + 4, true) === 12
    if (isHeader && at + view.getUint32(at + 8, true) === payload.length) return at
  }
  throw coreError('FORMAT_INVALID', LINK_ADDRESS, 'there is no module area behind the kernel')
}

function coreError(code: FormatErrorCode, offset: number, message: string): FormatError {
  return new FormatError(code, { format: 'grub', structure: 'core image', offset }, message)
}
