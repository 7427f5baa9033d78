import { join } from 'node:path'
import {
  BootableError,
  type ByteSource,
  GiB,
  KiB,
  MiB,
  memoryDevice,
  memorySource,
  sparseSource,
  zeroSource,
} from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import {
  type BtrfsSizeOptions,
  measureBtrfs,
  readBtrfs,
  type WriteBtrfsOptions,
  writeBtrfs,
} from '@bootable/filesystems/btrfs'
import type { FileTree } from '@bootable/tree'
import { createFile, createTree, ensureDirectory, putInode } from '@bootable/tree'
import { afterAll, describe, expect, test } from 'vitest'
import { btrfsChecks } from '../../tooling/btrfs-checks.ts'
import { differences, filesystemCompliance, saveDevice } from '../../tooling/compliance/filesystem.ts'
import { type FilesystemLimits, LINUX_LIMITS } from '../../tooling/compliance/limits.ts'
import { noiseCompliance } from '../../tooling/compliance/noise.ts'
import { sampleTree } from '../../tooling/compliance/sample-tree.ts'
import { patternBytes } from '../../tooling/compliance/trees.ts'
import { btrfsCheck, oracle, runOk, temporaryFolder } from '../../tooling/oracles.ts'

const OPTIONS: WriteBtrfsOptions = {
  uuid: '6f1c2a9e-3b47-4c1d-9a55-0d2f4e8b7c10',
  time: 1_700_000_000,
  runtime: nodeRuntime,
}

const LIMITS: FilesystemLimits = {
  ...LINUX_LIMITS,
  xattrs: { maxTotalBytes: 16_000, maxValueBytes: 16_000 },
  boundaries: [2048, 4096, 131_072],
}

async function readTree(source: ByteSource): Promise<FileTree> {
  const filesystem = await readBtrfs(source, { runtime: nodeRuntime })
  expect(filesystem.clean).toBe(true)
  return filesystem.tree()
}

/** Every second directory of the tree's root as a subvolume, and every second one in those. */
function someSubvolumes(tree: FileTree): NonNullable<BtrfsSizeOptions['subvolumes']> {
  const paths: string[] = []
  for (const [name, inode] of tree.root.entries) {
    if (inode.type !== 'directory' || paths.length > 3) continue
    paths.push(name)
    for (const [below, child] of inode.entries) {
      if (child.type === 'directory') paths.push(`${name}/${below}`)
    }
  }
  const compress = ['zstd', 'none', 'zlib', undefined] as const
  return paths.map((path, index) => {
    const algorithm = compress[index % compress.length]
    return {
      path,
      readOnly: index % 3 === 1,
      default: index === 2,
      ...(algorithm !== undefined && { compress: algorithm }),
    }
  })
}

/** Hard links never lead from one subvolume into another: such trees are left to the other variants. */
function withoutLinks(tree: FileTree): FileTree {
  const copy = (inode: FileTree['root'] | Parameters<typeof putInode>[2]): typeof inode =>
    inode.type === 'directory'
      ? { ...inode, entries: new Map([...inode.entries].map(([name, child]) => [name, copy(child)])) }
      : { ...inode }
  return { root: copy(tree.root) as FileTree['root'] }
}

