import { equalBytes, utf8 } from '@bootable/bytes'
import type { Directory, Inode, WalkEntry } from '@bootable/tree'
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
  /** Labelled copies by their originals: one map for several trees keeps a file that they share one file. */
  readonly copies?: Map<Inode, readonly Inode[]>
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
  const { hardLinks = 'first', copies = new Map<Inode, readonly Inode[]>() } = options
  const base = path.replace(/\/+$/, '')
  const wanted = ({ path: below, inode }: WalkEntry): Uint8Array | undefined =>
    wantedLabel(inode, below === '' ? base || '/' : `${base}/${below}`, policy, options)

  const entries = [...walkTree({ root: directory })]
  // A name that the policy does not know leaves the choice to the next one, as in setfiles.
  const first = new Map<Inode, Uint8Array | undefined>()
  if (hardLinks === 'first') {
    for (const entry of entries) first.set(entry.inode, first.get(entry.inode) ?? wanted(entry))
  }
  const parents = new Map([['', directory]])
  for (const entry of entries) {
    const { path: below, inode } = entry
    const label = hardLinks === 'first' ? first.get(inode) : wanted(entry)
    if (inode.type === 'directory') {
      parents.set(below, inode)
      // A fresh map: copies of a directory may share the old one.
      if (label) inode.xattrs = new Map(inode.xattrs).set(SELINUX_XATTR, label)
    } else if (label) {
      const slash = below.lastIndexOf('/')
      const parent = parents.get(below.slice(0, Math.max(slash, 0))) as Directory
      parent.entries.set(below.slice(slash + 1), labelledCopy(inode, label, copies))
    }
  }
}

/** The inode with a label: itself where it has that already, else the one copy that has. */
function labelledCopy(inode: Inode, label: Uint8Array, copies: Map<Inode, readonly Inode[]>): Inode {
  const known = [inode, ...(copies.get(inode) ?? [])]
  const found = known.find(({ xattrs }) => equalBytes(xattrs.get(SELINUX_XATTR) ?? new Uint8Array(), label))
  if (found) return found
  const copy: Inode = { ...inode, xattrs: new Map(inode.xattrs).set(SELINUX_XATTR, label) }
  copies.set(inode, [...known.slice(1), copy])
  return copy
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
