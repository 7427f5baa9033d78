import type { Timestamp } from '@bootable/tree'
import { createFile, createSymlink, ensureDirectory, putInode } from '@bootable/tree'
import { readText, writeText } from './edit.ts'
import { mergeFstab } from './fstab.ts'
import type { InstalledSystem } from './installed-system.ts'
import { mountUnit } from './mount-units.ts'
import type { MountPoint } from './mounts.ts'

/** Options of {@link writeMounts}. */
export interface WriteMountsOptions {
  /** Time stamp of what is written, in seconds since 1970. */
  readonly clock: number
  /**
   * Who mounts: `/etc/fstab`, units of systemd below `/etc/systemd/system`, or nobody.
   * @defaultValue `fstab` for the plain layout, `units` for ostree
   */
  readonly style?: 'fstab' | 'units' | 'none'
}

/**
 * Writes the mounts of the finished disk into a system, and makes the directories they are mounted on.
 * Edits `system.root`. Lines of an fstab that the image brings stay, but for the same places.
 *
 * In the plain layout nothing remounts the root filesystem for writing but its own line: `ro` of `/`
 * and `/boot`, which is right for ostree, is left out there.
 *
 * In the ostree layout a `/boot` of its own makes the fstab one line, as `bootc install` leaves it. `/` has
 * no line: under composefs `systemd-remount-fs.service` would fail over it, and units it does not look at.
 */
export async function writeMounts(
  system: InstalledSystem,
  mounts: readonly MountPoint[],
  options: WriteMountsOptions,
): Promise<void> {
  const { root, layout } = system
  const { clock, style = layout === 'plain' ? 'fstab' : 'units' } = options
  const mtime: Timestamp = { seconds: clock, nanoseconds: 0 }
  const wanted = layout === 'plain' ? mounts.map(writable) : mounts
  for (const { type, path } of wanted) {
    if (type !== 'swap' && layout === 'plain') ensureDirectory(root, path, { mtime })
  }
  const boot = mounts.find(({ path }) => path === '/boot')
  if (layout === 'ostree' && boot) {
    writeText(root, 'etc/fstab', `UUID=${boot.uuid} /boot auto ro 0 0\n`, { mtime })
  }
  if (style === 'fstab') {
    const text = (await readText(root, 'etc/fstab')) ?? ''
    ensureDirectory(root, 'etc', { mtime })
    writeText(root, 'etc/fstab', mergeFstab(text, wanted), { mtime })
  } else if (style === 'units') {
    const folder = 'etc/systemd/system'
    ensureDirectory(root, `${folder}/multi-user.target.wants`, { mtime })
    for (const { name, text } of wanted.map(mountUnit)) {
      putInode(root, `${folder}/${name}`, createFile(text, { mtime }))
      const link = createSymlink(`/etc/systemd/system/${name}`, { mtime })
      putInode(root, `${folder}/multi-user.target.wants/${name}`, link)
    }
  }
}

function writable(mount: MountPoint): MountPoint {
  if (mount.path !== '/' && mount.path !== '/boot') return mount
  const options = mount.options.split(',').filter((option) => option !== 'ro' && option !== '')
  return { ...mount, options: options.length > 0 ? options.join(',') : 'defaults' }
}
