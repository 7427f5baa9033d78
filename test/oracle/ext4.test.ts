import { join } from 'node:path'
import { BootableError, GiB, KiB, MiB, memoryDevice, sparseSource, zeroSource } from '@bootable/bytes'
import { measureExt4, readExt4, type WriteExt4Options, writeExt4 } from '@bootable/filesystems/ext4'
import type { FileTree } from '@bootable/tree'
import {
  createDirectory,
  createFile,
  createSymlink,
  createTree,
  ensureDirectory,
  putInode,
} from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import {
  differences,
  type FilesystemSubject,
  filesystemCompliance,
  saveDevice,
} from '../../tooling/compliance/filesystem.ts'
import { LINUX_LIMITS } from '../../tooling/compliance/limits.ts'
import { noiseCompliance } from '../../tooling/compliance/noise.ts'
import { patternBytes } from '../../tooling/compliance/trees.ts'
import { e2fsck, oracle, runOk, temporaryFolder } from '../../tooling/oracles.ts'

/** A time in the past: e2fsck finds fault with a superblock that was written in the future. */
const OPTIONS: WriteExt4Options = { uuid: '6f1c2a9e-3b47-4c1d-9a55-0d2f4e8b7c10', time: 1_700_000_000 }

/** The tree of a filesystem without the lost+found that the writer adds. */
async function readTree(source: Parameters<typeof readExt4>[0]): Promise<FileTree> {
  const tree = await (await readExt4(source)).tree()
  tree.root.entries.delete('lost+found')
  return tree
}

