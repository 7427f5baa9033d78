import { alignUp, concatBytes, FormatError, type FormatErrorCode, utf8 } from '@bootable/bytes'
import { MODULE_MAGIC, ModuleHeader, ModuleInfo32, ModuleInfo64, OBJ_TYPE } from './format.ts'

/** Something that GRUB finds behind its kernel. */
export interface ModuleObject {
  readonly type: number
  /** Of a file, padded with zeros. */
  readonly content: Uint8Array
}

/** What goes into a GRUB image besides its kernel. */
export interface ModuleAreaParts {
  /** ELF files, each after those that it needs. */
  readonly modules: readonly Uint8Array[]
  /** Commands that run before GRUB looks for its files. */
  readonly config?: string
  /** Where it looks for them. */
  readonly prefix: string
}

/** Bytes of a word: 4 on a BIOS, 8 in images for 64-bit EFI. */
export type WordSize = 4 | 8

/** Modules, configuration and prefix in the order of `grub_install_generate_image`. */
export function encodeModuleArea(parts: ModuleAreaParts, wordSize: WordSize = 4): Uint8Array {
  const { modules, config, prefix } = parts
  const objects = [
    ...modules.map((content) => encodeObject(OBJ_TYPE.elf, content, wordSize)),
    ...(config === undefined ? [] : [encodeObject(OBJ_TYPE.config, utf8(`${config}\0`), wordSize)]),
    encodeObject(OBJ_TYPE.prefix, utf8(`${prefix}\0`), wordSize),
  ]
  const info = wordSize === 4 ? ModuleInfo32 : ModuleInfo64
  const size = objects.reduce((sum, { length }) => sum + length, info.size)
  return concatBytes([info.encode({ magic: MODULE_MAGIC, offset: info.size, size }), ...objects])
}

function encodeObject(type: number, content: Uint8Array, wordSize: WordSize): Uint8Array {
  const object = new Uint8Array(ModuleHeader.size + alignUp(content.length, wordSize))
  ModuleHeader.write(object, 0, { type, size: object.length })
  object.set(content, ModuleHeader.size)
  return object
}

/** Reads what {@link encodeModuleArea} writes for a BIOS. @throws FormatError */
export function decodeModuleArea(area: Uint8Array): ModuleObject[] {
  const fail = (code: FormatErrorCode, offset: number, message: string): FormatError =>
    new FormatError(code, { format: 'grub', structure: 'module area', offset }, message)
  const { magic, offset, size } = ModuleInfo32.read(area)
  if (magic !== MODULE_MAGIC) throw fail('FORMAT_INVALID', 0, `it begins with ${magic}, not ${MODULE_MAGIC}`)
  if (size > area.length)
    throw fail('FORMAT_TRUNCATED', 8, `${size} bytes, of which ${area.length} are there`)
  const objects: ModuleObject[] = []
  for (let at = offset; at < size; ) {
    const header = ModuleHeader.read(area.subarray(0, size), at)
    if (header.size < ModuleHeader.size || at + header.size > size) {
      throw fail('FORMAT_INVALID', at, `an object of ${header.size} bytes; the area ends at ${size}`)
    }
    objects.push({ type: header.type, content: area.subarray(at + ModuleHeader.size, at + header.size) })
    at = alignUp(at + header.size, 4)
  }
  return objects
}
