import { createHash } from 'node:crypto'
import { fromHex, readAll, toHex, utf8 } from '@bootable/bytes'
import { readErofs } from '@bootable/filesystems/erofs'
import type { FileTree, Inode, RegularFile } from '@bootable/tree'
import {
  createDirectory,
  createFile,
  createSymlink,
  createTree,
  EPOCH,
  lookup,
  putInode,
  walkTree,
} from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import { fsVerityDigest } from '../../src/composefs/fs-verity.ts'
import { composefsImage } from '../../src/composefs/image.ts'

const BIN = utf8('system_u:object_r:bin_t:s0\0')
const ROOT = utf8('system_u:object_r:root_t:s0\0')

/** A commit of real ostree, and the checksums of its files. */
function sample(): { tree: FileTree; checksums: (file: RegularFile) => string } {
  const labelled = (label: Uint8Array): Map<string, Uint8Array> => new Map([['security.selinux', label]])
  const tree = createTree({ xattrs: labelled(ROOT) })
  const plain = putInode(tree, 'plain', createFile('hello\n'))
  const script = putInode(
    tree,
    'xattr',
    createFile('#!/bin/sh\n', {
      uid: 1000,
      gid: 1001,
      mode: 0o755,
      xattrs: new Map([
        ['security.capability', fromHex('0100000200200000000000000000000000000000')],
        ...labelled(BIN),
        ['user.note', utf8('hi')],
      ]),
    }),
  )
  putInode(tree, 'suid', createFile('', { mode: 0o4755, xattrs: labelled(BIN) }))
  putInode(tree, 'link', createSymlink('../usr/lib/os-release', { xattrs: labelled(BIN) }))
  putInode(tree, 'sub', createDirectory({ xattrs: labelled(ROOT) }))
  const checksums = new Map<Inode, string>([
    [plain, '44f778e59f0a4748d6b0c90a47347212a231c4ad1e8f7ea5c5dffc7749153a6b'],
    [script, '77e3037dcc4d2a58256c7e94efcdeabbb35be63c53e9205a172145bfb056368b'],
  ])
  return { tree, checksums: (file) => checksums.get(file) as string }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

describe('an image equals what ostree admin deploy made of the same commit', () => {
  test('of files without digests', async () => {
    const { tree, checksums } = sample()
    const { content, digest } = await composefsImage(tree, { checksums })
    const bytes = await readAll(content)
    expect(bytes.length).toBe(24_576)
    expect(toHex(bytes.subarray(0, 16))).toBe('9a6278d0010000000000000000000000')
    expect(toHex(bytes.subarray(1024, 1072))).toBe(
      'e2e1f5e000000000060000000c0024000b010000000000000000000000000000' + '00000000060000000000000004000000',
    )
    expect(toHex(bytes.subarray(1152, 1184))).toBe(
      '00000700ed4108000010000000000000' + '05000000000000000000000000000000',
    )
    expect(toHex(bytes.subarray(1184, 1200))).toBe('fff7efff01000000000000002d020000')
    expect(sha256(bytes)).toBe('3f30c12e83ac746601e215b4f79e4a6bd488c42c456141a69e6a6030e326b052')
    expect(digest).toBe('eb17cf8e09b33fcf32ce45a1a43543bff5b81ff263e621abab13dab7b533f027')
  })

  test('of files with fs-verity digests', async () => {
    const { tree, checksums } = sample()
    const digests = new Map<RegularFile, Uint8Array>()
    for (const { inode } of walkTree(tree)) {
      if (inode.type === 'file') digests.set(inode, await fsVerityDigest(inode.content))
    }
    const { content, digest } = await composefsImage(tree, {
      checksums,
      digests: (file) => digests.get(file),
    })
    expect(sha256(await readAll(content))).toBe(
      'c95965adb8f67c4112b6f2aaa59957352aec2df74baf9d8ff9ff2b852f014b95',
    )
    expect(digest).toBe('7a1797f9b783ff2079596b80d26a215df5cb20a693a62100560f6ee5d678da41')
  })
})

describe('the tree of an image', () => {
  async function imageTree(tree: FileTree): Promise<FileTree> {
    const { content } = await composefsImage(tree, { checksums: () => 'ab'.repeat(32) })
    const filesystem = await readErofs(content)
    expect(filesystem).toMatchObject({ composefs: true, time: 0 })
    return filesystem.tree()
  }

  test('points to objects, and hides their folders', async () => {
    const { tree } = sample()
    const found = await imageTree(tree)
    const plain = lookup(found, 'plain') as RegularFile
    expect(plain.content.size).toBe(6)
    expect(plain.xattrs).toEqual(
      new Map([
        ['trusted.overlay.metacopy', new Uint8Array()],
        ['trusted.overlay.redirect', utf8(`/ab/${'ab'.repeat(31)}.file`)],
      ]),
    )
    expect([...(lookup(found, 'suid')?.xattrs.keys() ?? [])]).toEqual(['security.selinux'])
    for (const name of ['00', '7f', 'ff']) {
      expect(lookup(found, name)).toMatchObject({ type: 'device', major: 0, minor: 0, mode: 0o644 })
      expect(lookup(found, name)?.xattrs).toEqual(new Map([['security.selinux', ROOT]]))
    }
    for (const name of ['usr', 'etc', 'boot', 'var', 'sysroot']) {
      expect(lookup(found, name)).toMatchObject({ type: 'directory', mode: 0o755, xattrs: new Map() })
    }
  })

  test('has no links, no times, and keeps attributes of overlayfs apart from its own', async () => {
    const tree = createTree()
    const xattrs = new Map([['trusted.overlay.opaque', utf8('x')]])
    const file = createFile('content', { mtime: { seconds: 5, nanoseconds: 6 }, xattrs })
    for (const name of ['a', 'b', '00']) putInode(tree, name, file)
    const found = await imageTree(tree)
    expect(lookup(found, 'a')).not.toBe(lookup(found, 'b'))
    expect(lookup(found, '00')?.type).toBe('file')
    expect(lookup(found, 'a')?.mtime).toEqual(EPOCH)
    expect(lookup(found, 'a')?.xattrs.get('trusted.overlay.overlay.opaque')).toEqual(utf8('x'))
    expect(file.xattrs.size).toBe(1)
    expect(tree.root.entries.size).toBe(3)
  })
})
