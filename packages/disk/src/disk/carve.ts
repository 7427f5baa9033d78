import { BootableError } from '@bootable/bytes'
import { createDirectory, type Directory, type FileTree, splitPath } from '@bootable/tree'
import type { DiskErrorCode } from '../errors.ts'

/**
 * Splits a tree by mount point: one tree for each path.
 *
 * The directory on which a filesystem is mounted stays in the tree above as an empty one with the same
 * attributes; where there is none it is made, as a mount needs it. Inodes are shared with the given tree,
 * which stays as it is. A hard link across two filesystems becomes two files.
 *
 * @param paths absolute; `/` is among them
 * @throws BootableError `MOUNT_POINT_NOT_DIRECTORY`
 */
export function carveTree(tree: FileTree, paths: readonly string[]): Map<string, FileTree> {
  const trees = new Map<string, FileTree>()
  const points = mountPoints(paths)
  const root = carveDirectory(tree.root, points, '', trees)
  if (points.isMount) trees.set('/', { root })
  return trees
}

/** Mount points as a tree of their own: the directories that have to be looked into. */
interface PointNode {
  isMount: boolean
  readonly below: Map<string, PointNode>
}

function mountPoints(paths: readonly string[]): PointNode {
  const root: PointNode = { isMount: false, below: new Map() }
  for (const path of paths) {
    let node = root
    for (const name of splitPath(path)) {
      const next: PointNode = node.below.get(name) ?? { isMount: false, below: new Map() }
      node.below.set(name, next)
      node = next
    }
    node.isMount = true
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
    if (point.isMount) trees.set(here, { root: carved })
    entries.set(name, point.isMount ? { ...found, entries: new Map() } : carved)
  }
  return { ...directory, entries }
}
