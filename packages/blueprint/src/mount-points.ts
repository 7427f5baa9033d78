/** Below `/var`, but links of the image or directories that the system itself manages, with all in them. */
const REFUSED = [
  '/var/home',
  '/var/lock',
  '/var/mail',
  '/var/mnt',
  '/var/roothome',
  '/var/run',
  '/var/srv',
  '/var/usrlocal',
]

/**
 * Whether the `filesystem` customization may give a path a filesystem of its own: `/`, `/boot`, and
 * directories below `/var` that belong to nobody else, as bootc-image-builder has it.
 *
 * @param rootFilesystem with `btrfs` only `/` and `/boot` are allowed
 */
export function isAllowedMountPoint(path: string, rootFilesystem?: string): boolean {
  if (path === '/' || path === '/boot') return true
  if (!path.startsWith('/var/') || rootFilesystem === 'btrfs') return false
  return !REFUSED.some((refused) => path === refused || path.startsWith(`${refused}/`))
}

/** What the kernel, systemd and ostree fill themselves, or need before anything is mounted. */
export const DANGEROUS_MOUNT_POINTS: readonly string[] = [
  '/bin',
  '/dev',
  '/etc',
  '/lib',
  '/lib64',
  '/ostree',
  '/proc',
  '/run',
  '/sbin',
  '/sys',
  '/sysroot',
]
