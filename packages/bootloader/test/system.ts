import type { InstalledSystem, MountPoint } from '@bootable/system'
import { createFile, createTree, type FileTree, putInode } from '@bootable/tree'

export const CLOCK = { seconds: 1_750_000_000, nanoseconds: 0 }

export const SHIM_AND_GRUB: Readonly<Record<string, string>> = {
  'usr/lib/bootupd/updates/EFI/BOOT/BOOTX64.EFI': 'shim',
  'usr/lib/bootupd/updates/EFI/BOOT/fbx64.efi': 'fallback',
  'usr/lib/bootupd/updates/EFI/fedora/shimx64.efi': 'shim',
  'usr/lib/bootupd/updates/EFI/fedora/grubx64.efi': 'grub',
  'usr/lib/bootupd/updates/EFI/fedora/mmx64.efi': 'mok manager',
  'usr/lib/bootupd/updates/EFI/fedora/BOOTX64.CSV': 'csv',
}

export const SYSTEMD_BOOT = { 'usr/lib/systemd/boot/efi/systemd-bootx64.efi': 'systemd-boot' }

/** A tree with these files besides a kernel. */
export function kernelTree(files: Readonly<Record<string, string>>): FileTree {
  const tree = createTree()
  const all = {
    'usr/lib/modules/6.1.0/vmlinuz': 'kernel',
    'usr/lib/modules/6.1.0/initramfs.img': 'initramfs',
    ...files,
  }
  for (const [path, text] of Object.entries(all)) putInode(tree, path, createFile(text))
  return tree
}

/** A system that ships these files besides its kernel. */
export function installedSystem(
  files: Readonly<Record<string, string>>,
  given: Partial<InstalledSystem> = {},
): InstalledSystem {
  const sysroot = given.sysroot ?? kernelTree(files)
  return {
    sysroot,
    root: sysroot,
    layout: 'plain',
    architecture: 'x86_64',
    kernel: {
      version: '6.1.0',
      vmlinuz: 'usr/lib/modules/6.1.0/vmlinuz',
      initramfs: 'usr/lib/modules/6.1.0/initramfs.img',
    },
    kernelArguments: ['rw', 'console=tty0 console=ttyS0'],
    osRelease: { ID: 'fedora', PRETTY_NAME: "Alice's Linux 42" },
    installConfiguration: { kargs: [], kargDeletes: [] },
    warnings: [],
    ...given,
  }
}

function mount(path: string, type: MountPoint['type'], uuid: string, options = 'defaults'): MountPoint {
  return { path, type, uuid, label: '', options, freq: 0, passno: 0 }
}

export const ROOT = mount('/', 'ext4', 'aaaaaaaa-0000-4000-8000-000000000001')
export const BTRFS_ROOT = mount('/', 'btrfs', 'aaaaaaaa-0000-4000-8000-000000000001', 'subvol=/root,noatime')
export const BOOT = mount('/boot', 'ext4', 'bbbbbbbb-0000-4000-8000-000000000002')
export const ESP = mount('/boot/efi', 'vfat', 'ABCD-1234', 'umask=0077')