oracle('btrfs', () => {
  const variants: [what: string, trees: number, options: (tree: FileTree) => BtrfsSizeOptions][] = [
    ['btrfs', 100, () => ({})],
    ['btrfs with zstd', 60, () => ({ compress: { algorithm: 'zstd' } })],
    ['btrfs with zlib', 30, () => ({ compress: { algorithm: 'zlib', level: 6 } })],
    ['btrfs with subvolumes', 60, (tree) => ({ subvolumes: someSubvolumes(tree) })],
  ]
  for (const [name, randomTrees, options] of variants) {
    const { check, checkKept } = btrfsChecks()
    const subject = {
      name,
      limits: name.endsWith('subvolumes') ? { ...LIMITS, hardLinks: false } : LIMITS,
      measure: (tree: FileTree) => measureBtrfs(tree, options(tree)).minimumSize,
      write: (tree: FileTree, device: Parameters<typeof writeBtrfs>[1], given: object = {}) =>
        writeBtrfs(name.endsWith('subvolumes') ? withoutLinks(tree) : tree, device, {
          ...given,
          ...OPTIONS,
          ...options(tree),
        }),
      read: readTree,
      check,
      noSpace: 'BTRFS_NO_SPACE',
      randomTrees,
    }
    filesystemCompliance(subject)
    describe(name, () => {
      test('the newest btrfs check finds nothing either, in both of its modes', async () => {
        expect(await checkKept()).toEqual([])
      }, 600_000)
    })
    if (name === 'btrfs') noiseCompliance({ ...subject, check: btrfsCheck })
  }

  describe('large and odd filesystems', () => {
    const folder = temporaryFolder()
    const image = join(folder, 'image')
    const { check, checkLarge, checkKept } = btrfsChecks()
    afterAll(async () => expect(await checkKept()).toEqual([]), 300_000)

    async function judge(
      tree: FileTree,
      size: number,
      options: Partial<WriteBtrfsOptions> = {},
      judgeImage = check,
    ): Promise<void> {
      const device = memoryDevice(size)
      await writeBtrfs(tree, device, { ...OPTIONS, ...options })
      expect(await differences(tree, await readTree(device))).toEqual([])
      await saveDevice(device, image)
      expect(await judgeImage(image)).toEqual([])
    }

    test.each([
      [64 * MiB + 4096 + 77, {}],
      [256 * MiB, { label: 'a label of ours' }],
      [257 * MiB + 12 * KiB, { compress: { algorithm: 'zstd', level: 15 } }],
      [40 * GiB, { compress: { algorithm: 'zlib', level: 1 } }],
      [256 * GiB + 4096, {}],
      [5 * 1024 * GiB + 999 * MiB, {}],
    ] as const)('%d bytes, %o', async (size, options) => {
      const tree = size === 256 * MiB ? sampleTree() : createTree()
      putInode(tree, 'etc/hostname', createFile('bootable\n'.repeat(1000)))
      await judge(tree, size, options)
    })

    test('names of one inode in more than one item, and in several directories', async () => {
      const tree = createTree()
      const file = putInode(tree, 'first', createFile('x'))
      for (let index = 0; index < 3000; index++) {
        putInode(tree, `one of very many names of the same file, number ${index}`, file)
      }
      await judge(tree, 64 * MiB)
      for (let index = 0; index < 2000; index++) putInode(tree, `${index % 7}/other name ${index}`, file)
      const device = memoryDevice(64 * MiB)
      await writeBtrfs(tree, device, OPTIONS)
      expect(await differences(tree, await readTree(device))).toEqual([])
      await saveDevice(device, image)
      // Not by lowmem mode: it finds fault with such files of the kernel's making as well.
      expect(await btrfsCheck(image)).toEqual([])
    })

    test('names of one hash in one item', async () => {
      const tree = createTree()
      // Found by search: each pair has the same CRC-32C, whatever stands before it.
      for (const name of collidingNames()) putInode(tree, `directory/${name}`, createFile(name))
      await judge(tree, 64 * MiB)
    })

    test('files of many extents, over the ends of chunks', async () => {
      const tree = createTree()
      const spots = Array.from({ length: 20_000 }, (_, index) => ({
        offset: index * 3 * 4096,
        length: 4096,
        source: zeroSource(4096),
        sourceOffset: 0,
      }))
      putInode(tree, 'spots', createFile(sparseSource(20_000 * 3 * 4096, spots)))
      putInode(tree, 'plain', createFile(patternBytes(50 * MiB)))
      await judge(tree, 240 * MiB, {}, checkLarge)
      await judge(tree, 240 * MiB, { compress: { algorithm: 'zstd', level: 1 } }, checkLarge)
    })

    test('a sparse file of 8 GiB on a device of 64 MiB', async () => {
      const content = memorySource(patternBytes(8 * KiB))
      const extents = [0, 4 * GiB + 4096, 8 * GiB - 8 * KiB].map((offset) => ({
        offset,
        length: content.size,
        source: content,
        sourceOffset: 0,
      }))
      const tree = createTree()
      const device = memoryDevice(64 * MiB)
      putInode(tree, 'sparse', createFile(sparseSource(8 * GiB, extents)))
      await writeBtrfs(tree, device, OPTIONS)
      const file = (await readTree(device)).root.entries.get('sparse')
      const found: unknown[] = []
      if (file?.type === 'file' && file.content.dataRanges) {
        for await (const range of file.content.dataRanges()) found.push(range)
      }
      expect(found).toEqual([
        { offset: 0, length: 8 * KiB },
        { offset: 4 * GiB + 4096, length: 8 * KiB },
        { offset: 8 * GiB - 8 * KiB, length: 8 * KiB },
      ])
      await saveDevice(device, image)
      expect(await check(image)).toEqual([])
    })

    test('200,000 inodes', async () => {
      const tree = createTree()
      for (let index = 0; index < 200_000; index++) {
        const directory = ensureDirectory(tree, `directory ${index % 300}`)
        directory.entries.set(`file ${index}`, createFile(`${index}`.repeat(index % 40)))
      }
      const device = memoryDevice(measureBtrfs(tree).minimumSize)
      await writeBtrfs(tree, device, OPTIONS)
      expect(await differences(tree, await readTree(device))).toEqual([])
      await saveDevice(device, image)
      expect(await checkLarge(image)).toEqual([])
    }, 240_000)

    test('dump-super and subvolume facts are what the layout says', async () => {
      const tree = sampleTree()
      const device = memoryDevice(GiB)
      const layout = await writeBtrfs(tree, device, {
        ...OPTIONS,
        label: 'dumped',
        subvolumes: [
          { path: 'usr', compress: 'zstd' },
          { path: 'run', default: true },
        ],
      })
      await saveDevice(device, image)
      const dump = await runOk('btrfs', ['inspect-internal', 'dump-super', '-a', image])
      for (const line of [
        /^csum\s+0x[0-9a-f]+ \[match\]/m,
        /^magic\s+_BHRfS_M \[match\]/m,
        /^label\s+dumped$/m,
        /^total_bytes\s+1073741824$/m,
        new RegExp(`^bytes_used\\s+${layout.bytesUsed}$`, 'm'),
        /^sectorsize\s+4096$/m,
        /^nodesize\s+16384$/m,
        /^incompat_flags\s+0x373$/m,
        /^compat_ro_flags\s+0x3$/m,
        /^dev_item.fsid\s+\S+ \[match\]$/m,
      ]) {
        expect(dump.stdout).toMatch(line)
      }
      expect(dump.stdout.match(/superblock: bytenr=(65536|67108864)/g)).toHaveLength(2)
      const filesystem = await readBtrfs(device)
      expect(filesystem.subvolumes).toMatchObject([
        { id: 256, path: 'usr', readOnly: false, compress: 'zstd' },
        { id: 257, path: 'run', readOnly: false },
      ])
      expect(filesystem.defaultSubvolume).toBe(257)
    })

    test('a device that is too small says how large it has to be', async () => {
      const tree = sampleTree()
      const { minimumSize } = measureBtrfs(createTree())
      const device = memoryDevice(minimumSize - MiB)
      const error = await writeBtrfs(tree, device, OPTIONS).catch((reason: unknown) => reason)
      if (!BootableError.is(error, 'BTRFS_NO_SPACE')) throw error
      const enough = memoryDevice(error.details.minimum as number)
      await writeBtrfs(tree, enough, OPTIONS)
      expect(await differences(tree, await readTree(enough))).toEqual([])
    })
  })
})

