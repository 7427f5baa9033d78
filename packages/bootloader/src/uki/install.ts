import type { ByteSource, OperationOptions } from '@bootable/bytes'
import { BootableError, memorySource, utf8 } from '@bootable/bytes'
import type { MountPoint } from '@bootable/system'
import { splitKernelArguments } from '@bootable/system'
import { findFile } from '@bootable/tree'
import { efiNames } from '../efi/names.ts'
import { findKernel } from '../entries/kernel.ts'
import type { BootloaderErrorCode } from '../errors.ts'
import { type Installation, requireEsp } from '../installation.ts'
import { PE_MACHINES } from '../pe/format.ts'
import { entryFileName } from '../systemd-boot/boot-counting.ts'
import { partitionWriter, writeLoaderConfiguration } from '../systemd-boot/install.ts'
import type { UkiChoice } from './choose.ts'
import { readUki } from './reader.ts'
import { writeUki } from './writer.ts'

/** Where os-release(5) may be. */
const OS_RELEASE = ['etc/os-release', 'usr/lib/os-release']

/**
 * Puts a unified kernel image below `EFI/Linux`, where boot loaders find it (Boot Loader Specification, type
 * 2), and without one also where the firmware starts it from.
 *
 * @returns the command line that the kernel will be started with
 */
export async function installUki(
  installation: Installation,
  choice: UkiChoice,
  mounts: readonly MountPoint[],
  { onProgress }: OperationOptions,
): Promise<string> {
  const { system, places, tries } = installation
  const esp = requireEsp(installation)
  const { content, commandLine } =
    'shipped' in choice.from
      ? await openShipped(installation, choice.from.shipped)
      : await build(installation, choice.from.stub)
  const warning = 'shipped' in choice.from ? rootProblem(commandLine, mounts) : undefined
  if (warning !== undefined) onProgress?.({ type: 'warning', ...warning })

  const stem = choice.name.slice(0, -'.efi'.length)
  if (choice.loader) {
    writeLoaderConfiguration(installation)
    const isCounted = /\+\d+(?:-\d+)?$/.test(stem) && 'shipped' in choice.from
    const name = isCounted ? choice.name : entryFileName(stem, '.efi', tries)
    // /boot/efi is a directory of /boot, and on FAT the same as EFI: nothing in there would be seen.
    const isHidden = esp.startsWith('boot/')
    const partition = isHidden ? esp : (places.xbootldr ?? esp)
    partitionWriter(installation, partition)(`EFI/Linux/${name}`, content)
  } else {
    const put = partitionWriter(installation, esp)
    put(`EFI/Linux/${choice.name}`, content)
    put(`EFI/BOOT/${efiNames(system.architecture).removable}`, content)
  }
  return commandLine
}

interface UnifiedKernelFile {
  readonly content: ByteSource
  readonly commandLine: string
}

async function build({ system, commandLine }: Installation, stub: string): Promise<UnifiedKernelFile> {
  const kernel = findKernel(system)
  const osRelease = OS_RELEASE.map((path) => findFile(system.root, path)).find((file) => file)?.content
  const content = await naming(`${stub} and /${system.kernel.vmlinuz}`, () =>
    writeUki({
      stub: contentOf(system.root, stub),
      kernel: kernel.vmlinuz.content,
      ...(kernel.initramfs && { initrd: kernel.initramfs.content }),
      commandLine,
      osRelease: osRelease ?? memorySource(utf8('ID=linux\nNAME=Linux\n')),
      uname: kernel.version,
    }),
  )
  return { content, commandLine }
}

async function openShipped({ system }: Installation, path: string): Promise<UnifiedKernelFile> {
  const content = contentOf(system.root, path)
  const { image, commandLine } = await naming(path, () => readUki(content))
  const machine = Object.entries(PE_MACHINES).find(([name]) => name === system.architecture)?.[1]
  if (machine !== image.machine) {
    const found = `0x${image.machine.toString(16)}`
    throw new BootableError<BootloaderErrorCode>(
      'BOOTLOADER_UKI_IMPOSSIBLE',
      `/${path} is for machines of type ${found}, the image for ${system.architecture}`,
      { details: { path, machine: image.machine, architecture: system.architecture } },
    )
  }
  return { content, commandLine }
}

function contentOf(root: Installation['system']['root'], path: string): ByteSource {
  const file = findFile(root, path)
  if (file) return file.content
  throw new BootableError<BootloaderErrorCode>('BOOTLOADER_MISSING', `there is no file /${path}`)
}

/** Says of which file it is that its bytes are wrong. */
async function naming<T>(files: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (cause) {
    if (!BootableError.is(cause) || !cause.code.startsWith('FORMAT_')) throw cause
    throw new BootableError<BootloaderErrorCode>('BOOTLOADER_UKI_IMPOSSIBLE', `/${files}: ${cause.message}`, {
      details: { files, ...cause.details },
      cause,
    })
  }
}

/** Why the initramfs of a shipped image may not find the root filesystem of this disk. */
function rootProblem(
  commandLine: string,
  mounts: readonly MountPoint[],
): { message: string; hint: string } | undefined {
  const root = mounts.find(({ path }) => path === '/')
  const word = splitKernelArguments(commandLine).findLast((argument) => argument.startsWith('root='))
  const found = [`root=UUID=${root?.uuid}`, `root=LABEL=${root?.label}`]
  if (!root || (word !== undefined && found.includes(word))) return undefined
  return {
    message: `the command line of the unified kernel image ${word === undefined ? 'has no root=' : `says ${word}`}; the root filesystem of the disk has the UUID ${root.uuid}${root.label === '' ? '' : ` and the label ${root.label}`}`,
    hint: root.label === '' ? 'its initramfs has to find it by itself' : `root=LABEL=${root.label} finds it`,
  }
}
