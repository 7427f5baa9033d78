import { cloneTree, type SystemBootEntry } from '@bootable/system'
import { createSymlink, ensureDirectory, type FileTree, putInode, type Timestamp } from '@bootable/tree'
import type { BootFiles } from './boot-files.ts'

/** What the first deployment of a sysroot is called. */
export interface DeploymentName {
  readonly stateroot: string
  /** Path of the deployment in the sysroot. */
  readonly path: string
  /** For people, with `(ostree:0)` at its end. */
  readonly title: string
}

/** Where the initramfs would have done it: without one, the kernel starts this as its init. */
const PREPARE_ROOT = 'usr/lib/ostree/ostree-prepare-root'

/**
 * Puts the kernel of the first deployment into `/boot`, and makes the links by which boot loader, initramfs
 * and ostree find it: the state that ostree calls boot version 1 and subversion 1. Files are the inodes of
 * the repository's objects, as `ostree admin deploy` links them where `/boot` is on the root filesystem.
 *
 * @returns the entry for the boot loader; its file is not written
 */
export function installBootFiles(
  sysroot: FileTree,
  boot: BootFiles,
  { stateroot, path, title }: DeploymentName,
  mtime: Timestamp,
): SystemBootEntry {
  const folder = `ostree/${stateroot}-${boot.checksum}`
  const directory = ensureDirectory(sysroot, `boot/${folder}`, { mtime })
  for (const { name, inode } of boot.files) {
    directory.entries.set(name, inode.type === 'directory' ? cloneTree({ root: inode }).root : inode)
  }
  const link = (place: string, target: string): void => {
    putInode(sysroot, place, createSymlink(target, { mtime }))
  }
  // Paths of entries begin with /boot; where /boot is a filesystem of its own, this makes them right.
  link('boot/boot', '.')
  link('boot/loader', 'loader.1')
  ensureDirectory(sysroot, 'boot/loader.1/entries', { mtime })
  link('ostree/boot.1', 'boot.1.1')
  const serial = `${stateroot}/${boot.checksum}/0`
  ensureDirectory(sysroot, `ostree/boot.1.1/${stateroot}/${boot.checksum}`, { mtime })
  link(`ostree/boot.1.1/${serial}`, `../../../${path.slice('ostree/'.length)}`)

  const visible = (name: string): string => `/boot/${folder}/${name}`
  const root = `/ostree/boot.1/${serial}`
  const other = Object.entries({ devicetree: boot.devicetree, fdtdir: boot.fdtdir, aboot: boot.aboot })
  return {
    path: 'boot/loader.1/entries/ostree-1.conf',
    title,
    version: '1',
    linux: visible(boot.linux),
    initrd: boot.initrd === undefined ? [] : [visible(boot.initrd)],
    other: Object.fromEntries(other.flatMap(([key, name]) => (name ? [[key, [visible(name)]]] : []))),
    arguments: [...(boot.initrd === undefined ? [`init=${root}/${PREPARE_ROOT}`] : []), `ostree=${root}`],
  }
}
