import { closeSync, mkdirSync, openSync, rmSync, symlinkSync, writeFileSync, writeSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type ByteSource, GiB, MiB, memoryDevice, TiB } from '@bootable/bytes'
import { nodeRuntime, openFileSource } from '@bootable/bytes/node'
import { readXfs, writeXfs } from '@bootable/filesystems/xfs'
import {
  createDevice,
  createDirectory,
  createFifo,
  createFile,
  createSymlink,
  createTree,
  dumpTree,
  EPOCH,
  ensureDirectory,
  type FileTree,
  putInode,
  removePath,
  walkTree,
} from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import { differences, saveDevice } from '../../tooling/compliance/filesystem.ts'
import { canAskKernel, withoutHidden, withWritableMount } from '../../tooling/compliance/kernel.ts'
import { ordinaryTree, reverseCompliance } from '../../tooling/compliance/reverse.ts'
import { sampleTree } from '../../tooling/compliance/sample-tree.ts'
import { patternBytes } from '../../tooling/compliance/trees.ts'
import { readHostTree, writeHostTree } from '../../tooling/host-tree.ts'
import { requireOracleRoot, runOkInOracleRoot } from '../../tooling/oracle-root.ts'
import { oracle, requireTool, runOk, temporaryFolder, xfsRepair } from '../../tooling/oracles.ts'

const UUID = '6f1c2a9e-3b47-4c1d-9a55-0d2f4e8b7c10'
/** What mkfs.xfs of xfsprogs 6.1 makes, without what needs a newer GRUB or makes more trees. */
const OLD = ['-m', `uuid=${UUID},rmapbt=0`]

async function sparseFile(path: string, size: number): Promise<void> {
  rmSync(path, { force: true })
  const file = await open(path, 'w')
  await file.truncate(size)
  await file.close()
}

oracle(['mkfs.xfs', 'xfs_db'], () => {
  const folder = temporaryFolder()
  const [ours, theirs] = [join(folder, 'ours'), join(folder, 'theirs')]

  /** Everything that superblock, headers and the first inodes say, but for checksums and times. */
  async function describeLayout(path: string): Promise<string[]> {
    const { stdout: head } = await runOk('xfs_db', ['-r', '-c', 'sb 0', '-c', 'p', path])
    const [, groups = '0'] = /^agcount = (\d+)$/m.exec(head) ?? []
    const commands = [
      'inode 128',
      'p',
      'inode 129',
      'p',
      'inode 130',
      'p',
      'inode 131',
      'p',
      'inode 191',
      'p',
    ]
    const few = Array.from({ length: Math.min(Number(groups), 6) }, (_, group) => group)
    for (const group of [...few, Number(groups) - 1]) {
      for (const header of ['agf', 'agi']) commands.push(`${header} ${group}`, 'p')
      for (const root of ['bnoroot', 'cntroot', 'refcntroot'])
        commands.push(`agf ${group}`, `addr ${root}`, 'p')
      for (const root of ['root', 'free_root']) commands.push(`agi ${group}`, `addr ${root}`, 'p')
    }
    const { stdout } = await runOk('xfs_db', ['-r', ...commands.flatMap((command) => ['-c', command]), path])
    return `${head}${stdout}`
      .split('\n')
      .filter((line) => !/crc = |time\.n?sec = |^fl(first|last) = |change_count|flushiter/.test(line))
  }

  test.each([
    [300 * MiB, 512],
    [300 * MiB, 4096],
    [301 * MiB + 8192, 512],
    [GiB, 512],
    [10 * GiB + 3 * 4096, 4096],
    [130 * GiB, 512],
    [900 * GiB, 512],
    [4 * TiB + 4096, 512],
    [9 * TiB + 10 * MiB, 4096],
  ])('chooses what mkfs.xfs chooses for %d bytes on sectors of %d', async (size, sectorSize) => {
    const device = memoryDevice(size)
    await writeXfs(createTree(), device, { uuid: UUID, time: 1, sectorSize: sectorSize === 512 ? 512 : 4096 })
    await saveDevice(device, ours)
    await sparseFile(theirs, size)
    await runOk('mkfs.xfs', ['-q', '-f', ...OLD, '-s', `size=${sectorSize}`, theirs])
    expect(await describeLayout(ours)).toEqual(await describeLayout(theirs))
  })

  test('writes the log that mkfs.xfs writes', async () => {
    for (const sectorSize of [512, 4096] as const) {
      const device = memoryDevice(300 * MiB)
      await writeXfs(createTree(), device, { uuid: UUID, sectorSize })
      await sparseFile(theirs, 300 * MiB)
      await runOk('mkfs.xfs', ['-q', '-f', ...OLD, '-s', `size=${sectorSize}`, theirs])
      const start = (2 * 19_200 + (sectorSize === 512 ? 6 : 9)) * 4096
      const [ourLog, theirLog] = [new Uint8Array(65_536), new Uint8Array(65_536)]
      await device.read(start, ourLog)
      const file = await openFileSource(theirs)
      await file.read(start, theirLog)
      await file.close()
      expect(Buffer.compare(ourLog, theirLog)).toBe(0)
    }
  })
})

