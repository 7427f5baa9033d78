import { readAll } from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import { createFile, createSymlink, createTree, ensureDirectory, findFile, putInode } from '@bootable/tree'

export const CLOCK = 1_750_000_000
export const MTIME = { seconds: CLOCK, nanoseconds: 0 }
export const LABELS = { 'containers.bootc': '1' }
export const ED25519 =
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f anna@home'

/** A tree from texts by path; a text that starts with `->` is a link. */
export function treeOf(files: Readonly<Record<string, string>>): FileTree {
  const tree = createTree()
  for (const [path, text] of Object.entries(files)) {
    if (path.endsWith('/')) ensureDirectory(tree, path)
    else if (text.startsWith('->')) putInode(tree, path, createSymlink(text.slice(2)))
    else putInode(tree, path, createFile(text, path.endsWith('shadow') ? { mode: 0o640, gid: 42 } : {}))
  }
  return tree
}

/** A bootable image in small, with the links and folders of the ostree kind. */
export function bootableImage(files: Readonly<Record<string, string>> = {}): FileTree {
  return treeOf({
    'usr/lib/modules/6.1.0/vmlinuz': 'kernel',
    'usr/lib/modules/6.1.0/initramfs.img': 'initramfs',
    'usr/lib/os-release': 'ID=debian\nPRETTY_NAME="Debian 13"\n',
    home: '->var/home',
    root: '->var/roothome',
    media: '->run/media',
    ostree: '->sysroot/ostree',
    'sysroot/': '',
    'usr/local/bin/': '',
    'etc/passwd': 'root:x:0:0:root:/root:/bin/bash\n',
    'etc/shadow': 'root:*:20254:0:99999:7:::\n',
    'etc/group': 'root:x:0:\nsudo:x:27:\nshadow:x:42:\n',
    'etc/gshadow': 'root:*::\nsudo:*::\nshadow:*::\n',
    'etc/subuid': '',
    'etc/subgid': '',
    'etc/login.defs':
      'UID_MIN 1000\nGID_MIN 1000\nUSERGROUPS_ENAB yes\nPASS_MAX_DAYS 99999\nHOME_MODE 0700\n',
    'etc/default/useradd': 'SHELL=/bin/sh\n',
    'etc/skel/.profile': 'umask 022\n',
    ...files,
  })
}

/** The text of a file, links followed. */
export async function textOf(tree: FileTree, path: string): Promise<string> {
  const file = findFile(tree, path)
  if (!file) throw new Error(`no file at ${path}`)
  return new TextDecoder().decode(await readAll(file.content))
}
