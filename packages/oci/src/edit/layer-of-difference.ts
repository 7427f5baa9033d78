import { BootableError } from '@bootable/bytes'
import {
  createDirectory,
  createFile,
  createTree,
  type Directory,
  diffTrees,
  type FileTree,
  type Inode,
  lookup,
  walkTree,
} from '@bootable/tree'
import type { LayerErrorCode } from '../layer/limits.ts'

/** Options of {@link layerOfDifference}. */
export interface LayerOfDifferenceOptions {
  /** Whether a file that differs in its modification time alone goes into the layer. @defaultValue true */
  readonly times?: boolean
  readonly signal?: AbortSignal
}

const WHITEOUT = '.wh.'
const OPAQUE = '.wh..wh..opq'

/**
 * The layer that turns one tree into another, as a tree that `writeLayerTar` writes: what was added or
 * changed, the folders that it is in, and whiteouts for what is gone (image-spec, "Image Layer Filesystem
 * Changeset").
 *
 * A folder of which nothing is left is emptied by one opaque whiteout; nothing is whited out below a folder
 * that is gone itself, at which Docker takes offence. Names of a hard link go together, since a layer cannot
 * say that an old name shares a new file. Contents are compared, not copied: the layer reads them from
 * `upper`.
 *
 * @throws BootableError `LAYER_UNREPRESENTABLE` for a name that would be taken for a whiteout
 */
export async function layerOfDifference(
  lower: FileTree,
  upper: FileTree,
  options: LayerOfDifferenceOptions = {},
): Promise<FileTree> {
  const layer = createTree(attributesOf(upper.root))
  const removed = new Map<string, string[]>()
  const changed = new Set<string>()
  for await (const { path, change } of diffTrees(lower, upper, options)) {
    if (change !== 'removed') changed.add(path)
    else if (isTopmost(lower, upper, path)) {
      const [parent, name] = splitLast(path)
      removed.set(parent, [...(removed.get(parent) ?? []), name])
    }
  }

  const linked = new Set<Inode>()
  for (const path of changed) {
    const inode = lookup(upper, path) as Inode
    if (inode.type !== 'directory') linked.add(inode)
  }
  for (const { path, inode } of walkTree(upper)) {
    options.signal?.throwIfAborted()
    if (path === '' || !(changed.has(path) || linked.has(inode))) continue
    const [parent, name] = splitLast(path)
    if (name.startsWith(WHITEOUT)) throw unrepresentable(path)
    const directory = enter(layer, upper, parent)
    if (inode.type !== 'directory') directory.entries.set(name, inode)
    else if (!directory.entries.has(name)) directory.entries.set(name, createDirectory(attributesOf(inode)))
  }

  for (const [parent, names] of removed) {
    const directory = enter(layer, upper, parent)
    const before = lookup(lower, parent) as Directory
    // One marker in place of many, where every old name is gone.
    if (names.length > 1 && names.length === before.entries.size) {
      directory.entries.set(OPAQUE, createFile(new Uint8Array()))
    } else {
      for (const name of names) directory.entries.set(WHITEOUT + name, createFile(new Uint8Array()))
    }
  }
  return layer
}

/** Whether a name that is gone was in a folder that is still one; others went with their folder. */
function isTopmost(lower: FileTree, upper: FileTree, path: string): boolean {
  const [parent] = splitLast(path)
  return lookup(upper, parent)?.type === 'directory' && lookup(lower, parent)?.type === 'directory'
}

/** The folder of the layer at a path, made with its parents as they are in the upper tree. */
function enter(layer: FileTree, upper: FileTree, path: string): Directory {
  let [from, to] = [upper.root, layer.root]
  for (const name of path === '' ? [] : path.split('/')) {
    from = from.entries.get(name) as Directory
    const known = to.entries.get(name)
    const next = known?.type === 'directory' ? known : createDirectory(attributesOf(from))
    to.entries.set(name, next)
    to = next
  }
  return to
}

function attributesOf({
  mode,
  uid,
  gid,
  mtime,
  xattrs,
}: Inode): Pick<Inode, 'mode' | 'uid' | 'gid' | 'mtime' | 'xattrs'> {
  return { mode, uid, gid, mtime, xattrs: new Map(xattrs) }
}

function splitLast(path: string): [parent: string, name: string] {
  const slash = path.lastIndexOf('/')
  return [path.slice(0, Math.max(0, slash)), path.slice(slash + 1)]
}

function unrepresentable(path: string): BootableError<LayerErrorCode> {
  return new BootableError('LAYER_UNREPRESENTABLE', `/${path}: in a layer this name would remove another`, {
    details: { path },
    hint: 'names that start with .wh. cannot be part of an image',
  })
}
