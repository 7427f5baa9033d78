import { BootableError } from '@bootable/bytes'
import {
  createFile,
  createSymlink,
  type Directory,
  ensureDirectory,
  type FileTree,
  findDirectory,
  lookup,
  type Timestamp,
} from '@bootable/tree'
import type { OstreeErrorCode } from '../errors.ts'
import { copyDirectory } from './copy.ts'

/** What tells ostree that `/var` has its labels. */
const LABELLED_STAMP = '.ostree-selabeled'

/**
 * Makes the `/var` that all deployments of a stateroot share. It starts as a copy of the image's `/var`;
 * without one, an image that has no tmpfiles.d to fill it gets the directories of old ostree.
 *
 * @param deployment the tree that was checked out; its own `/var` is hidden in the running machine
 * @returns `ostree/deploy/<stateroot>/var` of the sysroot
 */
export function createStateroot(
  sysroot: FileTree,
  stateroot: string,
  deployment: FileTree,
  mtime: Timestamp,
): Directory {
  const path = `ostree/deploy/${stateroot}/var`
  const seed = lookup(deployment, 'var')
  const home = ensureDirectory(sysroot, `ostree/deploy/${stateroot}`, { mtime })
  if (seed?.type === 'directory' && seed.entries.size > 0) home.entries.set('var', copyDirectory(seed, mtime))
  const variable = ensureDirectory(sysroot, path, { mtime })
  if (variable.entries.size === 0 && !findDirectory(deployment, 'usr/lib/tmpfiles.d')) {
    for (const [name, mode] of [
      ['tmp', 0o1777],
      ['lib', 0o755],
      ['log', 0o755],
    ] as const) {
      ensureDirectory({ root: variable }, name, { mode, mtime })
    }
    variable.entries.set('run', createSymlink('../run', { mtime }))
    variable.entries.set('lock', createSymlink('../run/lock', { mtime }))
  }
  // So that units with ConditionNeedsUpdate= run on the first boot (systemd.unit(5)).
  variable.entries.delete('.updated')
  variable.entries.set(LABELLED_STAMP, createFile('', { mtime }))
  return variable
}

/**
 * Checks the name of a stateroot, which becomes that of a directory, a word of a kernel argument and a part
 * of GRUB's paths.
 * @throws BootableError `OSTREE_INVALID_STATEROOT`
 */
export function checkStateroot(name: string): string {
  if (/^[A-Za-z0-9_][\w.-]*$/.test(name) && name.length <= 64) return name
  throw new BootableError<OstreeErrorCode>(
    'OSTREE_INVALID_STATEROOT',
    `${JSON.stringify(name.slice(0, 200))} cannot name a stateroot`,
    {
      details: { stateroot: name.slice(0, 1000) },
      hint: 'letters, digits, - _ and . are allowed, as in "default"',
    },
  )
}
