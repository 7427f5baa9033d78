import { createFile, ensureDirectory, putInode } from '@bootable/tree'
import { putOnPartition } from '../efi/partition.ts'
import { formatBootEntry } from '../entries/entry.ts'
import { findKernel, systemName } from '../entries/kernel.ts'
import { type Installation, requireEsp } from '../installation.ts'
import type { GrubChoice } from './choose.ts'
import { type BootMenuItem, formatBootUuid, formatGrubConfig, formatGrubStub } from './config.ts'
import { CONSOLE_FILE, formatGrubConsole } from './console.ts'
import { formatGrubEntriesConfig } from './entries-config.ts'
import { checkEntryArguments, checkEntryTitle } from './quote.ts'
import { readStaticConfig } from './static-config.ts'

/** Where GRUB's files went. */
export interface InstalledGrub {
  /** GRUB's directory in the sysroot. */
  readonly directory: string
  /** Whether `grub.cfg` is put together from bootupd's pieces. */
  readonly hasStaticConfig: boolean
}

/** The files of a configuration. */
interface GrubFiles {
  /** GRUB's directory in `/boot`. */
  readonly directory: string
  readonly directoryMode?: number
  readonly config: string
  /** What else lies beside the configuration. */
  readonly others?: Readonly<Record<string, string>>
  /** `grub.cfg` on the EFI system partition. */
  readonly stub: string
}

/**
 * Writes GRUB's configuration. Where the system has no boot entry of its own, also the kernel and an entry;
 * otherwise the menu follows the entries that its updates will write.
 */
export async function installGrub(installation: Installation, choice: GrubChoice): Promise<InstalledGrub> {
  const { system, places, clock, grubConsole } = installation
  const { sysroot } = system
  const { directory, directoryMode, config, others, stub } = await grubFiles(installation, choice)

  const made = { mtime: clock }
  ensureDirectory(sysroot, directory, {
    ...made,
    ...(directoryMode !== undefined && { mode: directoryMode }),
  })
  const files = {
    'grub.cfg': config,
    'bootuuid.cfg': formatBootUuid(places.bootUuid),
    ...(grubConsole && { [CONSOLE_FILE]: formatGrubConsole(grubConsole) }),
    ...others,
  }
  for (const [name, text] of Object.entries(files)) {
    putInode(sysroot, `${directory}/${name}`, createFile(text, { mode: 0o600, mtime: clock }))
  }

  const installed = { directory, hasStaticConfig: directoryMode !== undefined }
  if (choice.files.length === 0) return installed

  const onPartition = (path: string, content: string): void => {
    const file = createFile(content, { mode: 0o755, mtime: clock })
    putOnPartition(sysroot, requireEsp(installation), path, file, made)
  }
  // GRUB 2.06 looks into the directory that is built into it first, later ones into their own.
  for (const name of choice.vendor === undefined ? ['BOOT'] : ['BOOT', choice.vendor]) {
    onPartition(`EFI/${name}/grub.cfg`, stub)
    // bootupd looks for its record in the vendor's directory, its stub in that of the running GRUB.
    if (name === 'BOOT' && !stub.includes('bootuuid.cfg')) continue
    onPartition(`EFI/${name}/bootuuid.cfg`, files['bootuuid.cfg'])
  }
  return installed
}

async function grubFiles(installation: Installation, choice: GrubChoice): Promise<GrubFiles> {
  const { system, places, timeout, commandLine, grubConsole } = installation
  const { bootUuid: uuid, bootPrefix } = places
  const directory = `boot/${choice.directory}`
  const stub = formatGrubStub(uuid, `${bootPrefix}/${choice.directory}`)
  const { bootEntry } = system
  const terminals = grubConsole && { console: grubConsole }
  if (!bootEntry) {
    const entry = installKernel(installation)
    return { directory, stub, config: formatGrubConfig({ uuid, timeout, entry, ...terminals }) }
  }

  const bootupd = await readStaticConfig(installation, choice)
  checkEntryArguments(commandLine, { variables: bootupd !== undefined })
  if (bootupd) return { ...bootupd, directory: 'boot/grub2', directoryMode: 0o700 }
  checkEntryTitle(bootEntry.title)
  const onFilesystem = (path: string): string => bootPrefix + path.replace(/^\/boot(?=\/)/, '')
  const fallback = {
    id: 'installed',
    title: bootEntry.title,
    linux: onFilesystem(bootEntry.linux),
    initrd: bootEntry.initrd.map(onFilesystem),
    options: commandLine,
  }
  const name = systemName(system.osRelease)
  const menu = { uuid, boot: bootPrefix, timeout, name, fallback, ...terminals }
  const config = formatGrubEntriesConfig(menu)
  return { directory, stub, config }
}

/**
 * Puts kernel, initramfs and their entry into `/boot`. They get the names that the distribution's own
 * packages would give them, so that `grub-mkconfig` in the running machine finds them.
 */
function installKernel({ system, places, commandLine, clock }: Installation): BootMenuItem {
  const kernel = findKernel(system)
  const put = (path: string, content: Parameters<typeof createFile>[0], mode: number): void => {
    ensureDirectory(system.sysroot, path.slice(0, path.lastIndexOf('/')), { mtime: clock })
    putInode(system.sysroot, path, createFile(content, { mode, mtime: clock }))
  }
  const vmlinuz = `vmlinuz-${kernel.version}`
  const initramfs = `initramfs-${kernel.version}.img`
  put(`boot/${vmlinuz}`, kernel.vmlinuz.content, 0o644)
  // It may hold keys and passwords of the host that it was made on.
  if (kernel.initramfs) put(`boot/${initramfs}`, kernel.initramfs.content, 0o600)

  const entry = {
    id: `${kernel.token}-${kernel.version}`,
    title: kernel.title,
    linux: `${places.bootPrefix}/${vmlinuz}`,
    initrd: kernel.initramfs ? [`${places.bootPrefix}/${initramfs}`] : [],
    options: commandLine,
  }
  const text = formatBootEntry({ ...entry, version: kernel.version, other: {} })
  put(`boot/loader/entries/${entry.id}.conf`, text, 0o644)
  return entry
}
