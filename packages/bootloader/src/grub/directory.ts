import type { InstalledSystem } from '@bootable/system'
import { findDirectory, resolvePath } from '@bootable/tree'

/** Distributions whose GRUB keeps its upstream name; the others of Red Hat's and SUSE's descent say grub2. */
const GRUB_IDS = ['debian', 'ubuntu', 'arch', 'alpine', 'gentoo']

/**
 * What GRUB's directory in `/boot` is called, `grub` or `grub2`.
 *
 * No EFI program of GRUB insists on one (the stub tells it); the distribution's own tools do, and they
 * write there after an update. So the name is taken from a directory that the image already has, then
 * from the name of its tools, then from what distribution it is; `grub2` where nothing tells, which is
 * what bootupd assumes.
 */
export function grubDirectory({ root, osRelease }: InstalledSystem): 'grub' | 'grub2' {
  for (const name of ['grub2', 'grub'] as const) if (findDirectory(root, `boot/${name}`)) return name
  for (const name of ['grub2', 'grub'] as const) {
    const tools = [`usr/sbin/${name}-mkconfig`, `usr/bin/${name}-editenv`]
    if (tools.some((path) => resolvePath(root, path))) return name
  }
  const ids = `${osRelease.ID ?? ''} ${osRelease.ID_LIKE ?? ''}`.split(/\s+/)
  return ids.some((id) => GRUB_IDS.includes(id)) ? 'grub' : 'grub2'
}
