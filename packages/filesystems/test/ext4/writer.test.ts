import {
  type BlockDevice,
  MiB,
  memoryDevice,
  memorySource,
  type ProgressEvent,
  sliceSource,
  zeroSource,
} from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import {
  createDevice,
  createDirectory,
  createFile,
  createSymlink,
  createTree,
  diffTrees,
  ensureDirectory,
  putInode,
} from '@bootable/tree'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  measureExt4,
  readExt4,
  readExt4Superblock,
  type WriteExt4Options,
  writeExt4,
} from '../../src/ext4/index.ts'

const OPTIONS: WriteExt4Options = { uuid: '6f1c2a9e-3b47-4c1d-9a55-0d2f4e8b7c10', time: 1_700_000_000 }

/** A tree of so many files, some with attributes that need a block, names in one or more directories. */
function treeOf(files: number, bytes: number, directories: number, attributes: number): FileTree {
  const tree = createTree()
  for (let index = 0; index < files; index++) {
    const xattrs = new Map(index < attributes ? [['user.large', new Uint8Array(300)]] : [])
    const directory = ensureDirectory(tree, `d${index % directories}`)
    directory.entries.set(`${'n'.repeat(index % 200)}${index}`, createFile(zeroless(bytes), { xattrs }))
  }
  return tree
}

/** Content without holes that costs nothing. */
function zeroless(size: number): { size: number; read: () => Promise<void> } {
  return { size, read: async () => {} }
}

/** A device that keeps nothing but how much was written. */
function countingDevice(size: number): BlockDevice & { readonly sizes: number[] } {
  const sizes: number[] = []
  return {
    size,
    sizes,
    read: async (_, target) => void target.fill(0),
    write: async (_, data) => void sizes.push(data.length),
    async *dataRanges() {},
  }
}

describe('measureExt4', () => {
  test('names the size from which on every device takes the tree', async () => {
    const shape = fc.record({
      files: fc.nat(3000),
      bytes: fc.nat(20_000),
      directories: fc.integer({ min: 1, max: 50 }),
      attributes: fc.nat(100),
      blockSize: fc.constantFrom(1024, 2048, 4096),
      more: fc.oneof(fc.nat(100_000), fc.nat(200 * MiB)),
      journal: fc.constantFrom({}, { journalBlocks: 0 }, { journalBlocks: 5000 }),
    })
    await fc.assert(
      fc.asyncProperty(shape, async ({ files, bytes, directories, attributes, blockSize, more, journal }) => {
        const tree = treeOf(files, bytes, directories, attributes)
        const sizes = { blockSize, ...journal }
        const { minimumSize } = measureExt4(tree, sizes)
        for (const size of [minimumSize, minimumSize + more]) {
          const layout = await writeExt4(tree, countingDevice(size), { ...OPTIONS, ...sizes })
          expect(layout.freeBlocks).toBeGreaterThanOrEqual(0)
        }
      }),
      { numRuns: 40 },
    )
  }, 60_000)

  test('is no more than a little above what is needed', async () => {
    const tree = treeOf(2000, 10_000, 10, 0)
    const { minimumSize } = measureExt4(tree)
    const { freeBlocks, blockSize } = await writeExt4(tree, countingDevice(minimumSize), OPTIONS)
    expect(freeBlocks * blockSize).toBeLessThan(minimumSize / 50)
    await expect(writeExt4(tree, countingDevice(minimumSize - MiB), OPTIONS)).rejects.toMatchObject({
      code: 'EXT4_NO_SPACE',
      details: { size: minimumSize - MiB },
    })
  })
})

