import { BootableError } from '@bootable/bytes'
import type { BootloaderErrorCode } from '../errors.ts'

/** What each module needs, by name. */
export type ModuleDependencies = ReadonlyMap<string, readonly string[]>

/** Reads `moddep.lst`: a line a module, `name: needed needed`. */
export function parseModuleDependencies(text: string): ModuleDependencies {
  const dependencies = new Map<string, readonly string[]>()
  for (const line of text.split('\n')) {
    const [, name, needed = ''] = /^\s*([^:\s]+)\s*:(.*)$/.exec(line) ?? []
    if (name !== undefined)
      dependencies.set(
        name,
        needed.split(/\s+/).filter((word) => word !== ''),
      )
  }
  return dependencies
}

/**
 * The modules in an order in which they can be loaded one after the other: each after what it needs. It is
 * the order of `grub_util_resolve_dependencies`, which walks the needs of a module from the last to the
 * first.
 *
 * @throws BootableError `BOOTLOADER_MODULES_MISSING`, `BOOTLOADER_MODULES_MIXED` where modules need each
 * other in a circle
 */
export function resolveModules(requested: readonly string[], dependencies: ModuleDependencies): string[] {
  const resolved = new Set<string>()
  const path: string[] = []
  const add = (name: string): void => {
    if (resolved.has(name)) return
    if (path.includes(name)) {
      throw new BootableError<BootloaderErrorCode>(
        'BOOTLOADER_MODULES_MIXED',
        `GRUB modules need each other in a circle: ${[...path, name].join(' → ')}`,
        { details: { modules: [...path, name] } },
      )
    }
    const needed = dependencies.get(name)
    if (!needed) throw missingModules([name], path.at(-1))
    path.push(name)
    for (const other of [...needed].reverse()) add(other)
    path.pop()
    resolved.add(name)
  }
  for (const name of requested) add(name)
  return [...resolved]
}

/** @param dependent the module that asks for them */
export function missingModules(
  names: readonly string[],
  dependent?: string,
): BootableError<BootloaderErrorCode> {
  const by = dependent === undefined ? '' : `, which ${dependent} needs`
  return new BootableError<BootloaderErrorCode>(
    'BOOTLOADER_MODULES_MISSING',
    `the image's GRUB is incomplete: there is no ${names.join(', ')}${by}`,
    {
      details: { missing: names },
      hint: 'reinstall the package with GRUB’s modules in the image (grub2-pc-modules, grub-pc-bin; for UEFI grub2-efi-x64-modules, grub-efi-amd64-bin)',
    },
  )
}