oracle('e2fsck', () => {
  for (const [blockSize, randomTrees] of [
    [4096, 140],
    [1024, 80],
  ] as const) {
    const subject: FilesystemSubject = {
      name: `ext4 with blocks of ${blockSize} bytes`,
      limits: {
        ...LINUX_LIMITS,
        symlinks: { maxTargetBytes: blockSize - 1 },
        xattrs: { maxTotalBytes: blockSize - 400, maxValueBytes: blockSize - 400 },
        boundaries: [blockSize],
      },
      measure: (tree) => measureExt4(tree, { blockSize }).minimumSize,
      write: (tree, device, options) => writeExt4(tree, device, { ...options, ...OPTIONS, blockSize }),
      read: readTree,
      check: e2fsck,
      noSpace: 'EXT4_NO_SPACE',
      randomTrees,
    }
    filesystemCompliance(subject)
    noiseCompliance(subject)
  }

  describe('large and odd filesystems', () => {
    const folder = temporaryFolder()

    async function judge(
      tree: FileTree,
      size: number,
      options: Partial<WriteExt4Options> = {},
    ): Promise<string> {
      const path = join(folder, 'image')
      const device = memoryDevice(size)
      await writeExt4(tree, device, { ...OPTIONS, ...options })
      await saveDevice(device, path)
      expect(await e2fsck(path)).toEqual([])
      expect(await differences(tree, await readTree(device))).toEqual([])
      return path
    }

    test.each([
      [2 * MiB, 1024],
      [9 * MiB, 4096],
      [100 * MiB + 5000, 1024],
      [129 * MiB, 4096],
      [515 * MiB, 2048],
      [3 * GiB, 1024],
      [40 * GiB, 4096],
      [300 * GiB, 4096],
    ])('%d bytes in blocks of %d', async (size, blockSize) => {
      const tree = createTree()
      putInode(tree, 'etc/hostname', createFile('bootable\n'))
      await judge(tree, size, { blockSize, label: 'sixteen bytes ok' })
    })

    test('a file that crosses the copies of the superblock', async () => {
      const tree = createTree()
      putInode(tree, 'large', createFile(patternBytes(60 * MiB)))
      const path = await judge(tree, 80 * MiB, { blockSize: 1024, journalBlocks: 0 })
      const { stdout } = await runOk('debugfs', ['-R', 'stat large', path])
      expect(stdout).toMatch(/ETB0/)
    })

    test('an extent tree of three levels', async () => {
      const spots = Array.from({ length: 3000 }, (_, index) => ({
        offset: index * 3 * 4096,
        length: 4096,
        source: zeroSource(4096),
        sourceOffset: 0,
      }))
      const tree = createTree()
      putInode(tree, 'spots', createFile(sparseSource(3000 * 3 * 4096, spots)))
      const path = await judge(tree, 64 * MiB)
      const { stdout } = await runOk('debugfs', ['-R', 'dump_extents spots', path])
      expect(stdout).toMatch(/2\/ 2/)
    })

    test('a sparse file of 8 GiB on a device of 64 MiB', async () => {
      const content = patternBytes(8 * KiB)
      const extents = [0, 4 * GiB + 4096, 8 * GiB - 8 * KiB].map((offset) => ({
        offset,
        length: content.length,
        source: {
          size: content.length,
          read: async (at: number, target: Uint8Array) =>
            target.set(content.subarray(at, at + target.length)),
        },
        sourceOffset: 0,
      }))
      const tree = createTree()
      const device = memoryDevice(64 * MiB)
      putInode(tree, 'sparse', createFile(sparseSource(8 * GiB, extents)))
      await writeExt4(tree, device, OPTIONS)
      await saveDevice(device, join(folder, 'image'))
      expect(await e2fsck(join(folder, 'image'))).toEqual([])
      const found = (await readTree(device)).root.entries.get('sparse')
      if (found?.type !== 'file') throw new Error('there is no file')
      const ranges: [number, number][] = []
      for await (const { offset, length } of found.content.dataRanges?.() ?? []) ranges.push([offset, length])
      expect(ranges).toEqual(extents.map(({ offset, length }) => [offset, length]))
      const middle = new Uint8Array(3 * KiB)
      await found.content.read(4 * GiB + 4096 - KiB, middle)
      expect(middle).toEqual(new Uint8Array([...new Uint8Array(KiB), ...content.subarray(0, 2 * KiB)]))
    })

    test('66000 subdirectories, more than a link count holds', async () => {
      const tree = createTree()
      const many = ensureDirectory(tree, 'many')
      for (let index = 0; index < 66_000; index++) many.entries.set(`d${index}`, createDirectory())
      const device = memoryDevice(400 * MiB)
      await writeExt4(tree, device, { ...OPTIONS, blockSize: 1024 })
      await saveDevice(device, join(folder, 'image'))
      expect(await e2fsck(join(folder, 'image'))).toEqual([])
      const { stdout } = await runOk('debugfs', ['-R', 'stat many', join(folder, 'image')])
      expect(stdout).toMatch(/Links: 1 /)
    })

    test('200,000 inodes', async () => {
      const tree = createTree()
      for (let index = 0; index < 200_000; index++) {
        const directory = ensureDirectory(tree, `directory ${index % 300}`)
        directory.entries.set(`file ${index}`, createFile(`${index}`.repeat(index % 40), { uid: index }))
      }
      await judge(tree, measureExt4(tree).minimumSize)
    }, 240_000)

    test('the immutable flag of a file and a directory; of a link there is none', async () => {
      const tree = createTree()
      const locked = ensureDirectory(tree, 'locked')
      locked.immutable = true
      locked.entries.set('file', createFile('x', { immutable: true }))
      locked.entries.set('free', createFile('x'))
      const path = await judge(tree, 8 * MiB)
      const flags = async (name: string): Promise<string | undefined> =>
        /Flags: (\S+)/.exec((await runOk('debugfs', ['-R', `stat ${name}`, path])).stdout)?.[1]
      expect(await Promise.all(['locked', 'locked/file', 'locked/free'].map(flags))).toEqual([
        '0x80010',
        '0x80010',
        '0x80000',
      ])

      const device = memoryDevice(8 * MiB)
      locked.entries.set('link', createSymlink('file', { immutable: true }))
      await writeExt4(tree, device, OPTIONS)
      await saveDevice(device, path)
      expect(await e2fsck(path)).toEqual([])
    })

    test("the tree's own lost+found", async () => {
      const tree = createTree()
      const lost = ensureDirectory(tree, 'lost+found', { mode: 0o700, uid: 7 })
      for (let index = 0; index < 500; index++) lost.entries.set(`#${index}`, createFile(`${index}`))
      const device = memoryDevice(32 * MiB)
      await writeExt4(tree, device, OPTIONS)
      await saveDevice(device, join(folder, 'image'))
      expect(await e2fsck(join(folder, 'image'))).toEqual([])
      expect(await differences(tree, await (await readExt4(device)).tree())).toEqual([])
    })
  })
})

describe('devices that do not take the tree', () => {
  test('too small: the numbers are named and nothing is written', async () => {
    const tree = createTree()
    putInode(tree, 'large', createFile({ size: 100 * MiB, read: async () => {} }))
    const { minimumSize } = measureExt4(tree)
    const device = { ...memoryDevice(minimumSize - MiB), write: () => Promise.reject(new Error('written')) }
    const error = await writeExt4(tree, device, OPTIONS).catch((reason: unknown) => reason)
    if (!BootableError.is(error)) throw error
    expect(error.code).toBe('EXT4_NO_SPACE')
    expect(error.details).toMatchObject({ size: minimumSize - MiB })
    expect(error.message).toContain(String(minimumSize - MiB))
  })

  test('full while writing: the error of the device comes through, and no superblock is there', async () => {
    const tree = createTree()
    putInode(tree, 'large', createFile(patternBytes(20 * MiB)))
    const device = memoryDevice(64 * MiB)
    const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
    let writes = 0
    const failing = {
      ...device,
      write: (offset: number, data: Uint8Array) =>
        ++writes > 4 ? Promise.reject(full) : device.write(offset, data),
    }
    await expect(writeExt4(tree, failing, OPTIONS)).rejects.toBe(full)
    await expect(readExt4(device)).rejects.toMatchObject({ code: 'FORMAT_INVALID' })
  })
})
