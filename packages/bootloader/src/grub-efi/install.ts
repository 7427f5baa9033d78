import type { Architecture, InstalledSystem } from '@bootable/system'
import { createFile, findFile } from '@bootable/tree'
import type { EfiNames } from '../efi/names.ts'
import { putOnPartition } from '../efi/partition.ts'
import { compareVersions } from '../efi/versions.ts'
import { storageModules } from '../grub/readable.ts'
import { resolveModules } from '../grub-bios/modules.ts'
import { checkOneBuild } from '../grub-bios/one-build.ts'
import { openGrubPlatform } from '../grub-bios/platform.ts'
import { copyPlatform, whereFilesAre } from '../grub-bios/platform-files.ts'
import { type Installation, requireEsp } from '../installation.ts'
import { encodeEfiImage } from './image.ts'
import { linkKernel } from './kernel.ts'

/** Where distributions keep GRUB's modules for EFI. Other processors link their kernels in other ways. */
const MODULE_PLACES: Partial<Record<Architecture, string>> = { x86_64: 'usr/lib/grub/x86_64-efi' }

/** The first version that says of itself that it lives with the strict memory of newer firmware. */
const FIRST_NX_COMPATIBLE = '2.14'

/** Where the image has modules of which a GRUB for EFI can be made. */
export function findEfiModules({ root, architecture }: InstalledSystem): string | undefined {
  const place = MODULE_PLACES[architecture]
  return place !== undefined && findFile(root, `${place}/kernel.img`) ? place : undefined
}

/**
 * Makes a GRUB for EFI of the image's modules and puts it where firmware looks, as
 * `grub-install --target=x86_64-efi --removable` does. It is not signed.
 *
 * @param place where the image has the modules
 * @param directory GRUB's directory in the sysroot, such as `boot/grub2`
 * @throws BootableError `BOOTLOADER_MODULES_MISSING`, `BOOTLOADER_MODULES_MIXED`,
 * `BOOTLOADER_UNSUPPORTED`; FormatError. Nothing has been changed by then
 */
export async function installGrubEfi(
  installation: Installation,
  names: EfiNames,
  place: string,
  directory: string,
): Promise<void> {
  const { system, clock, signal } = installation
  const platform = openGrubPlatform(system.root, place, 64)
  const requested = [...storageModules(installation), 'search_fs_uuid']
  const dependencies = await platform.dependencies(requested)
  const resolved = resolveModules(requested, dependencies)
  const kernel = await platform.file('kernel.img')
  await checkOneBuild(platform, resolved, dependencies, linkKernel(kernel).content)
  signal?.throwIfAborted()

  const modules: Uint8Array[] = []
  for (const name of resolved) modules.push((await platform.module(name)).data)
  const version = (await platform.version()) ?? ''
  const isNxCompatible = compareVersions(version, FIRST_NX_COMPATIBLE) >= 0
  const parts = { modules, ...whereFilesAre(installation, directory) }
  const program = createFile(encodeEfiImage(kernel, parts, { isNxCompatible }), { mode: 0o755, mtime: clock })

  putOnPartition(system.sysroot, requireEsp(installation), `EFI/BOOT/${names.removable}`, program, {
    mtime: clock,
  })
  copyPlatform(installation, place, `${directory}/${place.slice(place.lastIndexOf('/') + 1)}`)
}