describe.runIf(canAskKernel('xfs') && requireTool('mkfs.xfs'))(
  'more than a file of the host may have',
  () => {
    const folder = temporaryFolder()

    test.each([20 * TiB, 40 * TiB + 77 * MiB])(
      '%d bytes: as mkfs.xfs, and xfs_repair finds nothing',
      async (size) => {
        const outer = join(folder, 'outer')
        const device = memoryDevice(2 * GiB)
        await writeXfs(createTree(), device, { uuid: UUID })
        await saveDevice(device, outer)
        await withWritableMount(outer, 'xfs', async (mounted) => {
          const inner = memoryDevice(size)
          await writeXfs(createTree(), inner, { uuid: UUID, time: 1 })
          await saveDevice(inner, join(mounted, 'ours'))
          expect(await xfsRepair(join(mounted, 'ours'))).toEqual([])
          await sparseFile(join(mounted, 'theirs'), size)
          const { stdout } = await runOk('mkfs.xfs', ['-f', '-N', ...OLD, join(mounted, 'theirs')])
          const info = await runOk('xfs_db', ['-r', '-c', 'info', join(mounted, 'ours')])
          const plain = (text: string): string => text.replace(/^meta-data=\S+ +/, '')
          expect(plain(info.stdout)).toBe(plain(stdout))
        })
      },
    )
  },
)

/** What the newest mkfs.xfs adds to the root. */
const AUTOFSCK = 'trusted.xfs:autofsck'

async function readTree(source: ByteSource): Promise<FileTree> {
  const filesystem = await readXfs(source)
  expect(filesystem).toMatchObject({ label: 'theirs', clean: true })
  const tree = await filesystem.tree()
  tree.root.xattrs.delete(AUTOFSCK)
  return tree
}

/**
 * mkfs.xfs opens devices rather than look at them, gives an access list a name that no kernel takes for one,
 * and the root the time of day.
 */
function takenOver(tree: FileTree): FileTree {
  removePath(tree, 'disk')
  removePath(tree, 'attributes/listed')
  return tree
}

/** Options of the newest mkfs.xfs, all of which the reader must know. */
const VARIANTS = [
  { what: 'its defaults', args: [] },
  { what: 'a metadata directory', args: ['-m', 'metadir=1'] },
  {
    what: 'neither parents nor exchange, few trees',
    args: [
      ...['-n', 'parent=0', '-m', 'rmapbt=0,finobt=0,inobtcount=0'],
      ...['-i', 'exchange=0,nrext64=0,sparse=0'],
    ],
  },
  { what: 'blocks of 1 KiB', args: ['-b', 'size=1024'] },
  { what: 'blocks of 64 KiB, inodes of 2 KiB', args: ['-b', 'size=65536', '-i', 'size=2048'] },
  {
    what: 'blocks of directories of 16 KiB, sectors of 4 KiB',
    args: ['-n', 'size=16384', '-s', 'size=4096'],
  },
  { what: 'times of 32 bits', args: ['-m', 'bigtime=0'] },
] as const

const hasNewest = requireOracleRoot('mkfs.xfs')

async function newestMkfs(image: string, size: number, args: readonly string[]): Promise<void> {
  await sparseFile(image, size)
  const all = ['-q', '-f', '-L', 'theirs', ...args, `/work/${basename(image)}`]
  await runOkInOracleRoot(dirname(image), 'mkfs.xfs', all)
}

reverseCompliance({
  name: 'the newest mkfs.xfs -p',
  isPossible: hasNewest,
  tree: takenOver(ordinaryTree()),
  variants: VARIANTS,
  make: (folder, image, args) => newestMkfs(image, 600 * MiB, [...args, '-p', `/work/${basename(folder)}`]),
  async read(source) {
    const tree = await readTree(source)
    tree.root.mtime = EPOCH
    return tree
  },
  expected(tree) {
    tree.root.mtime = EPOCH
    return tree
  },
  randomTrees: 0,
})

