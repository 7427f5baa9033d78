import { equalBytes, utf8 } from '@bootable/bytes'
import type { SelinuxPolicy } from '@bootable/system'
import type { Directory, FileTree, Inode } from '@bootable/tree'

const SELINUX = 'security.selinux'

/** Labels trees of one image, so that a file with one label is one inode in all of them. */
export interface Labeller {
  /**
   * Gives everything in the tree the label that the policy has for its path. Directories are edited, files
   * replaced by labelled copies; what the policy does not know keeps what it has.
   */
  label(tree: FileTree): void
}

/** Labels by path, as `ostree commit --selinux-policy` does. */
export function createLabeller(policy: SelinuxPolicy): Labeller {
  const values = new Map<string, Uint8Array>()
  const variants = new Map<Inode, Map<string, Inode>>()

  /** The label as the kernel keeps it: with a zero byte behind it. */
  function encodeLabel(label: string): Uint8Array {
    let value = values.get(label)
    if (!value) {
      value = utf8(`${label}\0`)
      values.set(label, value)
    }
    return value
  }

  function labelled(inode: Inode, label: string): Inode {
    const value = encodeLabel(label)
    const own = inode.xattrs.get(SELINUX)
    if (own && equalBytes(own, value)) return inode
    const known = variants.get(inode) ?? new Map<string, Inode>()
    variants.set(inode, known)
    const variant = known.get(label) ?? { ...inode, xattrs: new Map(inode.xattrs).set(SELINUX, value) }
    known.set(label, variant)
    return variant
  }

  function labelDirectory(directory: Directory, path: string): void {
    const label = policy.label(path, directory)
    if (label !== undefined) directory.xattrs = new Map(directory.xattrs).set(SELINUX, encodeLabel(label))
  }

  return {
    label(tree) {
      labelDirectory(tree.root, '/')
      const pending = [{ directory: tree.root, prefix: '/' }]
      for (let next = pending.pop(); next; next = pending.pop()) {
        const { directory, prefix } = next
        for (const [name, inode] of directory.entries) {
          const path = prefix + name
          if (inode.type === 'directory') {
            labelDirectory(inode, path)
            pending.push({ directory: inode, prefix: `${path}/` })
            continue
          }
          const label = policy.label(path, inode)
          if (label !== undefined) directory.entries.set(name, labelled(inode, label))
        }
      }
    },
  }
}
