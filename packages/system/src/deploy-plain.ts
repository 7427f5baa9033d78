import type { Blueprint } from '@bootable/blueprint'
import type { OperationOptions } from '@bootable/bytes'
import type { FileTree, Timestamp } from '@bootable/tree'
import { createFile, putInode, walkTree } from '@bootable/tree'
import { customizeAccounts } from './accounts/customize.ts'
import { parseArchitecture } from './architecture.ts'
import { customizeFiles } from './customize-files.ts'
import { cloneTree } from './edit.ts'
import { readInstallConfiguration } from './install-configuration.ts'
import type { InstalledSystem, SystemWarning } from './installed-system.ts'
import { requireBootable } from './kernel.ts'
import { collectKernelArguments } from './kernel-arguments.ts'
import { readOsRelease } from './os-release.ts'
import { completeRoot } from './root-directories.ts'

/** Options of {@link deployPlain}. */
export interface DeployPlainOptions extends OperationOptions {
  readonly blueprint?: Blueprint
  /** Labels of the image's configuration. Without them only the kernel says that it is bootable. */
  readonly labels?: Readonly<Record<string, string>>
  /** Architecture of the image, in either spelling: `amd64` or `x86_64`. */
  readonly architecture: string
  /** Salts of passwords follow from it. */
  readonly seed: string
  /** Time of everything that is made, in seconds since 1970. */
  readonly clock: number
  /** Adds `rw console=tty0 console=ttyS0`. @defaultValue true */
  readonly defaultKernelArguments?: boolean
}

/**
 * Makes the tree of a bootable image an installed system in the plain layout: the tree itself is the
 * root filesystem. Accounts, files and kernel arguments of the blueprint are put in; entrypoint, command
 * and ports of the image mean nothing to a machine.
 *
 * The given tree is not touched; the sysroot shares with it what is not edited.
 *
 * @throws BootableError of `SystemErrorCode`
 */
export async function deployPlain(tree: FileTree, options: DeployPlainOptions): Promise<InstalledSystem> {
  const { labels, seed, clock, signal, defaultKernelArguments = true } = options
  const customizations = options.blueprint?.customizations ?? {}
  const { user: users = [], group: groups = [], files = [], directories = [], ignition } = customizations
  const mtime: Timestamp = { seconds: clock, nanoseconds: 0 }
  const architecture = parseArchitecture(options.architecture)
  signal?.throwIfAborted()

  const kernel = requireBootable(tree, labels)
  const sysroot = cloneTree(tree)
  completeRoot(sysroot, mtime)
  const accounts = await customizeAccounts(sysroot, { users, groups, seed, mtime, ...(signal && { signal }) })
  customizeFiles(sysroot, { files, directories, accounts, mtime })
  if (ignition) putInode(sysroot, 'boot/ignition.firstboot', createFile('', { mtime }))

  const [osRelease, installConfiguration] = await Promise.all([
    readOsRelease(sysroot),
    readInstallConfiguration(sysroot, architecture),
  ])
  const { url } = ignition?.firstboot ?? {}
  const append = [customizations.kernel?.append ?? '', url === undefined ? '' : `ignition.config.url=${url}`]
  const kernelArguments = await collectKernelArguments(sysroot, {
    architecture,
    installConfiguration,
    defaults: defaultKernelArguments,
    append: append.join(' '),
  })
  const warnings: SystemWarning[] = []
  if (kernel.initramfs === undefined) {
    warnings.push({
      message: `kernel ${kernel.version} has no initramfs`,
      hint: 'the kernel itself must find the root filesystem; dracut of the image would make an initramfs',
    })
  }
  signal?.throwIfAborted()
  return {
    sysroot,
    root: sysroot,
    layout: 'plain',
    architecture,
    kernel,
    kernelArguments,
    osRelease,
    installConfiguration,
    imageSize: measureFiles(tree),
    warnings,
  }
}

/** Bytes of all files, hard links counted once: what `podman image inspect` calls the size, without tar's own. */
function measureFiles(tree: FileTree): number {
  let size = 0
  for (const { inode, linkOf } of walkTree(tree)) {
    if (inode.type === 'file' && linkOf === undefined) size += inode.content.size
  }
  return size
}
