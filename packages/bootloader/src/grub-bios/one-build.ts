import { BootableError } from '@bootable/bytes'
import type { BootloaderErrorCode } from '../errors.ts'
import { latin1, readStrings, readSymbols } from './elf.ts'
import { loadKernel } from './kernel.ts'
import { type ModuleDependencies, resolveModules } from './modules.ts'
import type { GrubPlatform } from './platform.ts'

/** What GRUB loads from the disk before it shows a menu. */
const FIRST_MODULES = ['normal']

/**
 * Refuses files of two builds of GRUB, with which the machine would stop in GRUB's rescue shell, or crash:
 *
 * * every symbol that a module needs is one of the kernel's or of a module before it
 * * modules say of themselves that they need what `moddep.lst` says
 * * the version in the `normal` module is that of `modinfo.sh`
 *
 * Looked at are the modules of the core image and those that are loaded before the menu. Builds of one
 * version whose symbols are the same cannot be told apart; they also work together.
 *
 * @param kernelImage what the kernel is in memory; missing for that of a BIOS
 * @throws BootableError `BOOTLOADER_MODULES_MIXED`, `BOOTLOADER_MODULES_MISSING`; FormatError
 */
export async function checkOneBuild(
  platform: GrubPlatform,
  embedded: readonly string[],
  dependencies: ModuleDependencies,
  kernelImage?: Uint8Array,
): Promise<void> {
  const first = FIRST_MODULES.filter((name) => dependencies.has(name))
  // The names of what the kernel exports stand in it, each with a NUL behind it.
  const kernel = latin1(kernelImage ?? loadKernel(await platform.file('kernel.img')))
  const defined = new Set<string>()
  for (const name of resolveModules([...embedded, ...first], dependencies)) {
    const { elf } = await platform.module(name)
    const needed = readStrings(elf, '.moddeps')
    const listed = dependencies.get(name) ?? []
    if ([...needed].sort().join() !== [...listed].sort().join()) {
      throw mixed(
        `${name}.mod needs ${needed.join(' ') || 'nothing'}, moddep.lst says ${listed.join(' ') || 'nothing'}`,
      )
    }
    const symbols = readSymbols(elf)
    const unknown = symbols.undefined.filter(
      (symbol) => !defined.has(symbol) && !kernel.includes(`${symbol}\0`),
    )
    if (unknown.length > 0) {
      throw mixed(`${name}.mod needs ${unknown.join(', ')}, which neither kernel.img nor its modules have`)
    }
    for (const symbol of symbols.defined) defined.add(symbol)
    if (name === 'normal') checkVersion(elf.sections, await platform.version())
  }
}

function checkVersion(
  sections: readonly { readonly content: Uint8Array }[],
  version: string | undefined,
): void {
  if (version === undefined) return
  const texts = sections.flatMap(({ content }) => latin1(content).split('\0'))
  const versions = texts.filter((text) => /^\d\.\d\d[\w.+~:-]*$/.test(text))
  if (versions.length === 0 || versions.some((text) => text.startsWith(version))) return
  throw mixed(`normal.mod is of GRUB ${versions.join(', ')}, modinfo.sh of ${version}`)
}

function mixed(message: string): BootableError<BootloaderErrorCode> {
  return new BootableError('BOOTLOADER_MODULES_MIXED', `the image's GRUB is of two builds: ${message}`, {
    hint: 'reinstall the package with GRUB’s modules in the image',
  })
}
