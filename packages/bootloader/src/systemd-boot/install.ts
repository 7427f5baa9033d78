import { createFile } from '@bootable/tree'
import { putOnPartition } from '../efi/partition.ts'
import { formatBootEntry } from '../entries/entry.ts'
import { findKernel } from '../entries/kernel.ts'
import type { Installation } from '../installation.ts'

/**
 * Writes systemd-boot's configuration, the kernel and its entry, all on the EFI system partition: it
 * reads through the firmware, which knows no filesystem but FAT. Names are those that kernel-install(8)
 * uses with the entry token `os-id`.
 *
 * No `loader/random-seed` is written: machines made from one disk would share it.
 */
export function installSystemdBoot(installation: Installation): void {
  const { system, places, commandLine, clock, timeout } = installation
  const kernel = findKernel(system)
  const put = (path: string, content: Parameters<typeof createFile>[0]): void => {
    const file = createFile(content, { mode: 0o755, mtime: clock })
    putOnPartition(system.sysroot, places.esp, path, file, { mtime: clock })
  }

  put('loader/loader.conf', `timeout ${timeout}\n`)
  put('loader/entries.srel', 'type1\n') // tells bootctl(1) and kernel-install(8) how entries are written

  const directory = `${kernel.token}/${kernel.version}`
  put(`${directory}/linux`, kernel.vmlinuz.content)
  if (kernel.initramfs) put(`${directory}/initrd`, kernel.initramfs.content)

  const id = `${kernel.token}-${kernel.version}`
  const entry = formatBootEntry({
    id,
    title: kernel.title,
    version: kernel.version,
    linux: `/${directory}/linux`,
    initrd: kernel.initramfs ? [`/${directory}/initrd`] : [],
    options: commandLine,
    other: {},
  })
  put(`loader/entries/${id}.conf`, entry)
}
