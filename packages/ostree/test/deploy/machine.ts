import { readAll } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import { type Image, memoryStore, openImage, putImage, writeLayerTar } from '@bootable/oci'
import { type DeployOstreeOptions, deployOstree } from '@bootable/ostree'
import type { InstalledSystem } from '@bootable/system'
import {
  createFile,
  createSymlink,
  createTree,
  dumpTree,
  ensureDirectory,
  type FileTree,
  findFile,
  putInode,
} from '@bootable/tree'

export const CLOCK = 1_750_000_000
export const MTIME = { seconds: CLOCK, nanoseconds: 0 }
export const REFERENCE = 'quay.io/example/os:latest'

/** SHA-256 of "KERNEL-IMAGE" and "INITRAMFS-IMAGE": a boot checksum that the real ostree gave. */
export const BOOTCSUM = '485539b98404f70872f91274ea5a36a96baf2729d39a2b385d56d41db7cbd333'

/** A tree from texts by path; a text that starts with `->` is a link, a path that ends in `/` a directory. */
export function treeOf(files: Readonly<Record<string, string>>): FileTree {
  const tree = createTree()
  for (const [path, text] of Object.entries(files)) {
    if (path.endsWith('/')) ensureDirectory(tree, path)
    else if (text.startsWith('->')) putInode(tree, path, createSymlink(text.slice(2)))
    else putInode(tree, path, createFile(text, path.endsWith('shadow') ? { mode: 0o640, gid: 42 } : {}))
  }
  return tree
}

/** The files of a bootable image in small, with the links and folders of the ostree kind. */
export const FILES: Readonly<Record<string, string>> = {
  'usr/lib/modules/6.1.0/vmlinuz': 'KERNEL-IMAGE',
  'usr/lib/modules/6.1.0/initramfs.img': 'INITRAMFS-IMAGE',
  'usr/lib/os-release': 'ID=test\nPRETTY_NAME="Test OS 42"\n',
  'usr/lib/ostree/ostree-prepare-root': 'program',
  'usr/lib/tmpfiles.d/': '',
  'usr/bin/tool': 'tool',
  'usr/bin/empty': '',
  'usr/local/bin/': '',
  'boot/': '',
  home: '->var/home',
  root: '->var/roothome',
  opt: '->var/opt',
  ostree: '->sysroot/ostree',
  'sysroot/': '',
  'var/lib/app/state': 'state',
  'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n',
  'etc/shadow': 'root:*:20254:0:99999:7:::\n',
  'etc/group': 'root:x:0:\nwheel:x:10:\nshadow:x:42:\n',
  'etc/login.defs': 'UID_MIN 1000\nGID_MIN 1000\nUSERGROUPS_ENAB yes\n',
  'etc/skel/.profile': 'umask 022\n',
}

/** {@link FILES} with changes; `undefined` takes a file out. */
export function filesWith(changes: Readonly<Record<string, string | undefined>> = {}): FileTree {
  const files = { ...FILES, ...changes }
  return treeOf(
    Object.fromEntries(
      Object.entries(files).filter((entry): entry is [string, string] => entry[1] !== undefined),
    ),
  )
}

/** An image of these layers. */
export async function imageOf(
  layers: readonly FileTree[],
  labels: Record<string, string> = { 'containers.bootc': '1' },
): Promise<Image> {
  const store = memoryStore({ name: 'test' })
  const parts = { layers: layers.map((tree) => () => writeLayerTar(tree)), config: { Labels: labels } }
  await putImage(store, parts, { reference: 'latest', runtime: nodeRuntime })
  return openImage(store, 'latest')
}

/** Deploys a small image with changed files. */
export async function deploy(
  changes: Readonly<Record<string, string | undefined>> = {},
  options: Partial<DeployOstreeOptions> = {},
): Promise<InstalledSystem> {
  return deployImage(await imageOf([filesWith(changes)]), options)
}

export function deployImage(
  image: Image,
  options: Partial<DeployOstreeOptions> = {},
): Promise<InstalledSystem> {
  const common = { targetReference: REFERENCE, seed: 'seed', clock: CLOCK, runtime: nodeRuntime }
  return deployOstree(image, { ...common, ...options })
}

/** The text of a file, links followed. */
export async function textOf(tree: FileTree, path: string): Promise<string> {
  const file = findFile(tree, path)
  if (!file) throw new Error(`no file at ${path}`)
  return new TextDecoder().decode(await readAll(file.content))
}

export async function dumpOf(tree: FileTree): Promise<string[]> {
  const lines: string[] = []
  for await (const line of dumpTree(tree, { runtime: nodeRuntime })) lines.push(line)
  return lines
}
