import type { MountPoint } from '../src/index.ts'

const COMMON = { label: '', freq: 0, passno: 0 }

export const ROOT: MountPoint = {
  ...COMMON,
  path: '/',
  type: 'ext4',
  uuid: '6264d520-3fb9-423f-8ab8-7a0a8e3d3562',
  label: 'root',
  options: 'ro',
}
export const BTRFS: MountPoint = { ...ROOT, type: 'btrfs', options: 'subvol=root,compress=zstd:1,ro' }
export const XBOOTLDR: MountPoint = {
  ...COMMON,
  path: '/boot',
  type: 'ext4',
  uuid: 'cb07c243-bc44-4717-853e-28852021225b',
  options: 'ro',
}
export const EFI: MountPoint = {
  ...COMMON,
  path: '/boot/efi',
  type: 'vfat',
  uuid: '7B77-95E7',
  options: 'umask=0077,shortname=winnt',
  passno: 2,
}
export const SWAP: MountPoint = {
  ...COMMON,
  path: 'none',
  type: 'swap',
  uuid: '0657fd6d-a4ab-43c4-84e5-0933c84b4f4f',
  options: 'defaults',
}
