import type { FileTree } from '@bootable/tree'
import type { Architecture } from './architecture.ts'
import type { InstallConfiguration } from './install-configuration.ts'

/** The kernel that the boot loader starts. Paths are those of the running machine, without a leading slash. */
export interface Kernel {
  /** Name of its directory below `usr/lib/modules`, which is what `uname -r` will print. */
  readonly version: string
  readonly vmlinuz: string
  readonly initramfs?: string
  /**
   * The unified kernel image that the image carries instead; `vmlinuz` is then the same file. Its command
   * line is part of it.
   */
  readonly uki?: string
}

/** A boot entry that belongs to the layout of the system, without what depends on the filesystems. */
export interface SystemBootEntry {
  /** Path of the file in the sysroot, such as `boot/loader.1/entries/ostree-1.conf`. */
  readonly path: string
  readonly title: string
  readonly version: string
  /** Paths as the boot loader sees them. */
  readonly linux: string
  readonly initrd: readonly string[]
  /** Every other key with its values: `devicetree`, `fdtdir`, `aboot`. */
  readonly other?: Readonly<Record<string, readonly string[]>>
  /** Kernel arguments after all others: `ostree=…`. */
  readonly arguments: readonly string[]
}

/** Where ostree keeps the system in its sysroot. Paths are without a leading slash. */
export interface SystemDeployment {
  /** Whose `/var` it has. */
  readonly stateroot: string
  /** Checksum of the commit that was deployed. */
  readonly commit: string
  /** Such as `ostree/deploy/default/deploy/<commit>.0`. */
  readonly path: string
  /** `container-image-reference` of the origin: where the next image comes from. */
  readonly reference: string
}

/**
 * What a BIOS starts: code in the first sector of the disk, which loads an image from a partition of its
 * own. Both hold sector numbers, so their bytes are known when the place of the partition is.
 */
export interface BootCode {
  /** Bytes of the image in the BIOS boot partition. */
  readonly size: number
  /**
   * The boot sector's first 440 bytes, and the image for a partition that begins at this sector. Sectors
   * have 512 bytes: no BIOS code knows others.
   */
  place(firstSector: number): { readonly bootSector: Uint8Array; readonly image: Uint8Array }
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
  /**
   * What the running machine sees as `/`, with its `/etc`, `/var` and `/boot`: the sysroot itself in the plain
   * layout, a view of the deployment in ostree. Inodes are those of the sysroot, so an edit in one shows in
   * the other. `kernel`'s paths are in here.
   */
  readonly root: FileTree
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
  /** Where the layout itself prescribes how it is started. Without it the boot loader makes an entry. */
  readonly bootEntry?: SystemBootEntry
  /** Of the ostree layout. */
  readonly deployment?: SystemDeployment
  /** Where machines with a BIOS are to start it. */
  readonly bootCode?: BootCode
  /** Size of the image's files in bytes; the least size of a root filesystem follows from it. */
  readonly imageSize?: number
  readonly warnings: readonly SystemWarning[]
}

/**
 * Where in the sysroot a place of the running machine lies: `/var` of the ostree layout is that of its
 * stateroot; everything else that can be a filesystem of its own is where it seems to be.
 * @param path absolute
 */
export function sysrootPath({ deployment }: Pick<InstalledSystem, 'deployment'>, path: string): string {
  const isVar = path === '/var' || path.startsWith('/var/')
  return deployment && isVar ? `/ostree/deploy/${deployment.stateroot}${path}` : path
}
