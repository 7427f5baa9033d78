import { BootableError } from '@bootable/bytes'
import { lookup, splitPath } from '@bootable/tree'
import { encryptedVolumes } from './crypttab.ts'
import type { SystemErrorCode } from './errors.ts'
import type { InstalledSystem, SystemWarning } from './installed-system.ts'
import type { MountPoint } from './mounts.ts'

/**
 * Refuses mounts that the system could not make, by what is in the image. A path must not lead over a symbolic
 * link, since systemd mounts at the place that a link leads to under no other name (systemd.mount(5)).
 *
 * @returns what the image lacks to open what the filesystems lie in
 * @throws BootableError `MOUNT_POINT_INVALID`, one for all of them
 */
export function checkMountPoints(system: InstalledSystem, mounts: readonly MountPoint[]): SystemWarning[] {
  const problems = mounts.flatMap((mount) => {
    const message = mount.type === 'swap' ? undefined : mountPointProblem(system, mount.path)
    return message === undefined ? [] : [{ path: mount.path, message }]
  })
  if (problems.length === 0) return missingTools(system, mounts)
  throw new BootableError<SystemErrorCode>(
    'MOUNT_POINT_INVALID',
    problems.map(({ path, message }) => `${path} ${message}`).join('\n'),
    { details: { problems } },
  )
}

function mountPointProblem({ root }: InstalledSystem, path: string): string | undefined {
  const names = splitPath(path)
  for (let depth = 1; depth <= names.length; depth++) {
    const here = names.slice(0, depth).join('/')
    const inode = lookup(root, here)
    if (inode === undefined) break
    if (inode.type === 'directory') continue
    if (inode.type !== 'symlink') return `cannot be mounted: /${here} of the image is a ${inode.type}`
    const rest = names.slice(depth).map((name) => `/${name}`)
    const target = inode.target.startsWith('/')
      ? inode.target
      : `/${[...names.slice(0, depth - 1), inode.target].join('/')}`
    return `cannot be mounted: /${here} of the image is a link to ${inode.target}; name ${target}${rest.join('')}`
  }
  return undefined
}

/** Programs by which the running machine opens volumes, where distributions have them. */
const CRYPTSETUP = ['usr/lib/systemd/system-generators/systemd-cryptsetup-generator']
const LVM = ['usr/sbin/lvm', 'usr/bin/lvm', 'sbin/lvm']

function missingTools({ root }: InstalledSystem, mounts: readonly MountPoint[]): SystemWarning[] {
  const has = (paths: readonly string[]): boolean => paths.some((path) => lookup(root, path) !== undefined)
  const isLogical = mounts.some(({ layers = [] }) => layers.some(({ type }) => type === 'lvm'))
  const warnings: SystemWarning[] = []
  if (encryptedVolumes(mounts).length > 0 && !has(CRYPTSETUP)) {
    warnings.push({
      message: 'a volume is encrypted, and the image has nothing that opens it',
      hint: 'install systemd’s cryptsetup generator in the image (systemd-cryptsetup, cryptsetup), and in its initramfs dracut’s module crypt',
    })
  }
  if (isLogical && !has(LVM)) {
    warnings.push({
      message: 'a filesystem is on a logical volume, and the image has no lvm',
      hint: 'install lvm2 in the image, and in its initramfs dracut’s module lvm',
    })
  }
  return warnings
}
