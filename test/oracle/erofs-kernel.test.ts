import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MiB, memoryDevice } from '@bootable/bytes'
import { measureErofs, readErofs, writeErofs } from '@bootable/filesystems/erofs'
import { writeExt4 } from '@bootable/filesystems/ext4'
import { composefsImage } from '@bootable/ostree'
import type { FileTree, Inode, RegularFile } from '@bootable/tree'
import { createFile, createTree, ensureDirectory, putInode, walkTree } from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import { differences, saveDevice } from '../../tooling/compliance/filesystem.ts'
import {
  canAskKernel,
  expectShown,
  type KernelSubject,
  kernelCompliance,
} from '../../tooling/compliance/kernel.ts'
import { reverseCompliance } from '../../tooling/compliance/reverse.ts'
import { sampleTree } from '../../tooling/compliance/sample-tree.ts'
import { holedSource, patternBytes } from '../../tooling/compliance/trees.ts'
import { readHostTree } from '../../tooling/host-tree.ts'
import { requireOracleRoot, runOkInOracleRoot } from '../../tooling/oracle-root.ts'
import { fsckErofs, requireTool, runOk, temporaryFolder, withLoopMount } from '../../tooling/oracles.ts'

const UUID = '6f1c2a9e-3b47-4c1d-9a55-0d2f4e8b7c10'

const subject: KernelSubject = {
  type: 'erofs',
  measure: (tree) => measureErofs(tree).minimumSize,
  write: (tree, device) => writeErofs(tree, device, { uuid: UUID }),
}
kernelCompliance(subject)

describe.runIf(canAskKernel('erofs') && canAskKernel('ext4'))('the kernel', () => {
  const folder = temporaryFolder()
  const image = join(folder, 'image')

  test('finds every one of many names', async () => {
    const tree = createTree()
    for (let index = 0; index < 1500; index++) {
      putInode(tree, `many/${'!-.~'[index % 4]}${index}`, createFile(`${index}`))
    }
    await expectShown(subject, tree, image)
  })

  test('shows a commit through its composefs image and the objects', async () => {
    const tree = createTree()
    const files: RegularFile[] = []
    const add = (path: string, inode: Inode): void => {
      putInode(tree, path, inode)
      if (inode.type === 'file' && inode.content.size > 0) files.push(inode)
    }
    for (let index = 0; index < 300; index++) {
      add(`usr/share/${index % 9}/${index}`, createFile(patternBytes(index * 50, index), { uid: index }))
    }
    add('usr/bin/tool', createFile('#!/bin/sh\n', { mode: 0o4755 }))
    for (const name of ['etc', 'boot', 'var', 'sysroot']) ensureDirectory(tree, name)
    const checksums = (file: RegularFile): string =>
      createHash('sha256')
        .update(`${files.indexOf(file)}`)
        .digest('hex')
    const objects = createTree()
    for (const file of files) {
      const name = checksums(file)
      putInode(objects, `${name.slice(0, 2)}/${name.slice(2)}.file`, createFile(file.content))
    }
    const device = memoryDevice(40 * MiB)
    await writeExt4(objects, device, { uuid: UUID })
    const store = join(folder, 'store')
    await saveDevice(device, store)
    const { content } = await composefsImage(tree, { checksums })
    const bytes = new Uint8Array(content.size)
    await content.read(0, bytes)
    writeFileSync(image, bytes)

    await withLoopMount(store, { type: 'ext4', options: 'noload' }, (data) =>
      withLoopMount(image, { type: 'erofs' }, async (names) => {
        const mounted = join(folder, 'overlay')
        await runOk('mkdir', ['-p', mounted])
        const options = `ro,metacopy=on,redirect_dir=on,lowerdir=${names}::${data}`
        await runOk('mount', ['-t', 'overlay', '-o', options, 'composefs', mounted])
        try {
          expect(await differences(tree, await readHostTree(mounted))).toEqual([])
        } finally {
          await runOk('umount', [mounted])
        }
      }),
    )
  })
})

function foreignTree(): FileTree {
  const tree = sampleTree()
  // mkfs.erofs reads holes as data.
  putInode(tree, 'usr/lib/sparse', createFile(holedSource(2 * MiB, [0, 1_500_001], 9999)))
  return tree
}

const isRoot = process.getuid?.() === 0
const variants = [
  [],
  ['-Enoinline_data,force-inode-extended'],
  ['--chunksize=4096'],
  ['--chunksize=65536', '-Eforce-chunk-indexes'],
  ['-x-1'],
].map((args) => ({ what: args.join(' '), args }))

reverseCompliance({
  name: 'mkfs.erofs',
  isPossible: isRoot && requireTool('mkfs.erofs'),
  variants,
  tree: foreignTree(),
  async make(folder, image, args) {
    await runOk('mkfs.erofs', [...args, `-U${UUID}`, image, folder])
  },
  read: async (source) => (await readErofs(source)).tree(),
  expected(tree, args) {
    if (args.includes('-x-1')) for (const { inode } of walkTree(tree)) inode.xattrs = new Map()
    return tree
  },
})

reverseCompliance({
  name: 'mkfs.erofs of a newer release',
  isPossible: requireOracleRoot('mkfs.erofs'),
  variants: [{ what: '', args: [] }],
  tree: foreignTree(),
  async make(folder, image) {
    const script = 'mkfs.erofs --quiet /run/image /work >&2; cat /run/image'
    writeFileSync(image, (await runOkInOracleRoot(folder, 'sh', ['-ec', script])).bytes)
  },
  read: async (source) => (await readErofs(source)).tree(),
})

describe.runIf(requireTool('fsck.erofs'))('fsck.erofs', () => {
  const folder = temporaryFolder()

  test('is a judge: it finds what is wrong', async () => {
    const tree = createTree()
    putInode(tree, 'file', createFile(patternBytes(9000)))
    const device = memoryDevice(measureErofs(tree).minimumSize)
    await writeErofs(tree, device, { uuid: UUID })
    await device.write(1155, Uint8Array.of(0x70))
    const image = join(folder, 'image')
    await saveDevice(device, image)
    expect(await fsckErofs(image)).not.toEqual([])
  })
})
