import { utf8 } from '@bootable/bytes'
import type { Directory, Inode } from '@bootable/tree'
import { walkTree } from '@bootable/tree'
import type { InstalledSystem } from '../installed-system.ts'
import { readSelinuxPolicy, type SelinuxPolicy } from './policy.ts'

/** The attribute that holds the label; its value ends in a NUL, as the kernel hands it out. */
export const SELINUX_XATTR = 'security.selinux'

/** Options of {@link labelTree}. */
export interface LabelTreeOptions {
  /** Whether a label that an inode has already is replaced. What the policy does not know keeps its own. */
  readonly replace: boolean
  /**
   * What becomes of a file whose names have different labels. `first`: one file with the label of its first
   * name, as setfiles(8) leaves it. `split`: a file for each label, as `ostree commit` stores it.
   * @defaultValue `first`
   */
  readonly hardLinks?: 'first' | 'split'
}

/**
 * Labels a directory and everything below it by path.
 *
 * Directories are edited in place. Of any other inode that gets a label a copy takes its place, for the
 * trees that share it: names of one inode below this directory stay names of one inode (but see `hardLinks`),
 * names outside of it keep the old one. `/proc` is labelled as `/mnt` is, as ostree does: policies say
 * `<<none>>` to it, yet an empty mount point wants a label.
 *
 * @param path of the directory in the running system, such as `/` or `/etc`
 */
export function labelTree(
  directory: Directory,
  path: string,
  policy: SelinuxPolicy,
  options: LabelTreeOptions,
): void {
  const copies = new Map<Inode, Inode[]>()
  const parents = new Map([['', directory]])
  const base = path.replace(/\/+$/, '')
  for (const { path: below, inode } of walkTree({ root: directory })) {
    const here = below === '' ? base || '/' : `${base}/${below}`
    if (inode.type === 'directory') {
      parents.set(below, inode)
      setLabel(inode, wantedLabel(inode, here, policy, options))
      continue
    }
    const slash = below.lastIndexOf('/')
    const parent = parents.get(below.slice(0, Math.max(slash, 0))) as Directory
    parent.entries.set(below.slice(slash + 1), labelled(inode, here, policy, options, copies))
  }
}

/** What stands under a name afterwards: the inode, or a copy with the label, shared by equal names. */
function labelled(
  inode: Inode,
  path: string,
  policy: SelinuxPolicy,
  options: LabelTreeOptions,
  copies: Map<Inode, Inode[]>,
): Inode {
  const known = copies.get(inode) ?? []
  if (known[0] && options.hardLinks !== 'split') return known[0]
  const label = wantedLabel(inode, path, policy, options)
  const found = known.find((copy) => hasLabel(copy, label))
  if (found) return found
  const made = hasLabel(inode, label) ? inode : { ...inode, xattrs: new Map(inode.xattrs) }
  setLabel(made, label)
  copies.set(inode, [...known, made])
  return made
}

/** The label that an inode should have; `undefined` where it keeps what it has. */
function wantedLabel(
  inode: Inode,
  path: string,
  policy: SelinuxPolicy,
  { replace }: LabelTreeOptions,
): Uint8Array | undefined {
  if (!replace && inode.xattrs.has(SELINUX_XATTR)) return undefined
  const context = policy.label(path === '/proc' ? '/mnt' : path, inode)
  return context === undefined ? undefined : labelBytes(context)
}

/** A context as the attribute holds it. */
export function labelBytes(context: string): Uint8Array {
  return utf8(`${context}\0`)
}

function setLabel(inode: Inode, label: Uint8Array | undefined): void {
  if (label) inode.xattrs.set(SELINUX_XATTR, label)
}

function hasLabel(inode: Inode, label: Uint8Array | undefined): boolean {
  const value = inode.xattrs.get(SELINUX_XATTR)
  if (!label) return true
  return value?.length === label.length && value.every((byte, index) => byte === label[index])
}

/**
 * Labels everything of a system in the plain layout that has no label yet: an image's files as much as what
 * blueprint, mounts and boot loader made, so it is the last step before the disk is planned. `/boot` is
 * labelled as such whether it is a filesystem of its own or not; FAT keeps no labels.
 *
 * @returns the policy, `undefined` where the image has none: then nothing is labelled
 * @throws BootableError `CONFIGURATION_INVALID`, see {@link readSelinuxPolicy}
 */
export async function labelPlain(system: InstalledSystem): Promise<SelinuxPolicy | undefined> {
  const policy = await readSelinuxPolicy(system.root)
  if (policy) labelTree(system.sysroot.root, '/', policy, { replace: false })
  return policy
}
