import type { FileTree } from '@bootable/tree'
import { walkTree } from '@bootable/tree'

/** Bytes of all files, hard links counted once: what `podman image inspect` calls the size, without tar's own. */
export function measureFiles(tree: FileTree): number {
  let size = 0
  for (const { inode, linkOf } of walkTree(tree)) {
    if (inode.type === 'file' && linkOf === undefined) size += inode.content.size
  }
  return size
}