oracle('grub-fstest', () => {
  const image = join(temporaryFolder(), 'image')

  test.each([undefined, 'zlib', 'zstd'] as const)('GRUB reads it, compressed: %s', async (algorithm) => {
    const tree = createTree()
    const files = {
      'boot/vmlinuz': 'all work and no play '.repeat(50_000),
      'boot/inline': 'x',
      'sub/2999': '2999',
    }
    for (let index = 0; index < 3000; index++) putInode(tree, `sub/${index}`, createFile(`${index}`))
    for (const [path, content] of Object.entries(files)) putInode(tree, path, createFile(content))
    const device = memoryDevice(200 * MiB)
    await writeBtrfs(tree, device, {
      ...OPTIONS,
      subvolumes: [{ path: 'sub' }],
      ...(algorithm && { compress: { algorithm } }),
    })
    await saveDevice(device, image)
    for (const [path, content] of Object.entries(files)) {
      const { stdout } = await runOk('grub-fstest', [image, 'cat', `/${path}`])
      expect(stdout).toBe(content)
    }
  })
})

/** Pairs of names with equal hashes. */
function collidingNames(): string[] {
  const seen = new Map<number, string>()
  const found: string[] = []
  for (let index = 0; found.length < 6; index++) {
    // Names that differ in four bytes beside each other alone never collide.
    const name = `${(index * 7919).toString(36)} and ${index}`
    const hash = castagnoli(name)
    const other = seen.get(hash)
    if (other !== undefined) found.push(other, name)
    else seen.set(hash, name)
  }
  return found
}

function castagnoli(text: string): number {
  let crc = 0xffff_fffe
  for (const byte of new TextEncoder().encode(text)) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1
  }
  return crc >>> 0
}
