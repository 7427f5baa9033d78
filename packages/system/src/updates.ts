import { BootableError } from '@bootable/bytes'
import type { FileTree, Timestamp } from '@bootable/tree'
import { createSymlink, ensureDirectory, findFile, lookup, putInode, removePath } from '@bootable/tree'
import { readText } from './edit.ts'
import type { SystemErrorCode } from './errors.ts'

/** The timer by which a machine of bootc fetches its next image and restarts into it (bootc-upgrade(8)). */
export const UPDATES_TIMER = 'bootc-fetch-apply-updates.timer'

/** Options of {@link customizeUpdates}. */
export interface CustomizeUpdatesOptions {
  readonly mtime: Timestamp
}

/** Where an administrator's decisions about units lie. */
const DECISIONS = 'etc/systemd/system'
/** Unit load path (systemd.unit(5)), as far as it is on disk. */
const UNIT_FOLDERS = [DECISIONS, 'usr/local/lib/systemd/system', 'usr/lib/systemd/system']

/**
 * Turns the automatic updates of a system on or off, as `systemctl enable` and `systemctl mask` would: by
 * links below `/etc`, which stay when the machine is updated. Edits the tree. An image that has its own
 * opinion keeps it where `enabled` is undefined.
 *
 * Masking needs no timer: one that a later image brings stays off as well.
 *
 * @param root what the running machine sees as `/`
 * @throws BootableError `UPDATES_MISSING` where updates are to be on and the image has no timer for them
 */
export async function customizeUpdates(
  root: FileTree,
  enabled: boolean | undefined,
  { mtime }: CustomizeUpdatesOptions,
): Promise<void> {
  if (enabled === undefined) return
  const decision = `${DECISIONS}/${UPDATES_TIMER}`
  ensureDirectory(root, DECISIONS, { mtime })
  if (!enabled) {
    putInode(root, decision, createSymlink('/dev/null', { mtime }))
    return
  }
  if (isMasked(root, decision)) removePath(root, decision)
  const unit = UNIT_FOLDERS.map((folder) => `${folder}/${UPDATES_TIMER}`).find((path) => findFile(root, path))
  if (unit === undefined) {
    throw new BootableError<SystemErrorCode>(
      'UPDATES_MISSING',
      `the image has no ${UPDATES_TIMER} to enable`,
      {
        details: { unit: UPDATES_TIMER, folders: UNIT_FOLDERS },
        hint: 'it belongs to bootc: install that in the image, or leave out customizations.updates',
      },
    )
  }
  for (const target of wantedBy((await readText(root, unit)) ?? '')) {
    ensureDirectory(root, `${DECISIONS}/${target}.wants`, { mtime })
    putInode(root, `${DECISIONS}/${target}.wants/${UPDATES_TIMER}`, createSymlink(`/${unit}`, { mtime }))
  }
}

/** A link to /dev/null, or an empty file. */
function isMasked(root: FileTree, path: string): boolean {
  const inode = lookup(root, path)
  if (inode?.type === 'symlink') return inode.target === '/dev/null'
  return inode?.type === 'file' && inode.content.size === 0
}

/** Units that want this one by its `[Install]` section; `timers.target` where it names none. */
function wantedBy(unit: string): readonly string[] {
  let section = ''
  let targets: string[] = []
  for (const line of unit.split('\n').map((each) => each.trim())) {
    if (line.startsWith('[')) section = line
    const [key = '', value = ''] = line.split(/=(.*)/s).map((part) => part.trim())
    if (section !== '[Install]' || key !== 'WantedBy') continue
    // An empty value takes back what was said before (systemd.syntax(7)).
    targets = value === '' ? [] : [...targets, ...value.split(/\s+/)]
  }
  const names = targets.filter((name) => /^[\w@:.\\-]+\.[a-z]+$/.test(name))
  return names.length > 0 ? names : ['timers.target']
}
