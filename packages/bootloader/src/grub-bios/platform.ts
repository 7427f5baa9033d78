import { decodeUtf8, readAll } from '@bootable/bytes'
import { type FileTree, findDirectory, findFile } from '@bootable/tree'
import { type Elf, readElf, readStrings } from './elf.ts'
import { type ModuleDependencies, missingModules, parseModuleDependencies } from './modules.ts'

/** Where every distribution keeps GRUB's files for a BIOS. */
export const BIOS_PLACE = 'usr/lib/grub/i386-pc'

/** Far more than any file of GRUB has; a larger one is something else. */
const MAX_FILE = 4 * 1024 * 1024

/** Whether an image ships GRUB for a BIOS. bootupd asks the same. */
export function shipsGrubBios(root: FileTree): boolean {
  return (findDirectory(root, BIOS_PLACE)?.entries.size ?? 0) > 0
}

/** GRUB's files for a BIOS or for EFI, read when they are asked for and kept. */
export interface GrubPlatform {
  /** @throws BootableError `BOOTLOADER_MODULES_MISSING` where there is none */
  file(name: string): Promise<Uint8Array>
  /** @throws FormatError; BootableError `BOOTLOADER_MODULES_MISSING` */
  module(name: string): Promise<GrubModule>
  /** What the given modules, and all that they need, need: by `moddep.lst`, else by the modules themselves. */
  dependencies(names: readonly string[]): Promise<ModuleDependencies>
  /** `grub_version` of `modinfo.sh`, such as `2.12`. */
  version(): Promise<string | undefined>
}

/** A module as a file and as what is in it. */
export interface GrubModule {
  readonly name: string
  readonly data: Uint8Array
  readonly elf: Elf
}

/** @param bits of the ELF files: 32 for a BIOS, 64 for EFI */
export function openGrubPlatform(root: FileTree, place = BIOS_PLACE, bits: Elf['bits'] = 32): GrubPlatform {
  const files = new Map<string, Uint8Array>()
  const find = async (name: string): Promise<Uint8Array | undefined> => {
    const kept = files.get(name)
    if (kept) return kept
    const found = findFile(root, `${place}/${name}`)
    if (!found) return undefined
    const data = await readAll(found.content, MAX_FILE)
    files.set(name, data)
    return data
  }
  const file = async (name: string): Promise<Uint8Array> => {
    const data = await find(name)
    if (data) return data
    throw missingModules([`/${place}/${name}`])
  }
  const module = async (name: string): Promise<GrubModule> => {
    const data = await file(`${name}.mod`)
    const elf = readElf(data, `${name}.mod`, bits)
    return { name, data, elf }
  }
  return {
    file,
    module,
    async dependencies(names) {
      const list = await find('moddep.lst')
      if (list) return parseModuleDependencies(decodeUtf8(list) ?? '')
      const dependencies = new Map<string, readonly string[]>()
      const queue = [...names]
      for (const name of queue) {
        if (dependencies.has(name)) continue
        const needed = readStrings((await module(name)).elf, '.moddeps')
        dependencies.set(name, needed)
        queue.push(...needed)
      }
      return dependencies
    },
    async version() {
      const text = decodeUtf8((await find('modinfo.sh')) ?? new Uint8Array()) ?? ''
      return /^grub_version="([^"]+)"/m.exec(text)?.[1]
    },
  }
}
