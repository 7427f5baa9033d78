import {
  BootableError,
  type ByteSource,
  equalBytes,
  memoryDevice,
  memorySource,
  readAll,
  sparseSource,
  streamSource,
  utf8,
} from '@bootable/bytes'
import type { FileTree, RegularFile } from '@bootable/tree'
import {
  createDevice,
  createDirectory,
  createFile,
  createSymlink,
  createTree,
  ensureDirectory,
  lookup,
  putInode,
} from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import { InodeCompact, InodeExtended, SuperBlock } from '../../src/erofs/format.ts'
import { measureErofs, readErofs, type WriteErofsOptions, writeErofs } from '../../src/erofs/index.ts'

const OPTIONS = { uuid: '6f1c2a9e-3b47-4c1d-9a55-0d2f4e8b7c10' }

async function write(tree: FileTree, options: Partial<WriteErofsOptions> = {}): Promise<Uint8Array> {
  const device = memoryDevice(measureErofs(tree, options).minimumSize)
  await writeErofs(tree, device, { ...OPTIONS, ...options })
  return readAll(device)
}

async function reread(tree: FileTree): Promise<FileTree> {
  return (await readErofs(memorySource(await write(tree)))).tree()
}

describe('an EROFS', () => {
  test('says who it is', async () => {
    const tree = createTree({ mtime: { seconds: 1_700_000_000, nanoseconds: 0 } })
    const image = await write(tree, { label: 'compliance' })
    expect(await readErofs(memorySource(image))).toMatchObject({
      ...OPTIONS,
      label: 'compliance',
      blockSize: 4096,
      blocks: 1,
      inodes: 1,
      time: 1_700_000_000,
      composefs: false,
    })
  })

  test('has small inodes where they say it all, large ones where they do not', async () => {
    const time = 1_000_000
    const small = createTree({ mtime: { seconds: time, nanoseconds: 0 } })
    const at = (image: Uint8Array) => SuperBlock.read(image, 1024).rootNid * 32
    const image = await write(small, { time })
    expect(InodeCompact.read(image, at(image))).toMatchObject({
      format: 4,
      mode: 0o40755,
      nlink: 2,
      size: 27,
    })
    for (const change of [{ uid: 65_536 }, { mtime: { seconds: time, nanoseconds: 1 } }]) {
      const large = await write({ root: { ...small.root, ...change } }, { time })
      expect(InodeExtended.read(large, at(large))).toMatchObject({ format: 5, nlink: 2, size: 27 })
    }
  })

  test('keeps small files beside their inodes and large ones in blocks', async () => {
    const blocksOf = async (size: number): Promise<number> => {
      const tree = createTree()
      putInode(tree, 'file', createFile(new Uint8Array(size).fill(1)))
      return measureErofs(tree).minimumSize / 4096
    }
    expect(await Promise.all([0, 2048, 2049, 4096, 4097, 6144, 6145].map(blocksOf))).toEqual([
      1, 1, 2, 2, 2, 2, 3,
    ])
  })

  test('stores no hole, wherever it is', async () => {
    const size = 10_000_000
    const source = memorySource(new Uint8Array(5000).fill(7))
    const content: ByteSource = sparseSource(size, [
      { offset: 4_000_123, length: 5000, source, sourceOffset: 0 },
    ])
    const tree = createTree()
    putInode(tree, 'sparse', createFile(content))
    const device = memoryDevice(size * 2)
    const { blocks } = await writeErofs(tree, device, OPTIONS)
    expect(blocks).toBeLessThan(10)
    const found = lookup(await (await readErofs(device)).tree(), 'sparse') as RegularFile
    const ranges: unknown[] = []
    for await (const range of found.content.dataRanges?.() ?? []) ranges.push(range)
    expect(ranges.length).toBeGreaterThan(0)
    expect(equalBytes(await readAll(found.content), await readAll(content))).toBe(true)
  })

  test('links names to one inode, and counts directories', async () => {
    const tree = createTree()
    const file = putInode(tree, 'a/first', createFile('x'))
    putInode(tree, 'b/second', file)
    const found = await reread(tree)
    expect(lookup(found, 'a/first')).toBe(lookup(found, 'b/second'))
  })

  test('has names before a dot, a long link, and attributes longer than a block', async () => {
    const tree = createTree()
    const xattrs = new Map([['user.large', new Uint8Array(60_000).fill(3)]])
    putInode(tree, '!', createFile('before', { xattrs }))
    putInode(tree, 'link', createSymlink('x/'.repeat(2047)))
    putInode(tree, 'directory/x', createFile('y'))
    ensureDirectory(tree, 'directory').xattrs = new Map([['trusted.large', new Uint8Array(9000)]])
    const found = await reread(tree)
    expect([...found.root.entries.keys()]).toEqual(['!', 'directory', 'link'])
    expect(lookup(found, '!')?.xattrs).toEqual(xattrs)
    expect(lookup(found, 'link')).toMatchObject({ target: 'x/'.repeat(2047) })
    expect(lookup(found, 'directory/x')?.type).toBe('file')
  })

  test('is written in large pieces, front to back but for the superblock', async () => {
    const tree = createTree()
    for (let index = 0; index < 3000; index++) {
      putInode(tree, `directory ${index % 50}/file ${index}`, createFile(utf8('content '.repeat(index))))
    }
    const device = memoryDevice(measureErofs(tree).minimumSize)
    const sizes: number[] = []
    const counting = {
      ...device,
      async write(offset: number, data: Uint8Array) {
        sizes.push(data.length)
        await device.write(offset, data)
      },
    }
    await writeErofs(tree, counting, OPTIONS)
    expect(sizes.pop()).toBe(128)
    expect(sizes.slice(0, -1).every((size) => size >= 262_144)).toBe(true)
    let done = 0
    for await (const chunk of streamSource(device)) done += chunk.length
    expect(done).toBe(device.size)
  })
})

