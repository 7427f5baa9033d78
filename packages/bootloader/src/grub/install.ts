import { createFile, ensureDirectory, putInode } from '@bootable/tree'
import type { GrubChoice } from '../choose.ts'
import { putOnPartition } from '../efi/partition.ts'
import { formatBootEntry } from '../entries/entry.ts'
import type { BootKernel } from '../entries/kernel.ts'
import type { Installation } from '../installation.ts'
import { formatBootUuid, formatGrubConfig, formatGrubStub } from './config.ts'

/**
 * Writes GRUB's configuration, the kernel and its entry.
 *
 * The kernel gets the name that the distribution's own packages would give it, so that `grub-mkconfig`
 * in the running machine finds it.
 */
export function installGrub(installation: Installation, kernel: BootKernel, choice: GrubChoice): void {
  const { system, places, commandLine, clock, timeout } = installation
  const { sysroot } = system
  const made = { mtime: clock }
  const put = (directory: string, name: string, content: Parameters<typeof createFile>[0], mode: number) => {
    ensureDirectory(sysroot, directory, made)
    putInode(sysroot, `${directory}/${name}`, createFile(content, { mode, mtime: clock }))
  }

  const vmlinuz = `vmlinuz-${kernel.version}`
  const initramfs = `initramfs-${kernel.version}.img`
  put('boot', vmlinuz, kernel.vmlinuz.content, 0o644)
  // It may hold keys and passwords of the host that it was made on.
  if (kernel.initramfs) put('boot', initramfs, kernel.initramfs.content, 0o600)

  const entry = {
    id: `${kernel.token}-${kernel.version}`,
    title: kernel.title,
    linux: `${places.bootPrefix}/${vmlinuz}`,
    options: commandLine,
  }
  const initrd = kernel.initramfs && `${places.bootPrefix}/${initramfs}`
  const text = formatBootEntry({
    ...entry,
    version: kernel.version,
    initrd: initrd === undefined ? [] : [initrd],
    other: {},
  })
  put('boot/loader/entries', `${entry.id}.conf`, text, 0o644)

  const directory = `boot/${choice.directory}`
  const menu = { uuid: places.bootUuid, timeout, entry: initrd === undefined ? entry : { ...entry, initrd } }
  put(directory, 'grub.cfg', formatGrubConfig(menu), 0o600)
  put(directory, 'bootuuid.cfg', formatBootUuid(places.bootUuid), 0o600)

  // GRUB 2.06 looks into the directory that is built into it first, later ones into their own.
  const stub = formatGrubStub(places.bootUuid, `${places.bootPrefix}/${choice.directory}`)
  const onPartition = (path: string, content: string): void => {
    const file = createFile(content, { mode: 0o755, mtime: clock })
    putOnPartition(sysroot, places.esp, path, file, made)
  }
  onPartition('EFI/BOOT/grub.cfg', stub)
  if (choice.vendor === undefined) return
  onPartition(`EFI/${choice.vendor}/grub.cfg`, stub)
  onPartition(`EFI/${choice.vendor}/bootuuid.cfg`, formatBootUuid(places.bootUuid))
}
