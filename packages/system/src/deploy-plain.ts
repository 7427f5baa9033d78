import type { Blueprint } from '@bootable/blueprint'
import type { FileTree } from '@bootable/tree'
import { parseArchitecture } from './architecture.ts'
import { customizeSystem, type DeploymentOptions } from './customize-system.ts'
import { cloneTree } from './edit.ts'
import type { InstalledSystem, Kernel, SystemWarning } from './installed-system.ts'
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
  const { blueprint, ...others } = options
  const isSealed = kernel.uki !== undefined
  const customized = await customizeSystem(sysroot, {
    ...(isSealed ? others : options),
    architecture,
    kernel,
  })
  const warnings = [...customized.warnings, ...(isSealed ? leftOut(kernel, blueprint) : [])]
  if (!isSealed && blueprint?.customizations.updates?.enabled) {
    warnings.push({
      message: 'automatic updates are turned on, but a machine in the plain layout cannot be updated',
      hint: 'the ostree layout can',
    })
  }
  return {
    sysroot,
    root: sysroot,
    layout: 'plain',
    ...customized,
    ...(isSealed && { kernelArguments: [] }),
    warnings,
    imageSize: measureFiles(tree),
  }
}

/** What is about the disk and not about the system on it. */
const OF_THE_DISK = ['filesystem', 'disk']

/**
 * As bootc-image-builder does it, an image with a unified kernel image is installed as it is: that may have
 * been made, and signed, for exactly these files.
 */
function leftOut({ uki }: Kernel, blueprint: Blueprint | undefined): SystemWarning[] {
  const given = Object.entries(blueprint?.customizations ?? {}).filter(
    ([key, value]) =>
      !OF_THE_DISK.includes(key) && value !== undefined && !(Array.isArray(value) && value.length === 0),
  )
  if (given.length === 0) return []
  const keys = given.map(([key]) => `customizations.${key}`).join(', ')
  return [
    {
      message: `the image carries a unified kernel image (/${uki}) and is installed as it is; left out: ${keys}`,
      hint: 'put accounts and files into the image, and kernel arguments into its unified kernel image',
    },
  ]
}
