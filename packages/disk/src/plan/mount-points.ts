import { DANGEROUS_MOUNT_POINTS } from '@bootable/blueprint/rules'
import type { InstalledSystem } from '@bootable/system'

/** Whether a path is absolute and in its shortest form. */
export function isCanonicalPath(path: string): boolean {
  const names = path.split('/').slice(1)
  return path === '/' || (path.startsWith('/') && names.every((name) => !['', '.', '..'].includes(name)))
}

/** Directories of an ostree system that are links into `/var`. */
const LINKS: Readonly<Record<string, string>> = {
  '/home': '/var/home',
  '/mnt': '/var/mnt',
  '/opt': '/var/opt',
  '/root': '/var/roothome',
  '/srv': '/var/srv',
  '/usr/local': '/var/usrlocal',
}

/** Links to `/run`, which is filled when the machine starts. */
const VOLATILE = ['/var/run', '/var/lock']

/**
 * Why a system cannot have a filesystem of its own at a place; `undefined` where it can.
 *
 * In the ostree layout everything but `/boot` and `/var` is part of the deployment, which is swapped as a
 * whole and read-only.
 *
 * @param path absolute and canonical
 */
export function mountPointProblem(path: string, layout: InstalledSystem['layout']): string | undefined {
  if (path === '/' || path === '/boot' || path === '/boot/efi') return undefined
  const refused = [...DANGEROUS_MOUNT_POINTS, ...VOLATILE].find((directory) => isBelow(path, directory))
  if (refused !== undefined) return `nothing can be mounted at ${path}: ${refused} is the system's own`
  if (layout === 'plain' || isBelow(path, '/var')) return undefined
  const link = Object.keys(LINKS).find((directory) => isBelow(path, directory))
  if (link !== undefined) {
    const target = LINKS[link] as string
    return `${link} is a link to ${target} in the ostree layout: mount it at ${target}${path.slice(link.length)}`
  }
  return `${path} belongs to the image in the ostree layout; /, /boot, /boot/efi, /var and what is below /var may be filesystems of their own`
}

function isBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`)
}
