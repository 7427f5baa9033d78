import { utf8 } from '@bootable/bytes'
import type { MountPoint } from './mounts.ts'

/** A unit file of systemd. */
export interface Unit {
  readonly name: string
  readonly text: string
}

/** The mount or swap unit of a filesystem (systemd.mount(5), systemd.swap(5)), as osbuild writes it. */
export function mountUnit(mount: MountPoint): Unit {
  const { path, type, options } = mount
  const device = devicePath(mount)
  const swap = type === 'swap'
  const section = swap
    ? ['[Swap]', `What=${device}`]
    : ['[Mount]', `What=${device}`, `Where=${literal(path)}`, `Type=${type}`]
  if (options !== '') section.push(`Options=${literal(options)}`)
  const sections = [
    ['[Unit]', 'DefaultDependencies=True'],
    section,
    ['[Install]', 'WantedBy=multi-user.target'],
  ]
  return {
    name: swap ? `${escapePath(device)}.swap` : `${escapePath(path)}.mount`,
    text: sections.map((lines) => `${lines.join('\n')}\n\n`).join(''),
  }
}

/** A text in which nothing is a specifier (systemd.unit(5)). */
function literal(text: string): string {
  return text.replaceAll('%', '%%')
}

/**
 * A piece of the unit of a filesystem's device (systemd.device(5)): the machine waits for it without end, as
 * somebody has to type a passphrase first. The name is a path below the folder of units.
 */
export function waitingDevice(mount: MountPoint): Unit {
  const name = `${escapePath(devicePath(mount))}.device.d/50-passphrase.conf`
  return { name, text: '[Unit]\nJobRunningTimeoutSec=infinity\n' }
}

/** The links of udev are lower case, but for FAT, whose serial number is printed in capitals. */
function devicePath({ type, uuid }: MountPoint): string {
  return `/dev/disk/by-uuid/${type === 'vfat' ? uuid.toUpperCase() : uuid.toLowerCase()}`
}

/** A path as the name of a unit (systemd.unit(5), "string escaping for inclusion in unit names"). */
export function escapePath(path: string): string {
  const names = path.split('/').filter((name) => name !== '')
  if (names.length === 0) return '-'
  const text = names.map((name) => [...utf8(name)].map(escapeByte).join('')).join('-')
  return text.startsWith('.') ? `\\x2e${text.slice(1)}` : text
}

function escapeByte(byte: number): string {
  const character = String.fromCharCode(byte)
  return /[A-Za-z0-9:_.]/.test(character) ? character : `\\x${byte.toString(16).padStart(2, '0')}`
}
