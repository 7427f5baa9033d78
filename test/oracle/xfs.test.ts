import { mkdirSync, readdirSync, renameSync } from 'node:fs'
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
import { afterAll, describe, expect, test } from 'vitest'
import { differences, filesystemCompliance, saveDevice } from '../../tooling/compliance/filesystem.ts'
import { type FilesystemLimits, LINUX_LIMITS } from '../../tooling/compliance/limits.ts'
import { sampleTree } from '../../tooling/compliance/sample-tree.ts'
import { patternBytes } from '../../tooling/compliance/trees.ts'
import { requireOracleRoot, runInOracleRoot } from '../../tooling/oracle-root.ts'
import { oracle, temporaryFolder, xfsRepair } from '../../tooling/oracles.ts'

const OPTIONS: WriteXfsOptions = { uuid: '6f1c2a9e-3b47-4c1d-9a55-0d2f4e8b7c10', time: 1_700_000_000 }

const LIMITS: FilesystemLimits = {
  ...LINUX_LIMITS,
  symlinks: { maxTargetBytes: 1023 },
  devices: { major: 0x1ff, minor: 0x3_ffff },
  xattrs: { maxTotalBytes: 66_000, maxValueBytes: 65_536 },
  boundaries: [4096],
}

async function readTree(source: ByteSource): Promise<FileTree> {
  const filesystem = await readXfs(source)
  expect(filesystem.clean).toBe(true)
  return filesystem.tree()
}

const hasNewest = requireOracleRoot('xfs_repair')

/**
 * `xfs_repair -n` of this host for every image, and the newest for all of them at the end: entering its
 * root for each would take longer than the check.
 */
function checkers(): { check(path: string): Promise<string[]>; checkKept(): Promise<string[]> } {
  const kept = join(temporaryFolder(), 'kept')
  mkdirSync(kept)
  return {
    async check(path) {
      const findings = await xfsRepair(path)
      if (hasNewest) renameSync(path, join(kept, `${readdirSync(kept).length}.img`))
      return findings
    },
    async checkKept() {
      if (!hasNewest) return []
      const script =
        'cd /work; for image in *.img; do xfs_repair -n "$image" 2>&1 || echo "$image: status $?"; done'
      const { stdout } = await runInOracleRoot(kept, 'bash', ['-c', script], { timeout: 600_000 })
      const usual =
        /^$|^Phase \d|^ {8}- |^No modify flag set|^Cannot get host|^Repair may fail|^the image and/
      return stdout.split('\n').filter((line) => !usual.test(line))
    },
  }
}

oracle('xfs_repair', () => {
  for (const [sectorSize, randomTrees] of [
    [512, 140],
    [4096, 60],
  ] as const) {
    const { check, checkKept } = checkers()
    const name = `xfs on sectors of ${sectorSize} bytes`
    filesystemCompliance({
      name,
      limits: LIMITS,
      measure: (tree) => measureXfs(tree, { sectorSize }).minimumSize,
      write: (tree, device, options) => writeXfs(tree, device, { ...options, ...OPTIONS, sectorSize }),
      read: readTree,
      check,
      noSpace: 'XFS_NO_SPACE',
      randomTrees,
    })
    describe.runIf(hasNewest)(name, () => {
      test('the newest xfs_repair finds nothing either', async () => {
        expect(await checkKept()).toEqual([])
      }, 300_000)
    })
  }

  describe('large and odd filesystems', () => {
    const folder = temporaryFolder()
    const image = join(folder, 'image')
    const { check, checkKept } = checkers()
    afterAll(async () => expect(await checkKept()).toEqual([]), 300_000)

    async function judge(
      tree: FileTree,
      size: number,
      options: Partial<WriteXfsOptions> = {},
    ): Promise<void> {
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
      await judge(sampleTree(), size, options)
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
      for (const count of [3, 4, 12, 13, 18, 19, 21, 22, 251, 252, 503, 6000, 20_000]) {
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
      for (const count of [1, 2, 14, 15, 16, 300, 8000]) {
        const long = ensureDirectory(tree, `long/${count}`)
        for (let index = 0; index < count; index++) {
          long.entries.set(`${index}-${'n'.repeat(240)}`, createFile(''))
        }
      }
      const target = createFile('linked')
      const links = ensureDirectory(tree, 'links')
      // More than one node of hashes, and more than one block of the free index.
      for (let index = 0; index < 260_000; index++) links.entries.set(`${index}-${'l'.repeat(30)}`, target)
      await judge(tree, 400 * MiB)
    })

    test('a file over all groups, around the log', async () => {
      const tree = createTree()
      const xattrs = new Map([['user.short', patternBytes(250)]])
      putInode(tree, 'large', createFile(patternBytes(225 * MiB), { xattrs }))
      await judge(tree, measureXfs(tree).minimumSize)
    })

    test('inodes in more than one group', async () => {
      const tree = createTree()
      const file = (index: number): void => {
        const directory = `${index % 500}/${index % 7}`
        putInode(tree, `${directory}/${index}`, createFile('', { uid: index }))
      }
      for (let index = 0; index < 190_000; index++) file(index)
      await judge(tree, measureXfs(tree).minimumSize)
    })

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
})

describe('devices that do not take the tree', () => {
  test('too small: the numbers are named and nothing is written', async () => {
    const tree = createTree()
    putInode(tree, 'large', createFile({ size: 900 * MiB, read: async () => {} }))
    const { minimumSize } = measureXfs(tree)
    for (const size of [minimumSize - MiB, 200 * MiB]) {
      const device = { ...memoryDevice(size), write: () => Promise.reject(new Error('written')) }
      const error = await writeXfs(tree, device, OPTIONS).catch((reason: unknown) => reason)
      if (!BootableError.is(error)) throw error
      expect(error.code).toBe('XFS_NO_SPACE')
      expect(error.details).toMatchObject({ size, minimum: minimumSize })
    }
  })

  test('full while writing: the error of the device comes through, and no superblock is there', async () => {
    const tree = createTree()
    putInode(tree, 'large', createFile(patternBytes(20 * MiB)))
    const device = memoryDevice(300 * MiB)
    const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
    let writes = 0
    const failing = {
      ...device,
      write: (offset: number, data: Uint8Array) =>
        ++writes > 8 ? Promise.reject(full) : device.write(offset, data),
    }
    await expect(writeXfs(tree, failing, OPTIONS)).rejects.toBe(full)
    await expect(readXfs(device)).rejects.toMatchObject({ code: 'FORMAT_INVALID' })
  })
})
