import { join } from 'node:path'
import {
  type ByteSource,
  GiB,
  KiB,
  MiB,
  memoryDevice,
  memorySource,
  sparseSource,
  zeroSource,
} from '@bootable/bytes'
import { measureXfs, readXfs, type WriteXfsOptions, writeXfs } from '@bootable/filesystems/xfs'
import type { Attributes, FileTree } from '@bootable/tree'
import {
  createDevice,
  createDirectory,
  createFifo,
  createFile,
  createSymlink,
  createTree,
  ensureDirectory,
  putInode,
} from '@bootable/tree'
import { afterAll, expect, test } from 'vitest'
import { differences, saveDevice } from '../../tooling/compliance/filesystem.ts'
import { sampleTree } from '../../tooling/compliance/sample-tree.ts'
import { patternBytes } from '../../tooling/compliance/trees.ts'
import { oracle, temporaryFolder } from '../../tooling/oracles.ts'
import { xfsCheckers } from '../../tooling/xfs-checkers.ts'

const OPTIONS: WriteXfsOptions = { uuid: '6f1c2a9e-3b47-4c1d-9a55-0d2f4e8b7c10', time: 1_700_000_000 }

async function readTree(source: ByteSource): Promise<FileTree> {
  const filesystem = await readXfs(source)
  expect(filesystem.clean).toBe(true)
  return filesystem.tree()
}

function smallTree(): FileTree {
  const tree = createTree()
  const xattrs = new Map([['user.large', patternBytes(5000)]])
  putInode(tree, 'etc/hostname', createFile('bootable\n', { xattrs }))
  for (let index = 0; index < 300; index++) putInode(tree, `many/${index}`, createFile(`${index}`))
  return tree
}

