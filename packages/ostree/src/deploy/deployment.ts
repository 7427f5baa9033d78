import {
  createDevice,
  type Directory,
  ensureDirectory,
  type FileTree,
  putInode,
  removePath,
  type Timestamp,
} from '@bootable/tree'
import { requirePristineEtc } from '../import/pristine-etc.ts'
import type { Checksum } from '../object/checksum.ts'
import { checkoutCommit } from '../repository/checkout.ts'
import type { Repository } from '../repository/repository.ts'
import { copyDirectory, copyInode } from './copy.ts'

/**
 * The tree of a deployment, as `ostree admin deploy` checks it out: files and links are those of the
 * repository's objects, `etc` is a copy of `usr/etc` that the machine may edit. Two kinds of files are new
 * inodes: empty ones (each would be a link of one object, and links of an inode are limited), and those
 * named `.ostree-wh.*`, which become the overlayfs whiteouts that ostree cannot store.
 *
 * @param mtime of the copy
 * @throws BootableError `OSTREE_INVALID_ETC`; those of {@link checkoutCommit}
 */
export function checkoutDeployment(repository: Repository, commit: Checksum, mtime: Timestamp): FileTree {
  const tree = checkoutCommit(repository, commit)
  for (const directory of directoriesOf(tree.root)) unshareFiles(directory)

  tree.root.entries.set('etc', copyDirectory(requirePristineEtc(tree), mtime))
  // So that units with ConditionNeedsUpdate= run on the first boot (systemd.unit(5)).
  removePath(tree, 'etc/.updated')
  return tree
}

/** Where a deployment goes, and under which stateroot. */
export interface DeploymentPlace {
  readonly stateroot: string
  readonly commit: Checksum
  /** Of the deployment in the sysroot. */
  readonly path: string
  readonly mtime: Timestamp
}

/**
 * Puts a deployment into a sysroot, with the flag by which libostree keeps its root from being written to,
 * and with the directories that a transient root would keep its changes in.
 */
export function putDeployment(
  sysroot: FileTree,
  { root }: FileTree,
  { stateroot, commit, path, mtime }: DeploymentPlace,
): void {
  putInode(sysroot, path, root).immutable = true
  const transient = `ostree/deploy/${stateroot}/backing/${commit}.0/root-transient`
  ensureDirectory(sysroot, `ostree/deploy/${stateroot}/backing`, { mtime, mode: 0o700 })
  ensureDirectory(sysroot, `ostree/deploy/${stateroot}/backing/${commit}.0`, { mtime, mode: 0o700 })
  ensureDirectory(sysroot, transient, { mtime, mode: 0o700 })
  ensureDirectory(sysroot, `${transient}/work`, { mtime, mode: 0o700 })
  ensureDirectory(sysroot, `${transient}/upper`, { mtime, mode: root.mode })
}

function* directoriesOf(root: Directory): Generator<Directory, void, undefined> {
  const pending = [root]
  for (let directory = pending.pop(); directory; directory = pending.pop()) {
    yield directory
    for (const inode of directory.entries.values()) if (inode.type === 'directory') pending.push(inode)
  }
}

/** `_OSTREE_WHITEOUT_PREFIX`-quoted whiteouts: ostree-repo-checkout.c. */
const WHITEOUT = '.ostree-wh.'

function unshareFiles({ entries }: Directory): void {
  for (const [name, inode] of [...entries]) {
    if (inode.type !== 'file') continue
    if (name.startsWith(WHITEOUT) && name.length > WHITEOUT.length) {
      const { mode, uid, gid, mtime, xattrs } = inode
      entries.delete(name)
      const whiteout = createDevice('character', 0, 0, { mode, uid, gid, mtime, xattrs: new Map(xattrs) })
      entries.set(name.slice(WHITEOUT.length), whiteout)
    } else if (inode.content.size === 0) entries.set(name, copyInode(inode))
  }
}
