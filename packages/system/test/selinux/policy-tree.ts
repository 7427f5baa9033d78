import { createFile, createTree, type FileTree, putInode } from '@bootable/tree'

/** A tree with a policy: the files of its `contexts/files` by what follows `file_contexts` in their names. */
export function policyTree(
  files: Readonly<Record<string, string>>,
  config = 'SELINUX=enforcing\nSELINUXTYPE=targeted\n',
  etc = 'etc',
): FileTree {
  const tree = createTree()
  putInode(tree, `${etc}/selinux/config`, createFile(config))
  putInode(tree, `${etc}/selinux/targeted/policy/policy.33`, createFile(''))
  for (const [suffix, text] of Object.entries(files)) {
    putInode(tree, `${etc}/selinux/targeted/contexts/files/file_contexts${suffix}`, createFile(text))
  }
  return tree
}
