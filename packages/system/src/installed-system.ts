import type { FileTree } from '@bootable/tree'
import type { Architecture } from './architecture.ts'
import type { InstallConfiguration } from './install-configuration.ts'

/** The kernel that the boot loader starts. Paths are inside the sysroot, without a leading slash. */
export interface Kernel {
  /** Name of its directory below `usr/lib/modules`, which is what `uname -r` will print. */
  readonly version: string
  readonly vmlinuz: string
  readonly initramfs?: string
}

/** Something that the user should know; the installation went on. */
export interface SystemWarning {
  readonly message: string
  readonly hint?: string
}

/**
 * A tree that has become an operating system: everything that a disk needs, before any partition.
 *
 * `sysroot` is one tree, with `/boot` and `/boot/efi` inside; partitions are carved from it by mount
 * point when the disk is written.
 */
export interface InstalledSystem {
  readonly sysroot: FileTree
  /** `plain`: the image's tree is the root filesystem. `ostree`: it is a deployment in a repository. */
  readonly layout: 'plain' | 'ostree'
  readonly architecture: Architecture
  readonly kernel: Kernel
  /**
   * What the kernel is started with, apart from what depends on the filesystems (`root=`, `rootflags=`,
   * `boot=`): `composeKernelArguments` adds those.
   */
  readonly kernelArguments: readonly string[]
  /** os-release(5), quotes removed. */
  readonly osRelease: Readonly<Record<string, string>>
  readonly installConfiguration: InstallConfiguration
  /** Size of the image's files in bytes; the least size of a root filesystem follows from it. */
  readonly imageSize?: number
  readonly warnings: readonly SystemWarning[]
}
