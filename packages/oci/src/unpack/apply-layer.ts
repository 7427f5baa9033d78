import { BootableError } from '@bootable/bytes'
import {
  createDevice,
  createDirectory,
  createFifo,
  createFile,
  createSymlink,
  createTree,
  type Directory,
  EPOCH,
  type FileTree,
  type Inode,
  type InodeAttributes,
  splitPath,
} from '@bootable/tree'
import type { CachedLayer } from '../layer/cache.ts'
import { memberContent } from '../layer/content.ts'
import { checkLimit, type LayerErrorCode, type LayerLimits } from '../layer/limits.ts'
import type { TarMember } from '../layer/tar-format.ts'

/** Marks a name as removed: image-spec, "Image Layer Filesystem Changeset", "Whiteouts". */
const WHITEOUT = '.wh.'
const OPAQUE = '.wh..wh..opq'
/** AUFS kept its own records under such names (`.wh..wh.plnk`, `.wh..wh.aufs`); they are no content. */
const AUFS = '.wh..wh.'

/** `MAXSYMLINKS` of Linux: a path with more links in it could not be opened on the machine either. */
const MAX_LINKS = 40

/** Marks of overlayfs itself, which some build tools leave in the layers that they make. */
const OVERLAY_XATTR = /^(?:trusted|user)\.overlay\./

/** Attributes of a parent that no entry describes. */
const IMPLIED = { mode: 0o755, uid: 0, gid: 0, mtime: EPOCH }

/** Members after which other work of the host gets its turn. */
const BATCH = 20_000

/** A tree that grows layer by layer. */
export interface LayeredTree {
  readonly tree: FileTree
  /**
   * Applies the next layer, the base first.
   * @throws BootableError `LAYER_INVALID`, `LIMIT_EXCEEDED`
   */
  apply(layer: CachedLayer, signal?: AbortSignal): Promise<void>
}

/**
 * Applies changesets as image-spec, "Applying Changesets", says. What it leaves open is decided as the
 * engines with overlayfs decide it, so that the tree is the one that a container of the image sees.
 */
export function createLayeredTree(limits: Required<LayerLimits>): LayeredTree {
  const tree = createTree()
  return {
    tree,
    async apply({ content, members }, signal) {
      const changes = createChanges(tree, limits)
      for (const [index, member] of members.entries()) {
        if (index % BATCH === BATCH - 1) {
          await new Promise((resolve) => setTimeout(resolve, 0))
          signal?.throwIfAborted()
        }
        changes.add(member, content)
      }
    },
  }
}

interface Changes {
  add(member: TarMember, content: CachedLayer['content']): void
}

