import {
  type InstalledSystem,
  labelBytes,
  labelPlain,
  labelTree,
  type MountPoint,
  readSelinuxPolicy,
  SELINUX_XATTR,
  type SelinuxPolicy,
} from '@bootable/system'
import { type Directory, findDirectory, type Inode, lookup } from '@bootable/tree'

/**
 * Labels what is not a deployment's own: the physical root, `/boot`, ostree's files, the stateroot's `/var`
 * and the copied `/etc`, with everything that blueprint, mounts and boot loader put there; so it is the last
 * step before the disk is planned. The commit has its labels already, and its inodes are not touched.
 *
 * `/boot`, `/etc` and `/var` get the labels of their paths in the running machine. ostree's own files have
 * the label of `/usr`, which they inherit where `bootc install` runs under SELinux; the origin has that of a
 * file in `/etc/ostree/remotes.d`.
 *
 * @param mounts the filesystems of the finished disk: where `/boot` is one of them the kernel in it is no
 * hard link of the repository's, and has a label of its own
 * @returns the policy, `undefined` where the image has none: then nothing is labelled
 * @throws BootableError `CONFIGURATION_INVALID`, see `readSelinuxPolicy`
 */
export async function labelOstree(
  system: InstalledSystem,
  mounts: readonly MountPoint[],
): Promise<SelinuxPolicy | undefined> {
  const policy = await readSelinuxPolicy(system.root)
  if (!policy) return undefined
  const { sysroot, deployment } = system
  if (!deployment) return labelPlain(system)
  const { stateroot, path, commit } = deployment
  const variable = `ostree/deploy/${stateroot}/var`
  labelOwnFiles(sysroot.root, policy, new Set([variable, path]))

  const hasBoot = mounts.some((mount) => mount.path === '/boot')
  const byPath: [place: string, path: string, replace: boolean][] = [
    ['boot', '/boot', hasBoot],
    [variable, '/var', true],
    [`${path}/etc`, '/etc', true],
  ]
  for (const [place, here, replace] of byPath) {
    const directory = findDirectory(sysroot, place)
    if (directory) labelTree(directory, here, policy, { replace })
  }

  const special: [place: string, like: string][] = [
    ['', '/'],
    ['.bootc-aleph.json', '/.bootc-aleph.json'],
    ['lost+found', '/lost+found'],
    [`${path}.origin`, '/etc/ostree/remotes.d/dummy.conf'],
    [`${path}/.ostree.cfs`, '/usr'],
    [`ostree/deploy/${stateroot}/backing/${commit}.0/root-transient/upper`, '/'],
  ]
  for (const [place, like] of special) {
    const inode = lookup(sysroot, place)
    if (inode) setLabel(inode, policy.label(like, inode))
  }
  return policy
}

/** Everything below `ostree` but the given subtrees and the file objects. */
function labelOwnFiles(root: Directory, policy: SelinuxPolicy, others: ReadonlySet<string>): void {
  const ostree = lookup({ root }, 'ostree')
  if (ostree?.type !== 'directory') return
  const label = policy.label('/usr', ostree)
  const pending: [path: string, inode: Inode][] = [['ostree', ostree]]
  for (let next = pending.pop(); next; next = pending.pop()) {
    const [path, inode] = next
    if (others.has(path) || /^ostree\/repo\/objects\/..\/.*\.file$/.test(path)) continue
    setLabel(inode, label)
    if (inode.type !== 'directory') continue
    for (const [name, child] of inode.entries) pending.push([`${path}/${name}`, child])
  }
}

function setLabel(inode: Inode, context: string | undefined): void {
  if (context !== undefined) inode.xattrs.set(SELINUX_XATTR, labelBytes(context))
}
