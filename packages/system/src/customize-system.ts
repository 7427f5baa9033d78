import type { Blueprint } from '@bootable/blueprint'
import type { OperationOptions } from '@bootable/bytes'
import type { FileTree, Timestamp } from '@bootable/tree'
import { createFile, putInode } from '@bootable/tree'
import { customizeAccounts } from './accounts/customize.ts'
import type { Architecture } from './architecture.ts'
import { customizeFiles } from './customize-files.ts'
import { readInstallConfiguration } from './install-configuration.ts'
import type { InstalledSystem, Kernel, SystemWarning } from './installed-system.ts'
import { collectKernelArguments } from './kernel-arguments.ts'
import { readOsRelease } from './os-release.ts'
import { customizeUpdates } from './updates.ts'

/** What every layout is told about the machine that an image becomes. */
export interface DeploymentOptions extends OperationOptions {
  readonly blueprint?: Blueprint
  /** Salts of passwords follow from it. */
  readonly seed: string
  /** Time of everything that is made, in seconds since 1970. */
  readonly clock: number
  /** Adds `rw console=tty0 console=ttyS0`. @defaultValue true */
  readonly defaultKernelArguments?: boolean
}

/** Options of {@link customizeSystem}. */
export interface CustomizeSystemOptions extends DeploymentOptions {
  readonly architecture: Architecture
  /** The kernel that was found in the tree. */
  readonly kernel: Kernel
}

/** The part of an installed system that does not depend on its layout. */
export type CustomizedSystem = Pick<
  InstalledSystem,
  'architecture' | 'kernel' | 'kernelArguments' | 'osRelease' | 'installConfiguration' | 'warnings'
>

/**
 * Puts a blueprint into the root that a machine will see: accounts, then directories and files, then the
 * mark of Ignition and the timer of updates; and reads what the image says about itself. Edits the tree.
 *
 * @throws BootableError of `SystemErrorCode`
 */
export async function customizeSystem(
  root: FileTree,
  options: CustomizeSystemOptions,
): Promise<CustomizedSystem> {
  const { architecture, kernel, seed, clock, signal, defaultKernelArguments = true } = options
  const customizations = options.blueprint?.customizations ?? {}
  const { user: users = [], group: groups = [], files = [], directories = [], ignition } = customizations
  const mtime: Timestamp = { seconds: clock, nanoseconds: 0 }

  const accounts = await customizeAccounts(root, { users, groups, seed, mtime, ...(signal && { signal }) })
  customizeFiles(root, { files, directories, accounts, mtime })
  if (ignition) putInode(root, 'boot/ignition.firstboot', createFile('', { mtime }))
  await customizeUpdates(root, customizations.updates?.enabled, { mtime })

  const [osRelease, installConfiguration] = await Promise.all([
    readOsRelease(root),
    readInstallConfiguration(root, architecture),
  ])
  const { url } = ignition?.firstboot ?? {}
  const append = [customizations.kernel?.append ?? '', url === undefined ? '' : `ignition.config.url=${url}`]
  const kernelArguments = await collectKernelArguments(root, {
    architecture,
    installConfiguration,
    defaults: defaultKernelArguments,
    append: append.join(' '),
  })
  const warnings: SystemWarning[] = []
  if (kernel.initramfs === undefined && kernel.uki === undefined) {
    warnings.push({
      message: `kernel ${kernel.version} has no initramfs`,
      hint: 'the kernel itself must find the root filesystem; dracut of the image would make an initramfs',
    })
  }
  signal?.throwIfAborted()
  return { architecture, kernel, kernelArguments, osRelease, installConfiguration, warnings }
}