oracle('xfs_repair', () => {
  const folder = temporaryFolder()
  const image = join(folder, 'image')
  const { check, checkKept } = xfsCheckers()
  afterAll(async () => expect(await checkKept()).toEqual([]), 300_000)

  async function judge(tree: FileTree, size: number, options: Partial<WriteXfsOptions> = {}): Promise<void> {
    const device = memoryDevice(size)
    await writeXfs(tree, device, { ...OPTIONS, ...options })
    expect(await differences(tree, await readTree(device))).toEqual([])
    await saveDevice(device, image)
    expect(await check(image)).toEqual([])
  }

  test.each([
    [300 * MiB, {}],
    [300 * MiB + 5 * KiB, {}],
    [301 * MiB + 4096, { label: 'twelve bytes' }],
    [GiB, { agCount: 9 }],
    [3 * GiB, { agCount: 2, sectorSize: 4096 }],
    [40 * GiB, {}],
    [5 * 1024 * GiB + 999 * MiB, {}],
    [12 * 1024 * GiB + 5 * MiB, {}],
  ] as const)('%d bytes, %o', async (size, options) => {
    await judge(size === 300 * MiB ? sampleTree() : smallTree(), size, options)
  })

  test('trees of extents of one and two levels, beside attributes of every form', async () => {
    const tree = createTree()
    const spots = (count: number, attributes: Attributes = {}): ReturnType<typeof createFile> => {
      const extents = Array.from({ length: count }, (_, index) => ({
        offset: index * 3 * 4096,
        length: 4096,
        source: zeroSource(4096),
        sourceOffset: 0,
      }))
      return createFile(sparseSource(count * 3 * 4096, extents), attributes)
    }
    for (const count of [3, 4, 12, 13, 18, 19, 21, 22, 251, 252, 503]) {
      for (const [name, size] of [
        ['short', 250],
        ['leaf', 2000],
        ['remote', 60_000],
      ] as const) {
        putInode(
          tree,
          `${count}/${name}`,
          spots(count, { xattrs: new Map([['user.x', patternBytes(size)]]) }),
        )
      }
      putInode(tree, `${count}/none`, spots(count))
    }
    putInode(tree, 'two levels', spots(6000))
    await judge(tree, GiB)
  })

  test('attributes in leaves, under nodes and apart, of every kind of inode', async () => {
    const tree = createTree()
    const many = (count: number, size: number): Map<string, Uint8Array> => {
      const entry = (index: number): [string, Uint8Array] => [
        `${['user', 'trusted', 'security'][index % 3]}.attribute number ${index}`,
        patternBytes(size, index + 1),
      ]
      return new Map(Array.from({ length: count }, (_, index) => entry(index)))
    }
    for (const [count, size] of [
      [1, 255],
      [1, 256],
      [1, 3040],
      [1, 3060],
      [1, 4040],
      [1, 4041],
      [1, 65_536],
      [3, 90],
      [20, 10],
      [40, 255],
      [500, 60],
      [30, 60_000],
      [3000, 1500],
    ] as const) {
      const xattrs = many(count, size)
      const name = `${count} of ${size}`
      putInode(tree, `${name}/file`, createFile('x', { xattrs }))
      if (count > 100) continue
      putInode(tree, `${name}/directory`, createDirectory({ xattrs }))
      putInode(tree, `${name}/link`, createSymlink('target', { xattrs }))
      putInode(tree, `${name}/long link`, createSymlink('x'.repeat(300), { xattrs }))
      putInode(tree, `${name}/device`, createDevice('block', 8, 1, { xattrs }))
      putInode(tree, `${name}/fifo`, createFifo({ xattrs }))
    }
    await judge(tree, 400 * MiB)
  })

  test('directories of every form, with short and long names', async () => {
    const tree = createTree()
    for (const count of [0, 1, 5, 20, 100, 450, 503, 505, 2000, 30_000]) {
      const short = ensureDirectory(tree, `short/${count}`)
      for (let index = 0; index < count; index++) short.entries.set(`${index}`, createFile(''))
    }
    // The last has more than one block of the index of free space.
    for (const count of [1, 2, 14, 15, 16, 300, 33_000]) {
      const long = ensureDirectory(tree, `long/${count}`)
      for (let index = 0; index < count; index++) {
        long.entries.set(`${index}-${'n'.repeat(240)}`, createFile(''))
      }
    }
    await judge(tree, 400 * MiB)
  })

  test('a file over all groups, around the log', async () => {
    const tree = createTree()
    const xattrs = new Map([['user.short', patternBytes(250)]])
    putInode(tree, 'large', createFile(patternBytes(225 * MiB), { xattrs }))
    await judge(tree, measureXfs(tree).minimumSize)
  })

  test('200000 inodes in more than one group, and two levels of nodes in one directory', async () => {
    const tree = createTree()
    for (let index = 0; index < 200_000; index++) {
      putInode(tree, `${index % 500}/${index % 7}/${index}`, createFile('', { uid: index }))
    }
    const target = putInode(tree, 'target', createFile('linked'))
    const links = ensureDirectory(tree, 'links')
    for (let index = 0; index < 258_000; index++) links.entries.set(`${index}`, target)
    await judge(tree, measureXfs(tree).minimumSize)
  }, 300_000)

  test('a sparse file of 8 GiB on a device of 300 MiB', async () => {
    const content = patternBytes(8 * KiB)
    const source = memorySource(content)
    const extents = [0, 4 * GiB + 4096, 8 * GiB - 8 * KiB].map((offset) => ({
      offset,
      length: content.length,
      source,
      sourceOffset: 0,
    }))
    const tree = createTree()
    putInode(tree, 'sparse', createFile(sparseSource(8 * GiB, extents)))
    const device = memoryDevice(300 * MiB)
    await writeXfs(tree, device, OPTIONS)
    await saveDevice(device, image)
    expect(await check(image)).toEqual([])
    const found = (await readTree(device)).root.entries.get('sparse')
    if (found?.type !== 'file') throw new Error('there is no file')
    const ranges: [number, number][] = []
    for await (const { offset, length } of found.content.dataRanges?.() ?? []) ranges.push([offset, length])
    expect(ranges).toEqual(extents.map(({ offset, length }) => [offset, length]))
    const middle = new Uint8Array(3 * KiB)
    await found.content.read(4 * GiB + 4096 - KiB, middle)
    expect(middle).toEqual(new Uint8Array([...new Uint8Array(KiB), ...content.subarray(0, 2 * KiB)]))
  })

  test('the immutable flag of a file and a directory; of a link there is none', async () => {
    const tree = createTree()
    const locked = ensureDirectory(tree, 'locked')
    locked.immutable = true
    locked.entries.set('file', createFile('x', { immutable: true }))
    locked.entries.set('free', createFile('x'))
    await judge(tree, 300 * MiB)
    locked.entries.set('link', createSymlink('file', { immutable: true }))
    const device = memoryDevice(300 * MiB)
    await writeXfs(tree, device, OPTIONS)
    const directory = ensureDirectory(await readTree(device), 'locked')
    expect(directory.entries.get('link')?.immutable).toBeUndefined()
  })
})
