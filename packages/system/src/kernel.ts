import { BootableError } from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import { findDirectory, findFile, sortedEntries } from '@bootable/tree'
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

/**
 * The one kernel of a bootable image.
 *
 * @param labels of the image's configuration; without them only the kernel is looked for
 * @throws BootableError `NOT_BOOTABLE`, which says what is missing or which kernels there are
 */
export function requireBootable(tree: FileTree, labels?: Readonly<Record<string, string>>): Kernel {
  const kernels = findKernels(tree)
  const missing: string[] = []
  if (kernels.length === 0) missing.push(`there is no kernel at /${MODULES}/<version>/vmlinuz`)
  if (labels && !isLabelledBootable(labels)) {
    missing.push('neither the label containers.bootc=1 nor ostree.bootable is set')
  }
  const [kernel, ...others] = kernels
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
  if (others.length > 0) {
    const versions = kernels.map(({ version }) => version)
    throw new BootableError<SystemErrorCode>(
      'NOT_BOOTABLE',
      `the image has ${versions.length} kernels, a machine boots one: ${versions.join(', ')}`,
      {
        details: { kernels: versions },
        hint: 'remove all but one directory below /usr/lib/modules in the image',
      },
    )
  }
  return kernel
}

/** Whether the labels of an image say that it is bootable: `containers.bootc=1` or `ostree.bootable`. */
export function isLabelledBootable(labels: Readonly<Record<string, string>>): boolean {
  return labels['containers.bootc'] === '1' || ['1', 'true'].includes(labels['ostree.bootable'] ?? '')
}
