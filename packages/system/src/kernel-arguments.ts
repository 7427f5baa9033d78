import type { FileTree } from '@bootable/tree'
import type { Architecture } from './architecture.ts'
import { encryptedVolumes, isMountedByInitrd } from './crypttab.ts'
import { listFiles } from './edit.ts'
import type { InstallConfiguration } from './install-configuration.ts'
import type { InstalledSystem } from './installed-system.ts'
import type { MountPoint } from './mounts.ts'
import { readTomlFile } from './toml-file.ts'

/**
 * What bootc-image-builder gives every disk, whatever its architecture. Where `ttyS0` is not the serial port,
 * Linux finds the right one by itself: in the firmware's tables (SPCR) on aarch64, as `hvc0` on ppc64le.
 */
export const DEFAULT_KERNEL_ARGUMENTS: readonly string[] = ['rw', 'console=tty0', 'console=ttyS0']

const KARGS_FOLDER = 'usr/lib/bootc/kargs.d'

/** Options of {@link collectKernelArguments}. */
export interface KernelArgumentOptions {
  readonly architecture: Architecture
  readonly installConfiguration: InstallConfiguration
  /** Adds {@link DEFAULT_KERNEL_ARGUMENTS}. @defaultValue true */
  readonly defaults?: boolean
  /** Words after all others: `customizations.kernel.append`. */
  readonly append?: string
}

/**
 * The kernel arguments of an image in the order of bootc: install configuration, `kargs.d`, less
 * `karg-deletes`; then the defaults, then the user's words.
 *
 * @throws BootableError `CONFIGURATION_INVALID`
 */
export async function collectKernelArguments(
  tree: FileTree,
  options: KernelArgumentOptions,
): Promise<string[]> {
  const { architecture, installConfiguration, defaults = true, append = '' } = options
  const names = listFiles(tree, KARGS_FOLDER, '.toml')
  const files = await Promise.all(names.map((name) => readTomlFile(tree, `${KARGS_FOLDER}/${name}`)))
  const fromFolder = files
    .filter((file) => file.texts('match-architectures')?.includes(architecture) !== false)
    .flatMap((file) => file.texts('kargs') ?? [])
  const fromImage = [...installConfiguration.kargs, ...fromFolder].flatMap(splitKernelArguments)
  return [
    ...withoutDeleted(fromImage, installConfiguration),
    ...(defaults ? DEFAULT_KERNEL_ARGUMENTS : []),
    ...splitKernelArguments(append),
  ]
}

/** `karg-deletes` names an argument with its value, or every argument of a key without one. */
function withoutDeleted(words: readonly string[], { kargDeletes }: InstallConfiguration): string[] {
  const deleted = new Set(kargDeletes.flatMap(splitKernelArguments).map(canonical))
  return words.map(canonical).flatMap((word, index) => {
    const key = word.split('=', 1)[0] as string
    return deleted.has(word) || deleted.has(key) ? [] : [words[index] as string]
  })
}

/** The kernel takes `-` and `_` in the name of an argument for the same (`parameqn()`). */
function canonical(argument: string): string {
  const end = argument.indexOf('=')
  const key = end < 0 ? argument : argument.slice(0, end)
  return key.replaceAll('-', '_') + argument.slice(key.length)
}

/** The words of a kernel command line; blanks between double quotes do not separate (`next_arg()`). */
export function splitKernelArguments(text: string): string[] {
  return text.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? []
}

/**
 * The whole command line of a system on its filesystems, in the order of bootc: what the initramfs has to open
 * (`rd.luks.uuid=`, `rd.lvm.lv=`), `root=`, `rootflags=`, `rw`, `boot=` for ostree (its initramfs looks for the
 * boot filesystem), each unless `karg-deletes` names it; the arguments of the system, those left out that stand
 * there already with the same value; last what the boot entry of its layout asks for (`ostree=`).
 *
 * The root is named by the uuid of its filesystem also where it lies in LUKS or LVM, as bootc and dracut want
 * it: udev knows that as soon as the volumes are open. Of a btrfs, `subvol` and `compress` go into `rootflags`,
 * since nothing remounts the root in the ostree layout.
 *
 * @param mounts the filesystems of the finished disk; `/` and `/boot` matter
 */
export function composeKernelArguments(
  system: Pick<InstalledSystem, 'layout' | 'kernelArguments' | 'installConfiguration' | 'bootEntry'>,
  mounts: readonly MountPoint[],
): string[] {
  const { rootMountSpec, bootMountSpec } = system.installConfiguration
  const root = mounts.find(({ path }) => path === '/')
  const boot = mounts.find(({ path }) => path === '/boot')
  const rootSpec = rootMountSpec ?? (root && `UUID=${root.uuid}`)
  const bootSpec = system.layout === 'ostree' ? (bootMountSpec ?? (boot && `UUID=${boot.uuid}`)) : undefined
  const flags = root?.options.split(',').filter((option) => /^(?:subvol|compress)=/.test(option)) ?? []
  const front = [
    ...openedByInitrd(mounts),
    ...(rootSpec ? [`root=${rootSpec}`] : []),
    ...(flags.length > 0 ? [`rootflags=${flags.join(',')}`] : []),
    'rw',
    ...(bootSpec ? [`boot=${bootSpec}`] : []),
  ]
  const words = system.kernelArguments.flatMap(splitKernelArguments)
  const last = system.bootEntry?.arguments ?? []
  const replaced = new Set(last.map((word) => word.split('=', 1)[0]))
  return [
    ...withoutRepeated([...withoutDeleted(front, system.installConfiguration), ...words]).filter(
      (word) => !replaced.has(word.split('=', 1)[0]),
    ),
    ...last,
  ]
}

/** What dracut.cmdline(7) and systemd-cryptsetup-generator(8) have for devices that are no partitions. */
function openedByInitrd(mounts: readonly MountPoint[]): string[] {
  const encrypted = encryptedVolumes(mounts).filter(({ isInitrd }) => isInitrd)
  const logical = mounts
    .filter(isMountedByInitrd)
    .flatMap(({ layers = [] }) => layers.flatMap((layer) => (layer.type === 'lvm' ? layer : [])))
  return [
    ...encrypted.map(({ uuid }) => `rd.luks.uuid=${uuid}`),
    ...logical.map(({ group, volume }) => `rd.lvm.lv=${group}/${volume}`),
  ]
}

function withoutRepeated(words: readonly string[]): string[] {
  const seen = new Set<string>()
  return words.filter((word) => {
    const key = canonical(word)
    // The last of `ro` and `rw` wins, so a `ro` among the words needs its `rw` to stay where it is.
    if (seen.has(key) && !(word === 'rw' && words.includes('ro'))) return false
    seen.add(key)
    return true
  })
}