describe('writeExt4', () => {
  test('gives the root what mke2fs would: a journal, an inode for 16 KiB, 5 % for root', async () => {
    const layout = await writeExt4(createTree(), countingDevice(2048 * MiB), { ...OPTIONS, label: 'root' })
    expect(layout).toMatchObject({
      blockSize: 4096,
      blockCount: 524_288,
      inodeCount: 131_072,
      journalBlocks: 16_384,
    })
  })

  test('keeps spare inodes as long as there is room for them', async () => {
    const tree = treeOf(3000, 10, 1, 0)
    const { minimumSize } = measureExt4(tree)
    const tight = await writeExt4(tree, countingDevice(minimumSize), OPTIONS)
    const wide = await writeExt4(tree, countingDevice(minimumSize + 20 * MiB), OPTIONS)
    expect(tight.freeInodes).toBeGreaterThan(100)
    expect(wide.freeInodes).toBeGreaterThan(5000)
  })

  test('writes little more than the content, in large pieces', async () => {
    const layer = zeroless(64 * MiB)
    const tree = createTree()
    for (let index = 0; index < 4000; index++) {
      putInode(tree, `usr/d${index % 40}/f${index}`, createFile(sliceSource(layer, index * 16_384, 16_384)))
    }
    const device = countingDevice(1024 * MiB)
    const events: ProgressEvent[] = []
    await writeExt4(tree, device, { ...OPTIONS, onProgress: (event) => events.push(event) })
    const total = device.sizes.reduce((sum, size) => sum + size, 0)
    expect(total).toBeLessThan(64 * MiB + 3 * MiB)
    expect(device.sizes.length).toBeLessThan(60)
    expect(events[0]).toMatchObject({ type: 'start', unit: 'bytes' })
    expect(events.at(-1)).toMatchObject({ type: 'end' })
  })

  test('never writes the holes of a device or a file', async () => {
    const tree = createTree()
    putInode(tree, 'hole', createFile(zeroSource(900 * MiB)))
    const device = countingDevice(100 * 1024 * MiB)
    await writeExt4(tree, device, OPTIONS)
    // Bitmaps of what is in use, descriptors and their copies, 4 MiB for the table to grow.
    expect(device.sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(6 * MiB)
  })

  test('puts uuid, label and features into the superblock, readable by themselves', async () => {
    const device = memoryDevice(16 * MiB)
    await writeExt4(createTree(), device, { ...OPTIONS, label: 'Wurzel ⚙', features: { verity: true } })
    const superblock = await readExt4Superblock(device)
    expect(superblock).toMatchObject({
      uuid: OPTIONS.uuid,
      label: 'Wurzel ⚙',
      size: 16 * MiB,
      clean: true,
      lastMounted: '',
    })
    expect(superblock.features).toEqual([
      'has_journal',
      'ext_attr',
      'resize_inode',
      'dir_index',
      'filetype',
      'extent',
      '64bit',
      'flex_bg',
      'sparse_super',
      'large_file',
      'huge_file',
      'dir_nlink',
      'extra_isize',
      'metadata_csum',
      'verity',
    ])
  })

  const bad: [what: string, make: (tree: FileTree) => unknown, code: string][] = [
    ['a name of 256 bytes', (tree) => putInode(tree, 'é'.repeat(128), createFile('')), 'EXT4_NAME_INVALID'],
    ['a name with a zero', (tree) => putInode(tree, 'a\0b', createFile('')), 'EXT4_NAME_INVALID'],
    ['a file lost+found', (tree) => putInode(tree, 'lost+found', createFile('')), 'EXT4_NAME_INVALID'],
    ['a directory in itself', (tree) => tree.root.entries.set('self', tree.root), 'EXT4_NAME_INVALID'],
    ['an empty link', (tree) => putInode(tree, 'link', createSymlink('')), 'EXT4_SYMLINK_INVALID'],
    [
      'a link of 4096 bytes',
      (tree) => putInode(tree, 'link', createSymlink('x'.repeat(4096))),
      'EXT4_SYMLINK_INVALID',
    ],
    [
      'a large device number',
      (tree) => putInode(tree, 'dev', createDevice('block', 4096, 0)),
      'EXT4_DEVICE_NUMBER',
    ],
    [
      'a file of 17 TiB',
      (tree) => putInode(tree, 'file', createFile(zeroSource(17 * 2 ** 40))),
      'EXT4_FILE_TOO_LARGE',
    ],
  ]
  test.each(bad)('refuses %s before it writes', async (_, make, code) => {
    const tree = createTree()
    make(tree)
    const device = countingDevice(64 * MiB)
    await expect(writeExt4(tree, device, OPTIONS)).rejects.toMatchObject({ code })
    expect(device.sizes).toEqual([])
  })

  test('refuses a file under more names than a link count holds', async () => {
    const tree = createTree()
    const file = createFile('')
    for (let index = 0; index <= 65_000; index++) tree.root.entries.set(`${index}`, file)
    await expect(writeExt4(tree, countingDevice(64 * MiB), OPTIONS)).rejects.toMatchObject({
      code: 'EXT4_TOO_MANY_LINKS',
    })
  })

  test.each([
    { blockSize: 8192 },
    { label: 'seventeen bytes !' },
    { uuid: 'none' },
    { hashSeed: 'none' },
    { journalBlocks: 500 },
    { inodeCount: 0 },
    { inodeRatio: 512 },
    { reservedPercent: 51 },
    { time: -1 },
  ])('refuses the option %j', async (option) => {
    const options = { ...OPTIONS, ...option }
    await expect(writeExt4(createTree(), memoryDevice(MiB), options)).rejects.toMatchObject({
      code: 'EXT4_OPTION_INVALID',
    })
  })

  test('stops between writes when it is cancelled', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const tree = createTree()
    putInode(tree, 'large', createFile(zeroless(40 * MiB)))
    const device = countingDevice(100 * MiB)
    const cancelling = {
      ...device,
      async write(offset: number, data: Uint8Array) {
        await device.write(offset, data)
        if (device.sizes.length === 4) controller.abort(reason)
      },
    }
    await expect(writeExt4(tree, cancelling, { ...OPTIONS, signal: controller.signal })).rejects.toBe(reason)
    expect(device.sizes.length).toBeLessThan(7)
  })

  test('shares nothing with the tree that it reads back', async () => {
    const tree = createTree()
    putInode(tree, 'a/b', createFile(new Uint8Array(10_000).fill(7)))
    putInode(tree, 'a/empty', createDirectory({ mode: 0o700 }))
    const device = memoryDevice(16 * MiB)
    await writeExt4(tree, device, OPTIONS)
    const copy = await (await readExt4(device)).tree()
    const second = memoryDevice(16 * MiB)
    await writeExt4(copy, second, OPTIONS)
    const [one, two] = [new Uint8Array(16 * MiB), new Uint8Array(16 * MiB)]
    await device.read(0, one)
    await second.read(0, two)
    for await (const change of diffTrees(copy, await (await readExt4(memorySource(two))).tree()))
      expect(change).toBeUndefined()
    // lost+found is of the tree now, so a second copy changes nothing any more.
    expect(Buffer.compare(one, two)).toBe(0)
  })
})
