import type { OperationOptions, RuntimeOptions } from '@bootable/bytes'
import { BootableError } from '@bootable/bytes'
import type { BootCode, InstalledSystem, MountPoint, SystemWarning } from '@bootable/system'
import { composeKernelArguments } from '@bootable/system'
import type { Timestamp } from '@bootable/tree'
import { createFile, ensureDirectory, findFile, putInode } from '@bootable/tree'
import { putBootupdState } from './bootupd/state.ts'
import { type BootloaderChoice, type ChooseBootloaderOptions, chooseBootloader } from './choose.ts'
import { efiNames } from './efi/names.ts'
import { putOnPartition } from './efi/partition.ts'
import { describeSecureBoot, type SecureBootFacts, warnOfSecureBoot } from './efi/secure-boot.ts'
import { formatBootEntry } from './entries/entry.ts'
import type { BootloaderErrorCode } from './errors.ts'
import { type FirmwareSupport, supportedFirmware } from './firmware.ts'
import type { GrubChoice } from './grub/choose.ts'
import type { GrubConsole } from './grub/console.ts'
import { installGrub } from './grub/install.ts'
import { checkReadableBoot } from './grub/readable.ts'
import { installGrubBios } from './grub-bios/install.ts'
import { openGrubPlatform } from './grub-bios/platform.ts'
import { installGrubEfi } from './grub-efi/install.ts'
import { type Installation, locateBoot, type PartitionTableType, requireEsp } from './installation.ts'
import { installSystemdBoot } from './systemd-boot/install.ts'
import { installUki } from './uki/install.ts'

/** Options of {@link installBootloader}. */
export interface InstallBootloaderOptions extends ChooseBootloaderOptions, OperationOptions, RuntimeOptions {
  /** Time stamp of every file and directory that is made. */
  readonly clock: Timestamp
  /** Seconds for which the menu is shown. @defaultValue 1 */
  readonly timeout?: number
  /**
   * How often systemd-boot tries to start the entry before it passes over it; a machine that has started
   * well takes the counter off (systemd-bless-boot(8)).
   * @defaultValue no counting
   */
  readonly tries?: number
  /** @defaultValue `gpt` */
  readonly partitionTable?: PartitionTableType
  /** Terminals of GRUB's menu. @defaultValue the serial port of the kernel's console too, under a BIOS */
  readonly grubConsole?: GrubConsole
  /** Demands a chain of signed programs; what is missing becomes a warning. */
  readonly secureBoot?: 'required'
}

/** What is known about a boot loader besides the choice. Plain data. */
export interface BootloaderFacts {
  readonly firmware: readonly FirmwareSupport[]
  /** Missing where the disk does not start by UEFI. */
  readonly secureBoot?: SecureBootFacts
  /** As its modules have it, such as `2.12`; missing where the image ships none. */
  readonly grubVersion?: string
  readonly warnings: readonly SystemWarning[]
}

/** A choice with all that is known about it. */
export type DescribedBootloader = BootloaderChoice & BootloaderFacts

/** What was installed. */
export type InstalledBootloader = DescribedBootloader & {
  /** For `InstalledSystem.bootCode`, where the disk is to start on a BIOS. */
  readonly bootCode?: BootCode
  /** The kernel's whole command line. */
  readonly commandLine: string
}

/**
 * Makes a system bootable: adds the boot loader, its configuration, the kernel (unless the layout of the
 * system has put one into `/boot`) and a boot entry to
 * `system.sysroot`, under `/boot` and on the EFI system partition. Contents are shared with the files
 * that they come from; read is only what a boot image for a BIOS is made of, and headers of EFI programs.
 *
 * The disk starts by the removable media path, without boot entries in the machine's firmware.
 *
 * @param mounts the filesystems of the finished disk; `/`, `/boot` and the EFI system partition matter
 * @throws BootableError of {@link BootloaderErrorCode}
 */
