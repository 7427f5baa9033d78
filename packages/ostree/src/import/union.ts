import { type Directory, type FileTree, lookup, removePath, sortedEntries } from '@bootable/tree'
import { WHITEOUT } from './layer-tree.ts'

/** Says that a directory holds nothing of the layers below. */
const OPAQUE = '.wh..wh..opq'

/**
 * Trees laid over each other as ostree does it when it checks one commit out over another, in the mode
 * `union-files` with whiteouts (`ostree checkout --union --whiteouts`).
 *
 * This is not what a container engine does: a directory that is there already keeps its owner, mode and
 * extended attributes, whatever later layers say of it; and links on the way are not followed, a directory
 * takes the place of a link.
 *
 * @param base laid down as it is: names that look like whiteouts are files of its own
 * @param layers the lowest first; none of the trees is edited, their files are shared
 * @returns `undefined` where there is no tree at all
 */
export function unionTrees(base: FileTree | undefined, layers: readonly FileTree[]): FileTree | undefined {
  const bottom = base && layTree(undefined, base, false)
  return layers.reduce<FileTree | undefined>((tree, layer) => layTree(tree, layer, true), bottom)
}

function layTree(tree: FileTree | undefined, layer: FileTree, whiteouts: boolean): FileTree {
  const root = enter(tree?.root, layer.root, whiteouts)
  const pending = [{ source: layer.root, target: root }]
  for (let next = pending.pop(); next; next = pending.pop()) {
    const { entries } = next.target
    const directories: [string, Directory][] = []
    for (const [name, inode] of sortedEntries(next.source)) {
      // In the order of the names: a whiteout also takes what the same layer put there just before.
      if (inode.type === 'directory') directories.push([name, inode])
      else if (whiteouts && inode.type === 'file' && name.startsWith(WHITEOUT)) {
        entries.delete(name.slice(WHITEOUT.length))
      } else entries.set(name, inode)
    }
    for (const [name, source] of directories) {
      const existing = entries.get(name)
      const target = enter(existing?.type === 'directory' ? existing : undefined, source, whiteouts)
      entries.set(name, target)
      pending.push({ source, target })
    }
  }
  return { root }
}

/** The directory that `source` is laid into: what is there, unless `source` wants to be alone. */
function enter(existing: Directory | undefined, source: Directory, whiteouts: boolean): Directory {
  const opaque = source.entries.get(OPAQUE)
  const isAlone = whiteouts && opaque !== undefined && opaque.type !== 'directory'
  if (existing && !isAlone) return existing
  return { ...source, xattrs: new Map(source.xattrs), entries: new Map() }
}

/** What container engines put into the way of a build, as empty files. */
const INJECTED = ['usr/etc/hostname', 'usr/etc/resolv.conf']

/** Takes out of a merged tree what engines left there while they built the image, as ostree-ext does. */
export function removeInjected(tree: FileTree): void {
  for (const path of INJECTED) {
    const inode = lookup(tree, path)
    if (inode?.type === 'file' && inode.content.size === 0) removePath(tree, path)
  }
}
