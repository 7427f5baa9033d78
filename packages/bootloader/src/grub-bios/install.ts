import type { BootCode } from '@bootable/system'
import { createFile, putInode } from '@bootable/tree'
import { storageModules } from '../grub/readable.ts'
import type { Installation } from '../installation.ts'
import { createBootCode } from './boot-code.ts'
import { encodeCoreImage } from './core-image.ts'
import { resolveModules } from './modules.ts'
import { checkOneBuild } from './one-build.ts'
import { BIOS_PLACE, openGrubPlatform } from './platform.ts'
import { copyPlatform, whereFilesAre } from './platform-files.ts'

/**
 * Installs GRUB for machines with a BIOS as grub-install does: its modules, lists and font go into its
 * directory in `/boot`, where they share their contents with the image's; the core image is made of its
 * kernel and of the modules with which it finds them. It looks for the UUID of their filesystem, so disks
 * and partitions may change their numbers.
 *
 * @param directory GRUB's directory in the sysroot, such as `boot/grub2`
 * @throws BootableError `BOOTLOADER_MODULES_MISSING`, `BOOTLOADER_MODULES_MIXED`,
 * `BOOTLOADER_CORE_TOO_LARGE`, `BOOTLOADER_UNSUPPORTED`; FormatError. Nothing has been changed by then
 */
export async function installGrubBios(installation: Installation, directory: string): Promise<BootCode> {
  const { system, clock, signal } = installation
  const platform = openGrubPlatform(system.root)
  const requested = ['biosdisk', ...storageModules(installation), 'search_fs_uuid']
  const dependencies = await platform.dependencies(requested)
  const names = resolveModules(requested, dependencies)
  await checkOneBuild(platform, names, dependencies)
  signal?.throwIfAborted()

  const modules: Uint8Array[] = []
  for (const name of names) modules.push((await platform.module(name)).data)
  const bootSector = await platform.file('boot.img')
  const core = encodeCoreImage(
    {
      diskboot: await platform.file('diskboot.img'),
      decompressor: await platform.file('lzma_decompress.img'),
      kernel: await platform.file('kernel.img'),
    },
    { modules, ...whereFilesAre(installation, directory) },
  )
  const bootCode = createBootCode(bootSector, core)

  const files = `${directory}/i386-pc`
  copyPlatform(installation, BIOS_PLACE, files)
  // Debian's packages install GRUB anew after an update only where these are.
  for (const [name, data] of Object.entries({ 'boot.img': bootSector, 'core.img': core })) {
    putInode(system.sysroot, `${files}/${name}`, createFile(data, { mtime: clock }))
  }
  return bootCode
}
