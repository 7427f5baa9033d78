import { createDirectory, type Directory, type Inode, type Timestamp } from '@bootable/tree'

/** The inode under a name of its own: attributes are those of the original, content is shared. */
export function copyInode<T extends Exclude<Inode, Directory>>(inode: T, mtime: Timestamp = inode.mtime): T {
  return { ...inode, mtime, xattrs: new Map(inode.xattrs) }
}

/** A directory with everything below it, as `cp -a` without `--preserve=links,timestamps` makes it. */
export function copyDirectory(original: Directory, mtime: Timestamp): Directory {
  const copy = emptyCopy(original, mtime)
  const pending: [from: Directory, to: Directory][] = [[original, copy]]
  for (let pair = pending.pop(); pair; pair = pending.pop()) {
    const [from, to] = pair
    for (const [name, inode] of from.entries) {
      if (inode.type !== 'directory') {
        to.entries.set(name, copyInode(inode, mtime))
        continue
      }
      const directory = emptyCopy(inode, mtime)
      to.entries.set(name, directory)
      pending.push([inode, directory])
    }
  }
  return copy
}

function emptyCopy({ mode, uid, gid, xattrs }: Directory, mtime: Timestamp): Directory {
  return createDirectory({ mode, uid, gid, mtime, xattrs: new Map(xattrs) })
}
