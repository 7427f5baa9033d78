import type { Timestamp } from '@bootable/tree'
import { createFile, createSymlink, ensureDirectory, findFile, putInode } from '@bootable/tree'
import { encryptedVolumes, mergeCrypttab } from './crypttab.ts'
import { readText, writeText } from './edit.ts'
import { mergeFstab } from './fstab.ts'
import type { InstalledSystem } from './installed-system.ts'
import { mountUnit, waitingDevice } from './mount-units.ts'
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
 * Edits `system.root`. Lines of an fstab and a crypttab that the image brings stay, but for the same places.
 *
 * In the plain layout nothing remounts the root filesystem for writing but its own line: `ro` of `/`
 * and `/boot`, which is right for ostree, is left out there. Where the image has systemd-growfs(8), `/` grows
 * with its partition.
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
  for (const { type, path } of mounts) if (type !== 'swap') ensureDirectory(root, path, { mtime })
  const boot = mounts.find(({ path }) => path === '/boot')
  if (layout === 'ostree' && boot) {
    writeText(root, 'etc/fstab', `UUID=${boot.uuid} /boot auto ro 0 0\n`, { mtime })
  }
  if (style === 'none') return
  await writeCrypttab(system, mounts, mtime)
  const wanted = layout === 'plain' ? mounts.map((mount) => plainMount(system, mount)) : mounts
  if (style === 'fstab') {
    const text = (await readText(root, 'etc/fstab')) ?? ''
    ensureDirectory(root, 'etc', { mtime })
    const lines = wanted.filter(({ path }) => layout === 'plain' || path !== '/').map(patient)
    writeText(root, 'etc/fstab', mergeFstab(text, lines), { mtime })
    return
  }
  const folder = 'etc/systemd/system'
  ensureDirectory(root, `${folder}/multi-user.target.wants`, { mtime })
  for (const { name, text } of wanted.map(mountUnit)) {
    putInode(root, `${folder}/${name}`, createFile(text, { mtime }))
    const link = createSymlink(`/etc/systemd/system/${name}`, { mtime })
    putInode(root, `${folder}/multi-user.target.wants/${name}`, link)
  }
  for (const { name, text } of wanted.filter(isEncrypted).map(waitingDevice)) {
    ensureDirectory(root, `${folder}/${name.slice(0, name.lastIndexOf('/'))}`, { mtime })
    putInode(root, `${folder}/${name}`, createFile(text, { mtime }))
  }
}

async function writeCrypttab(
  { root }: InstalledSystem,
  mounts: readonly MountPoint[],
  mtime: Timestamp,
): Promise<void> {
  const volumes = encryptedVolumes(mounts)
  if (volumes.length === 0) return
  const text = mergeCrypttab((await readText(root, 'etc/crypttab')) ?? '', volumes)
  ensureDirectory(root, 'etc', { mtime })
  // Lines may hold the names of key files: crypttab(5) is for root alone.
  writeText(root, 'etc/crypttab', text, { mode: 0o600, mtime })
}

const GROWFS = ['usr/lib/systemd/systemd-growfs', 'lib/systemd/systemd-growfs']

/** The options of a mount where nobody but its own line, or unit, remounts it. */
function plainMount({ root }: InstalledSystem, mount: MountPoint): MountPoint {
  if (mount.path !== '/' && mount.path !== '/boot') return mount
  const given = mount.options.split(',').filter((option) => option !== 'ro' && option !== '')
  const options = given.length > 0 ? given : ['defaults']
  const grows = mount.path === '/' && GROWFS.some((path) => findFile(root, path))
  if (grows && !options.includes('x-systemd.growfs')) options.push('x-systemd.growfs')
  return { ...mount, options: options.join(',') }
}

/** Somebody has to type a passphrase first, for which there is time (systemd.mount(5)). */
function patient(mount: MountPoint): MountPoint {
  if (!isEncrypted(mount) || mount.options.includes('x-systemd.device-timeout=')) return mount
  return { ...mount, options: `${mount.options || 'defaults'},x-systemd.device-timeout=0` }
}

function isEncrypted(mount: MountPoint): boolean {
  return encryptedVolumes([mount]).length > 0
}
