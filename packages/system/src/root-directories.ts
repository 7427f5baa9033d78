import type { FileTree, Timestamp } from '@bootable/tree'
import {
  createFile,
  ensureDirectory,
  findDirectory,
  lookup,
  putInode,
  resolvePath,
  sortedEntries,
  splitPath,
} from '@bootable/tree'

/** What a root filesystem needs before systemd's tmpfiles run: mount points, and places for early files. */
const DIRECTORIES: Readonly<Record<string, number>> = {
  boot: 0o755,
  dev: 0o755,
  proc: 0o555,
  run: 0o755,
  sys: 0o555,
  tmp: 0o1777,
  var: 0o755,
  'var/tmp': 0o1777,
}

/** Home of root in images of the ostree kind, where `/root` is a link. */
const ROOT_HOME = 'var/roothome'

/**
 * Completes the tree of an image to one that runs as a root filesystem: directories that container
 * images leave out, the targets below `/var` of links such as `/home → var/home`, and an empty machine
 * id, which systemd fills at the first boot (machine-id(5)). What is there stays as it is.
 */
export function completeRoot(tree: FileTree, mtime: Timestamp): void {
  for (const [path, mode] of Object.entries(DIRECTORIES)) {
    // A link, such as /tmp → run/tmp, is the image's own decision.
    if (!lookup(tree, path)) ensureDirectory(tree, path, { mode, mtime })
  }
  completeLinks(tree, mtime)
  const etc = findDirectory(tree, 'etc')
  if (etc && !etc.entries.has('machine-id')) {
    putInode(tree, 'etc/machine-id', createFile('', { mode: 0o444, mtime }))
  }
}

/** A link that leads below `/var`, where nothing is yet. Paths are without a leading slash. */
interface DanglingLink {
  readonly path: string
  readonly target: string
}

/** Links at the top and `/usr/local`, of those that lead below `/var`, whose targets are not there. */
function danglingLinks(tree: FileTree): DanglingLink[] {
  const links = sortedEntries(tree.root).map(([name, inode]) => ({ path: name, base: '', inode }))
  const local = lookup(tree, 'usr/local')
  if (local) links.push({ path: 'usr/local', base: 'usr', inode: local })
  return links.flatMap(({ path, base, inode }) => {
    if (inode.type !== 'symlink' || resolvePath(tree, path)) return []
    const names: string[] = []
    for (const part of splitPath(inode.target.startsWith('/') ? inode.target : `${base}/${inode.target}`)) {
      if (part === '..') names.pop()
      else names.push(part)
    }
    return names[0] === 'var' && names.length > 1 ? [{ path, target: names.join('/') }] : []
  })
}

/**
 * Makes the targets below `/var` of links such as `/home → var/home`.
 * @param paths only of the links that these go through; without them of all
 */
export function completeLinks(tree: FileTree, mtime: Timestamp, paths?: readonly string[]): void {
  for (const { path, target } of danglingLinks(tree)) {
    if (paths && !paths.some((used) => `${splitPath(used).join('/')}/`.startsWith(`${path}/`))) continue
    ensureDirectory(tree, target, { mode: target === ROOT_HOME ? 0o700 : 0o755, mtime })
  }
}
