import type { Attributes, FileTree, Inode } from '@bootable/tree'
import { ensureDirectory, putInode } from '@bootable/tree'

/**
 * Puts a file on the EFI system partition. FAT knows no case: a name that stands there already, in
 * whatever spelling, is kept and what it names is replaced.
 *
 * @param esp where the sysroot has the partition, such as `boot/efi`
 * @param given attributes of directories that have to be made
 */
export function putOnPartition(
  tree: FileTree,
  esp: string,
  path: string,
  inode: Inode,
  given: Attributes,
): void {
  let directory = ensureDirectory(tree, esp, given)
  const names = path.split('/')
  const last = names.pop() as string
  for (const name of names) {
    directory = ensureDirectory({ root: directory }, spelling(directory.entries.keys(), name), given)
  }
  putInode({ root: directory }, spelling(directory.entries.keys(), last), inode)
}

function spelling(names: Iterable<string>, name: string): string {
  for (const present of names) if (present.toLowerCase() === name.toLowerCase()) return present
  return name
}
