import { type BootEntry, readBootEntries } from '@bootable/bootloader'
import { findKernels, readOsRelease } from '@bootable/system'
import type { FileTree } from '@bootable/tree'

/** What a tree with an operating system in it says about itself. */
export interface SystemReport {
  /** os-release(5); empty where there is none. */
  readonly osRelease: Readonly<Record<string, string>>
  /** Versions of the kernels below `/usr/lib/modules`. */
  readonly kernels: readonly string[]
  /** Boot Loader Specification, type 1. */
  readonly bootEntries: readonly BootEntry[]
}

/** Describes the operating system in a tree. */
export async function inspectSystem(tree: FileTree): Promise<SystemReport> {
  return {
    osRelease: await readOsRelease(tree),
    kernels: findKernels(tree).map(({ version }) => version),
    bootEntries: await readBootEntries(tree),
  }
}
