import { memberContent, type TarMember } from '@bootable/oci'
import {
  createDirectory,
  createFile,
  createSymlink,
  createTree,
  type Directory,
  EPOCH,
  type FileTree,
  type Inode,
  type InodeAttributes,
} from '@bootable/tree'
import { layerError, type NumberedLayer } from './layer-error.ts'

/** Marks a name as removed by this layer: image-spec, "Whiteouts". */
export const WHITEOUT = '.wh.'

/** A hard link that waits for the end of the layer, where its target is known. */
interface PendingLink {
  readonly directory: Directory
  readonly name: string
  readonly path: string
  readonly target: string
}

/**
 * The tree of one layer by itself, as `ostree commit --tree=tar --tar-autocreate-parents` makes it: whiteouts
 * are ordinary files, a later entry of a directory replaces its attributes, hard links are resolved at the
 * end and only within the layer.
 *
 * Where a parent is missing, ostree makes the whole way anew: every directory down to it, the root and those
 * that are there included, gets the owner of the entry, mode 0755 and no extended attributes.
 *
 * @param members after `filterLayer`
 * @throws BootableError `OSTREE_UNSUPPORTED_FILE` for devices and fifos; `OSTREE_INVALID_LAYER` for hard links
 *   to nothing, files in the way of directories and the reverse, whiteouts without a name
 */
export function createLayerTree(layer: NumberedLayer, members: Iterable<TarMember>): FileTree {
  const tree = createTree()
  const directories = new Map<string, Directory>([['', tree.root]])
  const links = new Map<string, PendingLink>()

  function invalid(path: string, message: string): Error {
    return layerError('OSTREE_INVALID_LAYER', layer, path, message)
  }

  function enterParent(member: TarMember): Directory {
    const path = member.path.slice(0, Math.max(0, member.path.lastIndexOf('/')))
    const known = directories.get(path)
    if (known) return known
    const implied = (): InodeAttributes => {
      return { uid: member.uid, gid: member.gid, mode: 0o755, mtime: EPOCH, xattrs: new Map() }
    }
    let directory = Object.assign(tree.root, implied())
    let prefix = ''
    for (const name of path.split('/')) {
      prefix = prefix === '' ? name : `${prefix}/${name}`
      directory = Object.assign(enterDirectory(directory, name, prefix, member), implied())
    }
    return directory
  }

  /** The directory of that name, made where there is none. */
  function enterDirectory(parent: Directory, name: string, path: string, member: TarMember): Directory {
    const existing = parent.entries.get(name)
    if (existing?.type === 'directory') return existing
    if (existing) {
      throw invalid(member.path, `/${path} is a ${existing.type} of the same layer, not a directory`)
    }
    const made = createDirectory()
    parent.entries.set(name, made)
    directories.set(path, made)
    return made
  }

  function putFile(parent: Directory, name: string, path: string, inode: Inode): void {
    if (parent.entries.get(name)?.type === 'directory') {
      throw invalid(path, `a ${inode.type} in place of a directory of the same layer`)
    }
    parent.entries.set(name, inode)
  }

  function add(member: TarMember): void {
    const { path, type } = member
    if (path === '') {
      Object.assign(tree.root, attributesOf(member))
      return
    }
    const parent = enterParent(member)
    const name = path.slice(path.lastIndexOf('/') + 1)
    if (type === 'directory') {
      Object.assign(enterDirectory(parent, name, path, member), attributesOf(member))
      return
    }
    if (name.startsWith(WHITEOUT) && ['', '.', '..'].includes(name.slice(WHITEOUT.length))) {
      throw invalid(path, 'a whiteout without a name to remove')
    }
    if (type === 'file') {
      const content = memberContent(layer.content, member)
      putFile(parent, name, path, createFile(content, attributesOf(member)))
    } else if (type === 'symlink') {
      const attributes = { ...attributesOf(member), mode: 0o777 }
      putFile(parent, name, path, createSymlink(member.linkName, attributes))
    } else if (type === 'hardlink') {
      links.set(path, { directory: parent, name, path, target: member.linkName })
    } else {
      throw layerError('OSTREE_UNSUPPORTED_FILE', layer, path, `ostree has no place for a ${type}`, {
        hint: 'let the system make it when it runs: tmpfiles.d(5) says how',
      })
    }
  }

  /** The file of this layer at a path; links to it are followed, each of them being resolved on the way. */
  function resolveLink(link: PendingLink): void {
    const chain = [link]
    links.delete(link.path)
    for (let { target } = link; ; ) {
      const slash = target.lastIndexOf('/')
      const inode = directories.get(target.slice(0, Math.max(0, slash)))?.entries.get(target.slice(slash + 1))
      const next = links.get(target)
      if (inode?.type === 'directory') throw invalid(link.path, `a hard link to the directory /${target}`)
      if (inode) {
        for (const { directory, name, path } of chain) putFile(directory, name, path, inode)
        return
      }
      if (!next) {
        throw layerError(
          'OSTREE_INVALID_LAYER',
          layer,
          link.path,
          `a hard link to /${target}, which is not in the same layer`,
          {
            details: { target },
            hint: 'ostree commits each layer by itself: make the link where its target is made',
          },
        )
      }
      chain.push(next)
      links.delete(target)
      target = next.target
    }
  }

  for (const member of members) add(member)
  for (const link of [...links.values()]) if (links.has(link.path)) resolveLink(link)
  return tree
}

function attributesOf({ mode, uid, gid, xattrs }: TarMember): InodeAttributes {
  return { mode, uid, gid, mtime: EPOCH, xattrs: new Map(xattrs) }
}