describe('what no EROFS holds is refused before anything is written', () => {
  const inTree = (name: string, inode: Parameters<typeof putInode>[2]): FileTree => {
    const tree = createTree()
    tree.root.entries.set(name, inode)
    return tree
  }
  const twice = createTree()
  const directory = createDirectory()
  for (const name of ['a', 'b']) putInode(twice, name, directory)
  const many = new Map(Array.from({ length: 5 }, (_, index) => [`user.${index}`, new Uint8Array(65_535)]))

  test.each([
    ['a name with a slash', inTree('a/b', createFile('')), 'EROFS_NAME_INVALID'],
    ['a name that is too long', inTree('n'.repeat(256), createFile('')), 'EROFS_NAME_INVALID'],
    ['a directory under two names', twice, 'EROFS_NAME_INVALID'],
    ['a link to nothing', inTree('x', createSymlink('')), 'EROFS_SYMLINK_INVALID'],
    ['a link that is too long', inTree('x', createSymlink('x'.repeat(4096))), 'EROFS_SYMLINK_INVALID'],
    ['a device of a high number', inTree('x', createDevice('block', 4096, 0)), 'EROFS_DEVICE_NUMBER'],
    [
      'attributes beyond their counter',
      inTree('x', createFile('', { xattrs: many })),
      'EROFS_XATTR_NO_SPACE',
    ],
  ])('%s', async (_, tree, code) => {
    expect(() => measureErofs(tree)).toThrow(expect.objectContaining({ code }))
    const device = memoryDevice(2 ** 20)
    const error = await writeErofs(tree, device, OPTIONS).catch((reason: unknown) => reason)
    expect(BootableError.is(error, code)).toBe(true)
    for await (const range of device.dataRanges()) expect(range).toBeUndefined()
  })

  test.each([
    { uuid: 'no uuid' },
    { ...OPTIONS, label: 'longer than sixteen bytes' },
    { ...OPTIONS, time: -1 },
  ])('the options %j', async (options) => {
    const error = await writeErofs(createTree(), memoryDevice(2 ** 20), options).catch(
      (reason: unknown) => reason,
    )
    expect(BootableError.is(error, 'EROFS_OPTION_INVALID')).toBe(true)
  })
})
