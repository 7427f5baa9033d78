import { createFile } from '@bootable/tree'
import { putOnPartition } from '../efi/partition.ts'
import { formatBootEntry } from '../entries/entry.ts'
import { findKernel } from '../entries/kernel.ts'
import { type Installation, requireEsp } from '../installation.ts'
import { entryFileName } from './boot-counting.ts'

/**
 * Writes systemd-boot's configuration, the kernel and its entry. It reads through the firmware, which knows
 * no filesystem but FAT: kernel and entry go to `/boot` where that is FAT (XBOOTLDR), else to the EFI system
 * partition. Names are those that kernel-install(8) uses with the entry token `os-id`.
 */
export function installSystemdBoot(installation: Installation): void {
  const { system, places, commandLine, tries } = installation
  const kernel = findKernel(system)
  const put = partitionWriter(installation, places.xbootldr ?? requireEsp(installation))
  writeLoaderConfiguration(installation)

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
    // No machine-id: a disk becomes many machines. Entries without one stand before those with one.
    other: { 'sort-key': [kernel.sortKey] },
  })
  put(`loader/entries/${entryFileName(id, '.conf', tries)}`, entry)
}

/**
 * What bootctl(1) writes beside the programs. No `loader/random-seed` is written: machines made from one disk
 * would share it, and systemd makes one at the first start (systemd-boot-random-seed.service).
 */
export function writeLoaderConfiguration(installation: Installation): void {
  const { places, timeout } = installation
  partitionWriter(installation, requireEsp(installation))('loader/loader.conf', `timeout ${timeout}\n`)
  // Tells bootctl(1) and kernel-install(8) how entries are written; it stands where they are.
  partitionWriter(installation, places.xbootldr ?? requireEsp(installation))('loader/entries.srel', 'type1\n')
}

/** Puts files onto a FAT partition. */
export function partitionWriter(
  { system, clock }: Installation,
  partition: string,
): (path: string, content: Parameters<typeof createFile>[0]) => void {
  return (path, content) => {
    const file = createFile(content, { mode: 0o755, mtime: clock })
    putOnPartition(system.sysroot, partition, path, file, { mtime: clock })
  }
}
