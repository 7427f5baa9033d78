import { BootableError } from '@bootable/bytes'
import type { BootCode } from '@bootable/system'
import { createFile, ensureDirectory, findDirectory, findFile, putInode, sortedEntries } from '@bootable/tree'
import type { BootloaderErrorCode } from '../errors.ts'
import { quoteGrubWord } from '../grub/quote.ts'
import type { Installation } from '../installation.ts'
import { createBootCode } from './boot-code.ts'
import { encodeCoreImage } from './core-image.ts'
import { resolveModules } from './modules.ts'
import { checkOneBuild } from './one-build.ts'
import { BIOS_PLACE, openGrubPlatform } from './platform.ts'

/** The module that reads a filesystem. */
const FILESYSTEM_MODULES: Readonly<Record<string, string>> = {
  ext4: 'ext2',
  xfs: 'xfs',
  btrfs: 'btrfs',
  vfat: 'fat',
}

/** What grub-install copies besides modules and lists, where it is there. */
const OTHER_FILES = ['efiemu32.o', 'efiemu64.o', 'modinfo.sh']

/** The only font that grub-install copies unless it is told otherwise. */
const FONT = 'unicode.pf2'

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
  const requested = ['biosdisk', 'part_gpt', filesystemModule(installation), 'search_fs_uuid']
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

  const put = (path: string, content: Parameters<typeof createFile>[0]): void => {
    ensureDirectory(system.sysroot, path.slice(0, path.lastIndexOf('/')), { mtime: clock })
    putInode(system.sysroot, path, createFile(content, { mtime: clock }))
  }
  for (const name of filesToCopy(installation)) {
    const file = findFile(system.root, `${BIOS_PLACE}/${name}`)
    if (file) put(`${directory}/i386-pc/${name}`, file.content)
  }
  // Debian's packages install GRUB anew after an update only where these are.
  put(`${directory}/i386-pc/boot.img`, bootSector)
  put(`${directory}/i386-pc/core.img`, core)
  const font = findFile(system.root, `usr/share/grub/${FONT}`)
  if (font) put(`${directory}/fonts/${FONT}`, font.content)
  return bootCode
}

function filesystemModule({ places }: Installation): string {
  const module = FILESYSTEM_MODULES[places.bootType]
  if (module !== undefined) return module
  throw new BootableError<BootloaderErrorCode>(
    'BOOTLOADER_UNSUPPORTED',
    `GRUB reads no filesystem of type ${places.bootType}, on which /boot is`,
    { details: { type: places.bootType }, hint: `possible: ${Object.keys(FILESYSTEM_MODULES).join(', ')}` },
  )
}

/** The commands are run by the parser of GRUB's rescue shell, which knows no more than these. */
function whereFilesAre(
  { places }: Installation,
  directory: string,
): { readonly config: string; readonly prefix: string } {
  const prefix = places.bootPrefix + directory.slice('boot'.length)
  const config = `search.fs_uuid ${places.bootUuid} root\nset prefix=($root)${quoteGrubWord(prefix)}\n`
  return { config, prefix }
}

function filesToCopy({ system }: Installation): string[] {
  const found = findDirectory(system.root, BIOS_PLACE)
  const names = found ? sortedEntries(found).map(([name]) => name) : []
  return names.filter((name) => /\.(?:mod|lst)$/.test(name) || OTHER_FILES.includes(name))
}
