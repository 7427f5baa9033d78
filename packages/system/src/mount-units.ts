import { utf8 } from '@bootable/bytes'
import type { MountPoint } from './mounts.ts'

/** A unit file of systemd. */
export interface Unit {
  readonly name: string
  readonly text: string
}

/** The mount or swap unit of a filesystem (systemd.mount(5), systemd.swap(5)), as osbuild writes it. */
export function mountUnit({ path, type, uuid, options }: MountPoint): Unit {
  // The links of udev are lower case, but for FAT, whose serial number is printed in capitals.
  const device = `/dev/disk/by-uuid/${type === 'vfat' ? uuid.toUpperCase() : uuid.toLowerCase()}`
  const swap = type === 'swap'
  const section = swap
    ? ['[Swap]', `What=${device}`]
    : ['[Mount]', `What=${device}`, `Where=${path.replaceAll('%', '%%')}`, `Type=${type}`]
  if (options !== '') section.push(`Options=${options}`)
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
