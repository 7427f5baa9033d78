import { BootableError } from '@bootable/bytes'
import { type InstalledSystem, sysrootPath } from '@bootable/system'
import { createDirectory, type Directory, type FileTree, splitPath } from '@bootable/tree'
import type { DiskErrorCode } from '../errors.ts'

/**
 * Splits a tree by mount point: one tree for each, by where it is mounted.
 *
 * The directory on which a filesystem is mounted stays in the tree above as an empty one with the same
 * attributes; where there is none it is made, as a mount needs it. Inodes are shared with the given tree,
 * which stays as it is. A hard link across two filesystems becomes two files.
 *
 * @param paths absolute; `/` is among them
 * @param system of the tree, where a path may lie elsewhere: `/var` of the ostree layout does
 * @throws BootableError `MOUNT_POINT_NOT_DIRECTORY`
 */
export function carveTree(
  tree: FileTree,
  paths: readonly string[],
  system: Pick<InstalledSystem, 'deployment'> = {},
): Map<string, FileTree> {
  const trees = new Map<string, FileTree>()
  const points = mountPoints(paths, system)
  const root = carveDirectory(tree.root, points, '', trees)
  if (points.mount !== undefined) trees.set(points.mount, { root })
  return trees
}

/** Mount points as a tree of their own: the directories that have to be looked into. */
interface PointNode {
  /** Set where something is mounted. */
  mount?: string
  readonly below: Map<string, PointNode>
}

function mountPoints(paths: readonly string[], system: Pick<InstalledSystem, 'deployment'>): PointNode {
  const root: PointNode = { below: new Map() }
  for (const path of paths) {
    let node = root
    for (const name of splitPath(sysrootPath(system, path))) {
      const next: PointNode = node.below.get(name) ?? { below: new Map() }
      node.below.set(name, next)
      node = next
    }
    node.mount = path
  }
  return root
}

function carveDirectory(
  directory: Directory,
  points: PointNode,
  path: string,
  trees: Map<string, FileTree>,
): Directory {
  const entries = new Map(directory.entries)
  for (const [name, point] of points.below) {
    const here = `${path}/${name}`
    const found = entries.get(name) ?? createDirectory({ mtime: directory.mtime })
    if (found.type !== 'directory') {
      throw new BootableError<DiskErrorCode>(
        'MOUNT_POINT_NOT_DIRECTORY',
        `${here} is a ${found.type}: nothing can be mounted there`,
        { details: { path: here, type: found.type } },
      )
    }
    const carved = carveDirectory(found, point, here, trees)
    const { mount } = point
    if (mount !== undefined) trees.set(mount, { root: carved })
    entries.set(name, mount !== undefined ? { ...found, entries: new Map() } : carved)
  }
  return { ...directory, entries }
}