export async function installBootloader(
  system: InstalledSystem,
  mounts: readonly MountPoint[],
  options: InstallBootloaderOptions,
): Promise<InstalledBootloader> {
  const { clock, timeout = 1, tries, partitionTable = 'gpt', grubConsole, signal } = options
  signal?.throwIfAborted()
  const choice = chooseBootloader(system, options)
  const commandLine = composeKernelArguments(system, mounts).join(' ')
  putSystemEntry(system, commandLine, clock)
  const described = { ...choice, ...(await describe(system, choice, options)), commandLine }
  if (choice.kind === 'none') return described

  const places = locateBoot(mounts, system.layout)
  const installation: Installation = {
    system,
    mounts,
    places,
    partitionTable,
    commandLine,
    clock,
    timeout,
    ...(tries !== undefined && { tries }),
    ...(grubConsole && { grubConsole }),
    ...(signal && { signal }),
  }
  copyPrograms(installation, choice)
  if (choice.kind === 'systemd-boot') {
    installSystemdBoot(installation)
    return described
  }
  if (choice.kind === 'uki') {
    return { ...described, commandLine: await installUki(installation, choice, mounts, options) }
  }
  const bootCode = await installWholeGrub(installation, choice, options)
  return bootCode ? { ...described, bootCode } : described
}

/** GRUB for all firmware that was chosen. @returns what a BIOS starts */
async function installWholeGrub(
  installation: Installation,
  choice: GrubChoice,
  options: RuntimeOptions,
): Promise<BootCode | undefined> {
  checkReadableBoot(installation)
  const { directory, hasStaticConfig } = await installGrub(installation, choice)
  if (choice.efi !== undefined) {
    await installGrubEfi(installation, efiNames(installation.system.architecture), choice.efi, directory)
  }
  const bootCode = choice.bios === undefined ? undefined : await installGrubBios(installation, directory)
  await putBootupdState(installation, choice, { ...options, hasStaticConfig })
  return bootCode
}

async function describe(
  system: InstalledSystem,
  choice: BootloaderChoice,
  options: InstallBootloaderOptions,
): Promise<BootloaderFacts> {
  const facts = await describeSecureBoot(system, choice)
  const modules = choice.kind === 'grub' ? (choice.bios ?? choice.efi) : undefined
  const grubVersion =
    modules === undefined ? undefined : await openGrubPlatform(system.root, modules).version()
  return {
    firmware: supportedFirmware(choice),
    ...(facts && { secureBoot: facts }),
    ...(grubVersion !== undefined && { grubVersion }),
    warnings: [
      ...(options.secureBoot === 'required' && choice.kind !== 'none' ? warnOfSecureBoot(facts) : []),
      ...(options.grubConsole && choice.kind !== 'grub' ? [consoleWithoutGrub(choice.kind)] : []),
    ],
  }
}

function consoleWithoutGrub(kind: BootloaderChoice['kind']): SystemWarning {
  const instead = kind === 'none' ? 'no boot loader is installed' : `the boot loader is ${kind}`
  return { message: `terminals were chosen for GRUB, but ${instead}: they are ignored` }
}

/** The entry that the layout prescribes. Its kernel is in place; with no boot loader it is still needed. */
function putSystemEntry({ sysroot, bootEntry }: InstalledSystem, options: string, mtime: Timestamp): void {
  if (!bootEntry) return
  const { path, title, version, linux, initrd, other = {} } = bootEntry
  const text = formatBootEntry({ id: '', title, version, options, linux, initrd, other })
  ensureDirectory(sysroot, path.slice(0, path.lastIndexOf('/')), { mtime })
  putInode(sysroot, path, createFile(text, { mtime }))
}

function copyPrograms(installation: Installation, { files }: BootloaderChoice): void {
  const { system, clock } = installation
  for (const { source, target } of files) {
    const program = findFile(system.root, source)
    if (!program) {
      throw new BootableError<BootloaderErrorCode>('BOOTLOADER_MISSING', `there is no file /${source}`)
    }
    const copy = createFile(program.content, { mode: 0o755, mtime: clock })
    putOnPartition(system.sysroot, requireEsp(installation), target, copy, { mtime: clock })
  }
}
