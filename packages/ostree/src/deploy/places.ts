import { BootableError } from '@bootable/bytes'
import { completeLinks, type DeploymentOptions, plannedHomes } from '@bootable/system'
import { ensureDirectory, type FileTree, resolvePath, splitPath, type Timestamp } from '@bootable/tree'
import type { OstreeErrorCode } from '../errors.ts'

/** What of a deployment is not the commit. */
const WRITABLE = ['etc', 'var']

/** Files that users and groups stand in. */
const ACCOUNT_FILES = ['passwd', 'shadow', 'group', 'gshadow', 'subuid', 'subgid']

/** Where timers are turned on and off: systemd.unit(5). */
const UNITS = '/etc/systemd/system'

/** What {@link preparePlaces} has to know. */
export interface PlaceOptions {
  readonly blueprint: DeploymentOptions['blueprint']
  /** `etc.transient` of prepare-root.conf: the machine makes its `/etc` anew from the image at every boot. */
  readonly etcTransient: boolean
  readonly mtime: Timestamp
}

/**
 * Makes the places below `/var` that a blueprint needs, as image-builder does before it runs useradd, and
 * makes sure that all it writes lands in `/etc` or `/var`: the rest is the commit, whose checksum
 * would no longer be that of its image.
 *
 * @param root the view of the machine; directories below `/var` are added to it
 * @throws BootableError `OSTREE_READ_ONLY`
 */
export async function preparePlaces(
  root: FileTree,
  { blueprint, etcTransient, mtime }: PlaceOptions,
): Promise<void> {
  const { user = [], group = [], files = [], directories = [], updates } = blueprint?.customizations ?? {}
  if (user.some(({ name }) => name !== 'root')) ensureDirectory(root, 'var/home', { mtime })
  if (user.some(({ name }) => name === 'root')) ensureDirectory(root, 'var/roothome', { mode: 0o700, mtime })

  const accounts = user.length + group.length > 0 ? ACCOUNT_FILES.map((name) => `/etc/${name}`) : []
  const homes = await plannedHomes(root, user)
  const units = updates?.enabled === undefined ? [] : [UNITS]
  const named = [...directories, ...files].map(({ path }) => path)
  const written = [...accounts, ...homes, ...units, ...named]
  completeLinks(root, mtime, written)
  const writable = etcTransient ? WRITABLE.filter((name) => name !== 'etc') : WRITABLE
  for (const path of written) checkPlace(root, path, writable)
}

function checkPlace(root: FileTree, path: string, writable: readonly string[]): void {
  const landing = landingOf(root, path)
  const [top = ''] = splitPath(landing)
  if (writable.includes(top)) return
  const subject = landing === path ? path : `${path} (${landing})`
  const reason = WRITABLE.includes(top)
    ? 'is made anew from the image whenever the machine boots (etc.transient in prepare-root.conf)'
    : 'belongs to the image, which is read-only in the running machine'
  throw new BootableError<OstreeErrorCode>('OSTREE_READ_ONLY', `${subject} cannot be written: it ${reason}`, {
    details: { path, landing },
    hint: `put it below ${writable.map((name) => `/${name}`).join(' or ')}, or into the image itself; the plain layout makes a machine that is writable, and does not update itself`,
  })
}

/** Where something under a path would come to stand: links are followed as far as there is anything. */
function landingOf(root: FileTree, path: string): string {
  const names = splitPath(path)
  for (let depth = names.length; depth > 0; depth--) {
    const found = resolvePath(root, names.slice(0, depth).join('/'))
    if (found) return `/${[found.path, ...names.slice(depth)].join('/')}`
  }
  return `/${names.join('/')}`
}
