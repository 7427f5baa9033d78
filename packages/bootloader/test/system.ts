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

/** What an image with bootupd ships for `grub.cfg`, with a GRUB that knows `blscfg`. */
export const BOOTUPD_PIECES: Readonly<Record<string, string>> = {
  ...SHIM_AND_GRUB,
  'usr/lib/bootupd/updates/EFI/fedora/grubx64.efi': 'MZ… bblscfg\0…',
  'usr/lib/bootupd/grub2-static/grub-static-pre.cfg': 'set root=$boot\n',
  'usr/lib/bootupd/grub2-static/grub-static-efi.cfg': 'source $config_directory/bootuuid.cfg\n',
  'usr/lib/bootupd/grub2-static/configs.d/41_custom.cfg': 'source $prefix/custom.cfg\n',
  'usr/lib/bootupd/grub2-static/configs.d/10_blscfg.cfg': 'blscfg\n',
  'usr/lib/bootupd/grub2-static/configs.d/README': 'not a piece\n',
}

/** A deployment of ostree that ships these files; what its layout puts into `/boot` is left out. */
export function ostreeSystem(
  files: Readonly<Record<string, string>>,
  given: Partial<InstalledSystem> = {},
): InstalledSystem {
  const kernel = `/boot/ostree/default-${'ab'.repeat(32)}`
  return installedSystem(files, {
    sysroot: createTree(),
    root: kernelTree(files),
    layout: 'ostree',
    kernelArguments: ['console=tty0', 'console=ttyS0', 'a="b c"'],
    osRelease: { ID: 'fedora', NAME: "Alice's Linux", PRETTY_NAME: 'Alice Linux 42' },
    bootEntry: {
      path: 'boot/loader.1/entries/ostree-1.conf',
      title: 'Alice Linux 42 (ostree:0)',
      version: '1',
      linux: `${kernel}/vmlinuz-6.1.0`,
      initrd: [`${kernel}/initramfs-6.1.0.img`],
      arguments: [`ostree=/ostree/boot.1/default/${'ab'.repeat(32)}/0`],
    },
    ...given,
  })
}

function mount(path: string, type: MountPoint['type'], uuid: string, options = 'defaults'): MountPoint {
  return { path, type, uuid, label: '', options, freq: 0, passno: 0 }
}

export const ROOT = mount('/', 'ext4', 'aaaaaaaa-0000-4000-8000-000000000001')
export const BTRFS_ROOT = mount('/', 'btrfs', 'aaaaaaaa-0000-4000-8000-000000000001', 'subvol=/root,noatime')
export const BOOT = mount('/boot', 'ext4', 'bbbbbbbb-0000-4000-8000-000000000002')
export const ESP = mount('/boot/efi', 'vfat', 'ABCD-1234', 'umask=0077')