/** Names, pieces and attributes in every form that the kernel gives them. */
function populate(mounted: string): void {
  for (const count of [1, 30, 200, 1000, 4000]) {
    const directory = join(mounted, `names/${count}`)
    mkdirSync(directory, { recursive: true })
    for (let index = 0; index < count; index++) writeFileSync(join(directory, `name number ${index}`), '')
    // Entries that went leave gaps and stale hashes behind.
    for (let index = 0; index < count; index += 3) rmSync(join(directory, `name number ${index}`))
  }
  // A file with so many holes takes a tree of extents.
  const file = openSync(join(mounted, 'pieces'), 'w')
  for (let index = 0; index < 3000; index++) {
    writeSync(file, patternBytes(4096, index + 1), 0, 4096, index * 20_480)
  }
  closeSync(file)
  symlinkSync('t'.repeat(1000), join(mounted, 'long link'))
}

/** A tree with many and large attributes among the usual. */
function attributedTree(): FileTree {
  const tree = withoutHidden(sampleTree())
  const many = Array.from({ length: 150 }, (_, index): [string, Uint8Array] => [
    `user.number ${index}`,
    patternBytes(index * 3, index + 1),
  ])
  putInode(tree, 'many', createDirectory({ xattrs: new Map(many) }))
  const large = new Map([['user.large', patternBytes(60_000, 3)]])
  putInode(tree, 'large', createFile('x', { xattrs: large }))
  return tree
}

describe.runIf(canAskKernel('xfs') && hasNewest && requireTool('setfattr'))('what the kernel wrote', () => {
  const image = join(temporaryFolder(), 'image')
  const mounted = VARIANTS.filter(({ what }) => /defaults|1 KiB|16 KiB/.test(what))

  test.each(mounted)('reads back equal: $what', async ({ args }) => {
    await newestMkfs(image, 600 * MiB, args)
    const shown = await withWritableMount(image, 'xfs', async (mounted) => {
      populate(mounted)
      const sample = join(mounted, 'sample')
      mkdirSync(sample)
      await writeHostTree(attributedTree(), sample)
      return snapshot(await readHostTree(mounted))
    })
    const file = await openFileSource(image)
    try {
      const tree = await readTree(file)
      expect(await snapshot(tree)).toEqual(shown)
    } finally {
      await file.close()
    }
  })
})

/** Everything about a tree as text, with digests of its contents. */
async function snapshot(tree: FileTree): Promise<string[]> {
  tree.root.xattrs.delete(AUTOFSCK)
  const lines: string[] = []
  for await (const line of dumpTree(tree, { runtime: nodeRuntime })) lines.push(line)
  return lines
}

oracle('mkfs.xfs', () => {
  const folder = temporaryFolder()
  const image = join(folder, 'image')

  test('reads what xfsprogs 6 fills by a prototype file', async () => {
    const content = join(folder, 'content')
    writeFileSync(content, patternBytes(300_000))
    const many = Array.from({ length: 700 }, (_, index) => `  file-${index} ---640 7 8 ${content}`)
    const lines = [
      '/boot',
      '0 0',
      'd--755 0 0',
      ' short d-g750 1 2',
      `  inside -u-755 3 4 ${content}`,
      ' $',
      ' many d--700 0 0',
      ...many.slice(0, 500),
      ' $',
      ' link l--777 0 0 to/a/target',
      ' null c--666 0 0 1 3',
      ' disk b--660 0 6 259 70000',
      ' pipe p--644 0 0',
      '$',
    ]
    writeFileSync(join(folder, 'prototype'), `${lines.join('\n')}\n`)
    await sparseFile(image, 600 * MiB)
    await runOk('mkfs.xfs', ['-q', '-f', '-p', join(folder, 'prototype'), image])
    const file = await openFileSource(image)
    const read = await (await readXfs(file)).tree()
    for (const { inode } of walkTree(read)) inode.mtime = EPOCH

    const tree = createTree()
    const data = patternBytes(300_000)
    ensureDirectory(tree, 'short', { mode: 0o2750, uid: 1, gid: 2 })
    putInode(tree, 'short/inside', createFile(data, { mode: 0o4755, uid: 3, gid: 4 }))
    ensureDirectory(tree, 'many', { mode: 0o700 })
    for (let index = 0; index < 500; index++) {
      putInode(tree, `many/file-${index}`, createFile(data, { mode: 0o640, uid: 7, gid: 8 }))
    }
    putInode(tree, 'link', createSymlink('to/a/target'))
    putInode(tree, 'null', createDevice('character', 1, 3, { mode: 0o666 }))
    putInode(tree, 'disk', createDevice('block', 259, 70_000, { mode: 0o660, gid: 6 }))
    putInode(tree, 'pipe', createFifo())
    expect(await differences(tree, read)).toEqual([])
    await file.close()
  })

  test('refuses what it cannot read, by name', async () => {
    await sparseFile(image, 300 * MiB)
    await runOk('mkfs.xfs', ['-q', '-f', '-m', 'crc=0', image])
    const old = await openFileSource(image)
    await expect(readXfs(old)).rejects.toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
      message: expect.stringContaining('version 4'),
    })
    await old.close()
  })
})
