import type { FileTree } from '@bootable/tree'
import { parseArchitecture } from './architecture.ts'
import { customizeSystem, type DeploymentOptions } from './customize-system.ts'
import { cloneTree } from './edit.ts'
import type { InstalledSystem } from './installed-system.ts'
import { requireBootable } from './kernel.ts'
import { measureFiles } from './measure.ts'
import { completeRoot } from './root-directories.ts'

/** Options of {@link deployPlain}. */
export interface DeployPlainOptions extends DeploymentOptions {
  /** Labels of the image's configuration. Without them only the kernel says that it is bootable. */
  readonly labels?: Readonly<Record<string, string>>
  /** Architecture of the image, in either spelling: `amd64` or `x86_64`. */
  readonly architecture: string
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
  const architecture = parseArchitecture(options.architecture)
  options.signal?.throwIfAborted()
  const kernel = requireBootable(tree, options.labels)
  const sysroot = cloneTree(tree)
  completeRoot(sysroot, { seconds: options.clock, nanoseconds: 0 })
  const customized = await customizeSystem(sysroot, { ...options, architecture, kernel })
  const warnings = [...customized.warnings]
  if (options.blueprint?.customizations.updates?.enabled) {
    warnings.push({
      message: 'automatic updates are turned on, but a machine in the plain layout cannot be updated',
      hint: 'the ostree layout can',
    })
  }
  return { sysroot, root: sysroot, layout: 'plain', ...customized, warnings, imageSize: measureFiles(tree) }
}
