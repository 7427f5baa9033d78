import { BootableError } from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import { createDirectory, findDirectory, findFile, sortedEntries } from '@bootable/tree'
import type { SystemErrorCode } from './errors.ts'
import type { Kernel } from './installed-system.ts'

const MODULES = 'usr/lib/modules'
/** Both spellings are in use; ostree takes either (`ostree admin deploy`). */
const INITRAMFS_NAMES = ['initramfs.img', 'initramfs']

/** The kernels of a tree, by version: each directory below `usr/lib/modules` that holds a `vmlinuz`. */
export function findKernels(tree: FileTree): Kernel[] {
  const modules = findDirectory(tree, MODULES)
  if (!modules) return []
  return sortedEntries(modules).flatMap(([version]) => {
    const directory = `${MODULES}/${version}`
    if (!findFile(tree, `${directory}/vmlinuz`)) return []
    const initramfs = INITRAMFS_NAMES.map((name) => `${directory}/${name}`).find((path) =>
      findFile(tree, path),
    )
    return [{ version, vmlinuz: `${directory}/vmlinuz`, ...(initramfs !== undefined && { initramfs }) }]
  })
}

/** Where bootc looks for the unified kernel image of an image (`bootc-lib`, `kernel.rs`). */
const UNIFIED_KERNELS = 'boot/EFI/Linux'

/**
 * The unified kernel images of a tree: in `boot/EFI/Linux`, and beside the modules below `usr/lib/modules`,
 * where packages put them for kernel-install(8).
 */
export function findUnifiedKernels(tree: FileTree): UnifiedKernelFile[] {
  const modules = findDirectory(tree, MODULES)
  const versions = modules ? sortedEntries(modules).map(([version]) => version) : []
  return [
    ...listPrograms(tree, UNIFIED_KERNELS).map((path) => ({ path, isInstalled: true })),
    ...versions.flatMap((version) =>
      listPrograms(tree, `${MODULES}/${version}`).map((path) => ({ path, version, isInstalled: false })),
    ),
  ]
}

function listPrograms(tree: FileTree, folder: string): string[] {
  const directory = findDirectory(tree, folder)
  const names = directory ? sortedEntries(directory).map(([name]) => `${folder}/${name}`) : []
  return names.filter((path) => path.endsWith('.efi') && findFile(tree, path))
}

/** A unified kernel image in a tree. */
export interface UnifiedKernelFile {
  readonly path: string
  /** Of the directory of modules that it lies in. */
  readonly version?: string
  /** It lies where a machine starts it from, and not where packages put it. */
  readonly isInstalled: boolean
}

/** The unified kernel image that an image is started by: one that is installed, or there is no other kernel. */
function carriedKernel(tree: FileTree, kernels: readonly Kernel[]): Kernel | undefined {
  const all = findUnifiedKernels(tree)
  const installed = all.filter(({ isInstalled }) => isInstalled)
  const carried = installed.length > 0 || kernels.length > 0 ? installed : all
  const [first, ...others] = carried
  if (!first) return undefined
  if (others.length > 0) throw tooManyKernels(carried.map(({ path }) => `/${path}`))
  const [directory, ...more] = sortedEntries(findDirectory(tree, MODULES) ?? createDirectory())
  const stem = first.path.slice(first.path.lastIndexOf('/') + 1, -'.efi'.length)
  const version = first.version ?? (directory && more.length === 0 ? directory[0] : stem)
  return { version, vmlinuz: first.path, uki: first.path }
}

/**
 * The one kernel of a bootable image: of a unified kernel image and another the unified one.
 *
 * @param labels of the image's configuration; without them only the kernel is looked for
 * @throws BootableError `NOT_BOOTABLE`, which says what is missing or which kernels there are
 */
export function requireBootable(tree: FileTree, labels?: Readonly<Record<string, string>>): Kernel {
  const kernels = findKernels(tree)
  const carried = carriedKernel(tree, kernels)
  const missing: string[] = []
  if (kernels.length === 0 && !carried) missing.push(`there is no kernel at /${MODULES}/<version>/vmlinuz`)
  if (labels && !isLabelledBootable(labels)) {
    missing.push('neither the label containers.bootc=1 nor ostree.bootable is set')
  }
  const [kernel, ...others] = carried ? [carried] : kernels
  if (!kernel || missing.length > 0) {
    throw new BootableError<SystemErrorCode>(
      'NOT_BOOTABLE',
      `the image is not bootable: ${missing.join(', and ')}`,
      {
        details: { missing, kernels: kernels.map(({ version }) => version) },
        hint: 'start from a bootable base image (FROM quay.io/fedora/fedora-bootc, for example), or install a kernel into it and set LABEL containers.bootc=1',
      },
    )
  }
  if (others.length > 0) throw tooManyKernels(kernels.map(({ version }) => version))
  return kernel
}

function tooManyKernels(kernels: readonly string[]): BootableError<SystemErrorCode> {
  return new BootableError<SystemErrorCode>(
    'NOT_BOOTABLE',
    `the image has ${kernels.length} kernels, a machine boots one: ${kernels.join(', ')}`,
    {
      details: { kernels },
      hint: kernels[0]?.startsWith('/')
        ? 'remove all but one of these files from the image'
        : 'remove all but one directory below /usr/lib/modules in the image',
    },
  )
}

/** Whether the labels of an image say that it is bootable: `containers.bootc=1` or `ostree.bootable`. */
export function isLabelledBootable(labels: Readonly<Record<string, string>>): boolean {
  return labels['containers.bootc'] === '1' || ['1', 'true'].includes(labels['ostree.bootable'] ?? '')
}
