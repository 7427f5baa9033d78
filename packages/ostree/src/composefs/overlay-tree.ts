import { concatBytes, toHex, utf8 } from '@bootable/bytes'
import type { Directory, FileTree, Inode, RegularFile } from '@bootable/tree'
import { createDevice, createDirectory, EPOCH, sortedEntries } from '@bootable/tree'
import { type Checksum, objectPath } from '../object/checksum.ts'

const OVERLAY = 'trusted.overlay.'
/** How overlayfs finds attributes of its own that belong to the layer shown, not to itself. */
const ESCAPED = 'trusted.overlay.overlay.'

/** Before the digest in `trusted.overlay.metacopy`: version 0, 36 bytes, no flags, SHA-256. */
const METACOPY_HEADER = Uint8Array.of(0, 36, 0, 1)

/** What a deployment mounts onto, and libostree adds where a commit lacks it. */
const ROOT_DIRECTORIES = ['usr', 'etc', 'boot', 'var', 'sysroot'] as const

/** Options of `composefsImage`. */
export interface OverlayTreeOptions {
  /** The checksum of a file's object. */
  readonly checksums: (file: RegularFile) => Checksum
  /** The fs-verity digest of a file's content, 32 bytes; `undefined` for a file that is not sealed. */
  readonly digests?: (file: RegularFile) => Uint8Array | undefined
}

/**
 * The tree that overlayfs shall read so that it shows a commit: files point to their objects, all of one
 * time, none linked to another. The given tree is not changed.
 *
 * The overlay's data is found under `/xx/rest.file`: `ostree/repo/objects` is its last lower layer.
 */
export function overlayTree(tree: FileTree, options: OverlayTreeOptions): FileTree {
  const root = prepare(tree.root, options) as Directory
  root.xattrs.set(`${OVERLAY}opaque`, utf8('y'))
  const pending: [from: Directory, to: Directory][] = [[tree.root, root]]
  // A list instead of recursion: a hostile image may nest deeper than the call stack.
  for (const [from, to] of pending) {
    for (const [name, inode] of sortedEntries(from)) {
      const copy = prepare(inode, options)
      to.entries.set(name, copy)
      if (inode.type === 'directory') pending.push([inode, copy as Directory])
    }
  }
  for (const name of ROOT_DIRECTORIES) {
    if (!root.entries.has(name)) root.entries.set(name, createDirectory())
  }
  addWhiteouts(root)
  return { root }
}

/** A copy of an inode with the attributes that overlayfs wants; a directory's is empty. */
function prepare(inode: Inode, { checksums, digests }: OverlayTreeOptions): Inode {
  const xattrs = new Map<string, Uint8Array>()
  for (const [name, value] of inode.xattrs) {
    xattrs.set(name.startsWith(OVERLAY) ? ESCAPED + name.slice(OVERLAY.length) : name, value)
  }
  const copy: Inode = { ...inode, xattrs, mtime: EPOCH }
  if (copy.type === 'directory') return { ...copy, entries: new Map() }
  if (inode.type === 'file' && inode.content.size > 0) {
    const digest = digests?.(inode)
    xattrs.set(`${OVERLAY}metacopy`, digest ? concatBytes([METACOPY_HEADER, digest]) : new Uint8Array())
    xattrs.set(`${OVERLAY}redirect`, utf8(`/${objectPath(checksums(inode), 'file')}`))
  }
  return copy
}

const LABEL = 'security.selinux'

/**
 * libcomposefs hides the folders of the objects, which overlayfs would otherwise show: a whiteout for each
 * of `00` to `ff` that is no name of the tree's own.
 */
function addWhiteouts(root: Directory): void {
  const { uid, gid } = root
  const label = root.xattrs.get(LABEL)
  for (let index = 0; index < 256; index++) {
    const name = toHex(Uint8Array.of(index))
    if (root.entries.has(name)) continue
    const xattrs = new Map(label ? [[LABEL, label]] : [])
    root.entries.set(name, createDevice('character', 0, 0, { mode: 0o644, uid, gid, xattrs }))
  }
}
