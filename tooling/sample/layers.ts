import { fromHex } from '@bootable/bytes'
import {
  createDirectory,
  createFifo,
  createFile,
  createSymlink,
  createTree,
  ensureDirectory,
  type FileTree,
  type Inode,
  putInode,
} from '@bootable/tree'
import { buildEntryLoader } from './entry-loader.ts'
import { buildInitramfs } from './initramfs.ts'
import { buildTinyKernel } from './tiny-kernel.ts'

/** What `uname -r` would print. */
export const SAMPLE_KERNEL_VERSION = '1.0.0-tiny'

const mtime = { seconds: Date.UTC(2025, 0, 1) / 1000, nanoseconds: 0 }

/** The sample's initramfs: large enough for a few clusters and extents of any filesystem. */
export function sampleInitramfs(): Uint8Array {
  const noise = new Uint8Array(300_000)
  let state = 1
  for (let index = 0; index < noise.length; index++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0 // ANSI C's example of rand()
    noise[index] = state >>> 16
  }
  return buildInitramfs({ init: new TextEncoder().encode('#!/bin/sh\nexec /bin/sh\n'), noise })
}

/** An operating system as far as the builder looks: accounts, os-release, kernel, boot loader. */
export function baseLayer(): FileTree {
  const tree = createTree({ mtime })
  for (const path of ['boot', 'dev', 'proc', 'run', 'srv', 'sys', 'usr/sbin', 'var/home']) {
    put(tree, path, createDirectory({ mtime }))
  }
  for (const name of ['bin', 'sbin', 'lib']) put(tree, name, createSymlink(`usr/${name}`, { mtime }))
  put(tree, 'root', createDirectory({ mode: 0o700, mtime }))
  put(tree, 'home', createSymlink('var/home', { mtime }))
  put(tree, 'tmp', createDirectory({ mode: 0o1777, mtime }))

  putFiles(tree, [
    ['etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n'],
    ['etc/group', 'root:x:0:\nwheel:x:10:\nusers:x:100:\nnogroup:x:65534:\n'],
    ['etc/shadow', 'root:*:20089:0:99999:7:::\nnobody:!*:20089::::::\n', 0o600],
    ['etc/gshadow', 'root:::\nwheel:::\nusers:::\nnogroup:!::\n', 0o600],
    ['etc/login.defs', 'UID_MIN 1000\nUID_MAX 60000\nGID_MIN 1000\nGID_MAX 60000\nHOME_MODE 0700\n'],
    ['etc/skel/.profile', 'umask 027\n'],
    ['etc/hostname', 'sample\n'],
    ['etc/motd', 'Welcome to the base image.\n'],
    ['usr/lib/os-release', 'ID=sample\nNAME=Sample\nVERSION_ID=1\nPRETTY_NAME="Sample Linux 1"\n'],
    ['usr/lib/bootc/install/00-sample.toml', '[install.filesystem.root]\ntype = "ext4"\n'],
    ['usr/lib/bootc/kargs.d/10-sample.toml', 'kargs = ["sample.words=\\"two words\\""]\n'],
    [`usr/lib/modules/${SAMPLE_KERNEL_VERSION}/vmlinuz`, buildTinyKernel(), 0o755],
    [`usr/lib/modules/${SAMPLE_KERNEL_VERSION}/initramfs.img`, sampleInitramfs(), 0o600],
    ['usr/lib/systemd/boot/efi/systemd-bootx64.efi', buildEntryLoader()],
    ['usr/share/doc/base/README', 'The last layer takes this away.\n'],
    ['usr/share/cache/one', '1\n'],
    ['usr/share/cache/two', '2\n'],
  ])
  put(tree, 'etc/os-release', createSymlink('../usr/lib/os-release', { mtime }))
  return tree
}

/** Hard links, an extended attribute, a name longer than tar's header holds, a fifo, an owner. */
export function toolsLayer(): FileTree {
  const tree = createTree({ mtime })
  const tool = createFile('#!/bin/sh\necho "$0"\n', { mode: 0o755, mtime })
  for (const name of ['usr/bin/tool', 'usr/bin/tool-1', 'usr/sbin/tool']) put(tree, name, tool)

  // cap_net_bind_service=ep, as setcap(8) writes it: revision 2, effective (struct vfs_cap_data).
  const capability = fromHex('0100000200040000000000000000000000000000')
  const xattrs = new Map([['security.capability', capability]])
  put(tree, 'usr/bin/listen', createFile('#!/bin/sh\n', { mode: 0o755, mtime, xattrs }))
  const long = `usr/share/tools/${'a-long-name-'.repeat(12)}ä.txt`
  put(tree, long, createFile('long\n', { mtime: { ...mtime, nanoseconds: 123_456_789 } }))
  put(tree, 'var/lib/tools/pipe', createFifo({ mode: 0o600, uid: 65_534, gid: 65_534, mtime }))
  return tree
}

/** The application, over what the layers below have: whiteouts, an opaque directory, a changed type. */
export function appLayer(): FileTree {
  const tree = createTree({ mtime })
  putFiles(tree, [
    ['usr/bin/app', '#!/bin/sh\necho hello\n', 0o755],
    ['srv/app/index.html', '<h1>Hello</h1>\n'],
    ['usr/share/doc/.wh.base', ''],
    ['usr/share/cache/.wh..wh..opq', ''],
    ['usr/share/cache/three', '3\n'],
  ])
  put(tree, 'etc/motd', createSymlink('../srv/app/index.html', { mtime }))
  return tree
}

type File = readonly [path: string, content: string | Uint8Array, mode?: number]

function putFiles(tree: FileTree, files: readonly File[]): void {
  for (const [path, content, mode = 0o644] of files) put(tree, path, createFile(content, { mode, mtime }))
}

function put(tree: FileTree, path: string, inode: Inode): void {
  ensureDirectory(tree, path.slice(0, Math.max(0, path.lastIndexOf('/'))), { mtime })
  putInode(tree, path, inode)
}
