/** Below `/var`, but links of the image or directories that the system itself manages. */
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
  return path.startsWith('/var/') && rootFilesystem !== 'btrfs' && !REFUSED.includes(path)
}
