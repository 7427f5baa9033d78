import { decodeUtf8, readAll } from '@bootable/bytes'
import { type Directory, type FileTree, lookup, sortedEntries } from '@bootable/tree'

/** A mount that a system makes when it starts. */
export interface SystemMount {
  /** First field of fstab(5): `UUID=…`, `LABEL=…`, `PARTUUID=…`, `PARTLABEL=…` or a device. */
  readonly what: string
  /** Absolute. */
  readonly where: string
  /** Mount options, separated by commas. */
  readonly options: string
  /** Where the system keeps its `/var`, in the tree: empty but in the ostree layout. */
  readonly prefix: string
}

/** Larger files are no configuration of mounts. */
const MAX_SIZE = 1024 * 1024

/**
 * The mounts of a system by its own configuration: `/etc/fstab` and the mount units below
 * `/etc/systemd/system`, of every deployment in the ostree layout. Of several for the same place the first
 * one counts.
 */
export async function readSystemMounts(tree: FileTree): Promise<SystemMount[]> {
  const mounts = new Map<string, SystemMount>()
  for (const { etc, prefix } of systemsIn(tree)) {
    const fstab = await readText(tree, `${etc}/fstab`)
    const found = fstab === undefined ? [] : parseFstab(fstab)
    const units = lookup(tree, `${etc}/systemd/system`)
    for (const name of units?.type === 'directory' ? fileNames(units, '.mount') : []) {
      const text = await readText(tree, `${etc}/systemd/system/${name}`)
      const mount = text === undefined ? undefined : parseMountUnit(text)
      if (mount) found.push(mount)
    }
    for (const mount of found) {
      if (!mounts.has(mount.where)) mounts.set(mount.where, { ...mount, prefix })
    }
  }
  return [...mounts.values()]
}

/** Where the configuration of each system in a tree is. */
function systemsIn(tree: FileTree): { etc: string; prefix: string }[] {
  const stateroots = lookup(tree, 'ostree/deploy')
  const systems = [{ etc: 'etc', prefix: '' }]
  if (stateroots?.type !== 'directory') return systems
  for (const [stateroot] of sortedEntries(stateroots)) {
    const prefix = `ostree/deploy/${stateroot}`
    const deployments = lookup(tree, `${prefix}/deploy`)
    if (deployments?.type !== 'directory') continue
    for (const [name, inode] of sortedEntries(deployments)) {
      if (inode.type === 'directory') systems.push({ etc: `${prefix}/deploy/${name}/etc`, prefix })
    }
  }
  return systems
}

function fileNames(directory: Directory, ending: string): string[] {
  return sortedEntries(directory).flatMap(([name, inode]) =>
    inode.type === 'file' && name.endsWith(ending) ? [name] : [],
  )
}

async function readText(tree: FileTree, path: string): Promise<string | undefined> {
  const inode = lookup(tree, path)
  if (inode?.type !== 'file' || inode.content.size > MAX_SIZE) return undefined
  return decodeUtf8(await readAll(inode.content, MAX_SIZE))
}

type Mount = Omit<SystemMount, 'prefix'>

function parseFstab(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [what = '', where = '', , options = ''] = line.trim().split(/\s+/).map(decodeOctal)
    return what.startsWith('#') || !where.startsWith('/') ? [] : [{ what, where: canonical(where), options }]
  })
}

/** Blanks and backslashes are octal in an fstab (getmntent(3)). */
function decodeOctal(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  )
}

/** What systemd.mount(5) says; `%%` is a percent sign, and units with other specifiers are left out. */
function parseMountUnit(text: string): Mount | undefined {
  const values = new Map<string, string>()
  let section = ''
  for (const line of text.split('\n').map((each) => each.trim())) {
    if (line.startsWith('[')) section = line
    const at = line.indexOf('=')
    if (section === '[Mount]' && at > 0) values.set(line.slice(0, at).trim(), line.slice(at + 1).trim())
  }
  const [what = '', where = ''] = ['What', 'Where'].map((key) => values.get(key)?.replaceAll('%%', '\0'))
  if (!where.startsWith('/') || what === '' || `${what}${where}`.includes('%')) return undefined
  const restored = (value: string): string => value.replaceAll('\0', '%')
  return { what: restored(what), where: canonical(restored(where)), options: values.get('Options') ?? '' }
}

function canonical(path: string): string {
  return `/${path
    .split('/')
    .filter((name) => name !== '' && name !== '.')
    .join('/')}`
}