/** One layer over a tree. It remembers which names are its own, since whiteouts spare those. */
function createChanges(tree: FileTree, limits: Required<LayerLimits>): Changes {
  /** Names bound by this layer. Everything else was there before. */
  const fresh = new Map<Directory, Set<string>>()
  /** Directories in which nothing older is left, so that no layer makes us look twice. */
  const cleared = new Set<Directory>()
  /** Directories by paths without links. They hold until a directory is replaced or a name removed. */
  const known = new Map<string, Directory>()

  function bind(directory: Directory, name: string, inode: Inode): void {
    if (directory.entries.get(name)?.type === 'directory') known.clear()
    directory.entries.set(name, inode)
    markFresh(directory, name)
  }

  function markFresh(directory: Directory, name: string): void {
    const names = fresh.get(directory)
    if (names) names.add(name)
    else fresh.set(directory, new Set([name]))
  }

  /**
   * The directory at a path, links followed inside the tree, as the kernel would follow them in a
   * container. Parents that no layer lists are made, 0755 and owned by root.
   */
  function follow(
    names: readonly string[],
    create: boolean,
  ): { readonly directory: Directory | undefined; readonly links: number } {
    const pending = [...names].reverse()
    const parents: Directory[] = []
    let directory = tree.root
    let links = 0
    let walked = 0
    while (pending.length > 0) {
      const name = pending.pop() as string
      walked++
      if (name === '..') {
        directory = parents.pop() ?? tree.root
        continue
      }
      let next = directory.entries.get(name)
      if (next?.type === 'symlink') {
        if (++links > MAX_LINKS)
          throw invalid(names, `its parents hold more than ${MAX_LINKS} symbolic links`)
        if (next.target.startsWith('/')) {
          directory = tree.root
          parents.length = 0
        }
        pending.push(...splitPath(next.target).reverse())
        // Also where `..` undoes them: the way is gone anew for every member below a link.
        const whole = walked + pending.length
        checkLimit('names in a path whose links were followed', whole, 'depth', limits.depth)
        continue
      }
      if (next && next.type !== 'directory') {
        if (!create) return { directory: undefined, links }
        throw invalid(names, `${JSON.stringify(name)} on the way is a ${next.type}, not a directory`)
      }
      if (!next) {
        if (!create) return { directory: undefined, links }
        next = createDirectory()
        bind(directory, name, next)
      }
      parents.push(directory)
      directory = next
    }
    return { directory, links }
  }

  /** The directory that a new entry goes into. */
  function enterParent(path: string): Directory {
    const directory = known.get(path)
    if (directory) return directory
    const found = follow(path === '' ? [] : path.split('/'), true)
    if (found.links === 0 && found.directory) known.set(path, found.directory)
    return found.directory as Directory
  }

  /** Empties a directory of what was there before this layer; what this layer put there stays. */
  function clear(directory: Directory): void {
    if (cleared.has(directory)) return
    cleared.add(directory)
    for (const name of directory.entries.keys()) remove(directory, name)
  }

  /** Removes one name of the layers below, whether that is told before or after its successor comes. */
  function remove(directory: Directory, name: string): void {
    const inode = directory.entries.get(name)
    if (!inode) return
    if (inode.type === 'directory') clear(inode)
    if (fresh.get(directory)?.has(name)) return
    if (inode.type === 'directory' && inode.entries.size > 0) {
      // It is gone and made again as the parent of something new, of which no entry tells the attributes.
      Object.assign(inode, IMPLIED)
      inode.xattrs = new Map()
      markFresh(directory, name)
    } else directory.entries.delete(name)
  }

  /** Handles names that are commands to whoever applies the layer. Answers whether it was one. */
  function addWhiteout(member: TarMember): boolean {
    if (!member.path.includes(WHITEOUT)) return false
    known.clear()
    const names = member.path.split('/')
    const name = names.pop() as string
    if (name === OPAQUE) {
      const { directory } = follow(names, false)
      if (directory) clear(directory)
      return true
    }
    if (name.startsWith(AUFS) || names.some((parent) => parent.startsWith(AUFS))) return true
    if (names.some((parent) => parent.startsWith(WHITEOUT))) {
      throw invalid(
        [member.path],
        `names that start with ${WHITEOUT} stand for removed files and hold nothing`,
      )
    }
    if (!name.startsWith(WHITEOUT)) return false
    const removed = name.slice(WHITEOUT.length)
    if (removed === '' || removed === '.' || removed === '..') {
      throw invalid([member.path], 'a whiteout without a name to remove')
    }
    const { directory } = follow(names, false)
    if (directory) remove(directory, removed)
    return true
  }

  /** The inode that a hard link shares; it may be of a lower layer, and a symbolic link too. */
  function linkedInode(member: TarMember): Inode {
    const names = member.linkName.split('/')
    const name = names.pop() as string
    const inode = follow(names, false).directory?.entries.get(name)
    if (inode && inode.type !== 'directory') return inode
    const target = JSON.stringify(member.linkName)
    throw invalid(
      [member.path],
      `it is a hard link to ${target}, which is ${inode ? 'a directory' : 'not there'}`,
    )
  }

  return {
    add(member, content) {
      if (member.path === '') {
        Object.assign(tree.root, attributesOf(member))
        return
      }
      if (addWhiteout(member)) return
      const slash = member.path.lastIndexOf('/')
      const name = member.path.slice(slash + 1)
      const linked = member.type === 'hardlink' ? linkedInode(member) : undefined
      const directory = enterParent(member.path.slice(0, Math.max(0, slash)))
      const existing = directory.entries.get(name)
      if (member.type === 'directory' && existing?.type === 'directory') {
        Object.assign(existing, attributesOf(member)) // the upper entry replaces them, nothing merges
        markFresh(directory, name)
      } else bind(directory, name, linked ?? createInode(member, content))
    },
  }
}

function attributesOf({ mode, uid, gid, mtime, xattrs }: TarMember): InodeAttributes {
  const kept = new Map<string, Uint8Array>()
  for (const [name, value] of xattrs) if (!OVERLAY_XATTR.test(name)) kept.set(name, value)
  return { mode, uid, gid, mtime, xattrs: kept }
}

function createInode(member: TarMember, content: CachedLayer['content']): Inode {
  const attributes = attributesOf(member)
  switch (member.type) {
    case 'directory':
      return createDirectory(attributes)
    case 'symlink':
      return createSymlink(member.linkName, { ...attributes, mode: 0o777 })
    case 'character':
    case 'block':
      // Also 0:0, which marks a whiteout in a folder of overlayfs but is a plain device in a layer.
      return createDevice(member.type, member.major, member.minor, attributes)
    case 'fifo':
      return createFifo(attributes)
    default:
      return createFile(memberContent(content, member), attributes)
  }
}

function invalid(names: readonly string[], message: string): BootableError<LayerErrorCode> {
  const path = names.join('/')
  return new BootableError('LAYER_INVALID', `${JSON.stringify(path)}: ${message}`, { details: { path } })
}
