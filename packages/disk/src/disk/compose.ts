import {
  createDirectory,
  type Directory,
  EPOCH,
  type FileTree,
  splitPath,
  type Timestamp,
} from '@bootable/tree'

/** A subvolume as far as its place and its files matter. */
export interface ComposedSubvolume {
  /** Path from the top level; empty for the top level itself. */
  readonly name: string
  readonly mount?: { readonly path: string }
}

/**
 * The tree of a btrfs volume: its top level, with every subvolume as a directory in it. Inodes are shared
 * with the given trees, which stay as they are.
 *
 * @param trees by mount point; a subvolume that nothing mounts is empty, or what is there already
 */
export function composeVolume(
  subvolumes: readonly ComposedSubvolume[],
  trees: ReadonlyMap<string, FileTree>,
): FileTree {
  const mtime = newest(subvolumes, trees)
  let root = createDirectory({ mtime })
  // Parents first: a subvolume may lie in another one.
  const ordered = [...subvolumes].sort((a, b) => splitPath(a.name).length - splitPath(b.name).length)
  for (const { name, mount } of ordered) {
    const found = mount && trees.get(mount.path)?.root
    root = withDirectory(root, splitPath(name), found, mtime)
  }
  return { root }
}

/** A directory with another one at a path below it, or with the one that is there. */
function withDirectory(
  parent: Directory,
  [name, ...rest]: readonly string[],
  directory: Directory | undefined,
  mtime: Timestamp,
): Directory {
  if (name === undefined) return directory ?? parent
  const there = parent.entries.get(name)
  const below = there?.type === 'directory' ? there : createDirectory({ mtime })
  const entries = new Map(parent.entries)
  entries.set(name, withDirectory(below, rest, directory, mtime))
  return { ...parent, entries }
}

/** What is made for a volume has the time of its newest filesystem. */
function newest(subvolumes: readonly ComposedSubvolume[], trees: ReadonlyMap<string, FileTree>): Timestamp {
  const times = subvolumes.flatMap(({ mount }) => (mount && trees.get(mount.path)?.root.mtime) ?? [])
  return times.reduce((latest, time) => (time.seconds > latest.seconds ? time : latest), EPOCH)
}
