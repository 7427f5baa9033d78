import { mkdir, open, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { BootableError, MiB, memoryDevice, readAll } from '@bootable/bytes'
import { openFileSource } from '@bootable/bytes/node'
import type { FatType } from '@bootable/filesystems/fat'
import {
  FAT_TIME_MAX,
  FAT_TIME_MIN,
  type FatLayoutOptions,
  layoutFat,
  measureFat,
  readFat,
  readFatBootSector,
  writeFat,
} from '@bootable/filesystems/fat'
import type { FileTree } from '@bootable/tree'
import { createFile, createTree, ensureDirectory, putInode, walkTree } from '@bootable/tree'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  differences,
  type FilesystemSubject,
  filesystemCompliance,
  saveDevice,
} from '../../tooling/compliance/filesystem.ts'
import type { FilesystemLimits } from '../../tooling/compliance/limits.ts'
import { isLinuxName, LINUX_LIMITS } from '../../tooling/compliance/limits.ts'
import { noiseCompliance } from '../../tooling/compliance/noise.ts'
import { patternBytes } from '../../tooling/compliance/trees.ts'
import { fsckFat, oracle, run, runOk, temporaryFolder } from '../../tooling/oracles.ts'

const FAT_LIMITS: FilesystemLimits = {
  ...LINUX_LIMITS,
  hardLinks: false,
  symlinks: false,
  devices: false,
  fifos: false,
  xattrs: false,
  owners: false,
  mode: (inode) => (inode.type === 'directory' ? 0o755 : 0o644),
  time({ seconds }) {
    const clamped = Math.min(Math.max(seconds, FAT_TIME_MIN), FAT_TIME_MAX)
    return { seconds: clamped - (clamped % 2), nanoseconds: 0 }
  },
  rootTime: false,
  // biome-ignore lint/suspicious/noControlCharactersInRegex: FAT names have none
  nameAllowed: (name) => isLinuxName(name) && !/[\u0000-\u001f"*/:<>?\\|\uffff]|[. ]$/.test(name),
  caseInsensitive: true,
  sparse: false,
  boundaries: [512, 2048, 4096],
  manyEntries: 5000,
}

/** mtools goes by the local zone and, for names, by the locale. */
const MTOOLS = { TZ: 'UTC', LC_ALL: 'C.UTF-8', MTOOLS_SKIP_CHECK: '1' }

oracle('fsck.fat', () => {
  const variants: { type?: FatType; sectorSize?: 512 | 4096; randomTrees: number }[] = [
    { randomTrees: 200 },
    { type: 16, randomTrees: 60 },
    { type: 32, randomTrees: 60 },
    { sectorSize: 4096, randomTrees: 40 },
  ]
  for (const { randomTrees, ...given } of variants) {
    const options = { label: 'EFI-SYSTEM', ...given }
    const subject: FilesystemSubject = {
      name: `fat${given.type ?? ''}${given.sectorSize ? '-4k' : ''}`,
      limits: FAT_LIMITS,
      measure: (tree) => measureFat(tree, options),
      write: (tree, device, operation) =>
        writeFat(tree, device, { ...options, ...operation, volumeId: '7B77-95E7' }),
      read: async (source) => (await readFat(source)).tree(),
      check: fsckFat,
      noSpace: 'FAT_NO_SPACE',
      randomTrees,
    }
    filesystemCompliance(subject)
    noiseCompliance(subject)
  }
})

oracle('mkfs.fat', () => {
  const folder = temporaryFolder()

  /** The layout that mkfs.fat gives a volume, `undefined` where it gives up. */
  async function mkfs(
    size: number,
    { type, sectorSize = 512, geometry }: FatLayoutOptions,
  ): Promise<object | undefined> {
    const path = join(folder, 'layout')
    await rm(path, { force: true })
    const file = await open(path, 'w')
    await file.truncate(size)
    await file.close()
    const width = type ? ['-F', String(type)] : []
    const shape = geometry ? ['-g', `${geometry.heads}/${geometry.sectorsPerTrack}`] : []
    const { status, stderr } = await run('mkfs.fat', [...width, ...shape, '-S', String(sectorSize), path])
    // Told to, mkfs.fat makes a FAT32 that UEFI does not mount; we do not.
    if (status !== 0 || /less then suggested minimum/.test(stderr)) return undefined
    const source = await openFileSource(path)
    const { oemName, volumeId, label, hiddenSectors, rootCluster, ...layout } =
      await readFatBootSector(source)
    await source.close?.()
    return layout
  }

  function ours(size: number, options: FatLayoutOptions): object | undefined {
    try {
      return layoutFat(size, options)
    } catch (error) {
      expect(BootableError.is(error)).toBe(true)
      return undefined
    }
  }

  test('chooses the same layout for volumes of every size', async () => {
    const edges = [
      1, 2, 3, 4, 8, 16, 20, 32, 64, 128, 200, 256, 260, 261, 501, 504, 511, 512, 1024, 8192, 32_769,
    ]
    const sizes = edges.flatMap((mebibytes) => [
      mebibytes * MiB - 65_536,
      mebibytes * MiB,
      mebibytes * MiB + 65_536,
    ])
    const random = fc.sample(fc.double({ min: 17, max: 35, noNaN: true }), { numRuns: 60, seed: 1 })
    // Floppy sizes are formats of their own; multiples of 4096 never meet them here.
    sizes.push(...random.map((power) => Math.floor(2 ** power / 4096) * 4096))
    for (const size of sizes) expect({ size, ...ours(size, {}) }).toEqual({ size, ...(await mkfs(size, {})) })
  })

  test('chooses the same layout for a given geometry', async () => {
    for (const [heads, sectorsPerTrack] of [
      [255, 63],
      [4, 32],
      [16, 17],
      [1, 1],
    ] as const) {
      for (const size of [2 * MiB, 33 * MiB + 4096, 501 * MiB, 600 * MiB]) {
        const options = { geometry: { heads, sectorsPerTrack } }
        const found = ours(size, options)
        expect(found).toMatchObject(options.geometry)
        expect({ size, ...found }).toEqual({ size, ...(await mkfs(size, options)) })
      }
    }
  })

  test('chooses the same layout for a given type and for large sectors', async () => {
    const random = fc.sample(fc.double({ min: 20, max: 33, noNaN: true }), { numRuns: 12, seed: 2 })
    for (const size of random.map((power) => Math.floor(2 ** power / 4096) * 4096)) {
      for (const type of [undefined, 12, 16, 32] as const) {
        for (const sectorSize of [512, 4096] as const) {
          const options = type ? { type, sectorSize } : { sectorSize }
          const found = await mkfs(size, options)
          expect({ size, ...options, ...ours(size, options) }).toEqual({ size, ...options, ...found })
        }
      }
    }
  })
})

oracle(['mkfs.fat', 'mcopy', 'mdir', 'mtype', 'fsck.fat'], () => {
  const folder = temporaryFolder()

  /** What an EFI system partition holds, and names that need every kind of entry. */
  function sampleTree(): FileTree {
    const tree = createTree()
    const at = (seconds: number) => ({ mtime: { seconds, nanoseconds: 0 } })
    putInode(tree, 'EFI/BOOT/BOOTX64.EFI', createFile(patternBytes(150_000), at(1_700_000_000)))
    putInode(tree, 'EFI/debian/grub.cfg', createFile('search --set=root\n', at(1_600_000_002)))
    putInode(tree, 'EFI/debian/BOOTX64.CSV', createFile(patternBytes(108), at(1_600_000_004)))
    putInode(
      tree,
      'loader/entries/bootable-6.1.0-13-amd64+3.conf',
      createFile('title x\n', at(4_000_000_000)),
    )
    putInode(tree, 'lower.txt', createFile('lower', at(315_532_800)))
    putInode(tree, 'Mixed Case.Text', createFile('', at(1_000_000_000)))
    putInode(tree, 'ÄÖÜ und 日本語.txt', createFile('unicode', at(1_234_567_890)))
    putInode(tree, `${'n'.repeat(196)}.long`, createFile('long', at(1_234_567_890)))
    for (let index = 0; index < 300; index++) {
      putInode(tree, `many/a long name, number ${index}`, createFile(`content ${index}`, at(1_500_000_000)))
    }
    return tree
  }

  async function saveTree(tree: FileTree, target: string): Promise<void> {
    for (const { path, inode } of walkTree(tree)) {
      const place = join(target, path)
      await mkdir(inode.type === 'directory' ? place : dirname(place), { recursive: true })
      if (inode.type !== 'file') continue
      await writeFile(place, await readAll(inode.content))
      await utimes(place, inode.mtime.seconds, inode.mtime.seconds)
    }
  }

  const volumes: [type: FatType, mebibytes: number][] = [
    [12, 4],
    [16, 20],
    [32, 40],
  ]
  for (const [type, mebibytes] of volumes) {
    test(`a FAT${type} volume of mkfs.fat and mcopy reads back equal`, async () => {
      const [image, source] = [join(folder, `theirs${type}`), join(folder, `source${type}`)]
      const tree = sampleTree()
      await saveTree(tree, source)
      const file = await open(image, 'w')
      await file.truncate(mebibytes * MiB)
      await file.close()
      await runOk('mkfs.fat', ['-F', String(type), '-i', '1234abcd', '-n', 'THEIRS', image])
      const names = [...tree.root.entries.keys()].map((name) => join(source, name))
      await runOk('mcopy', ['-s', '-m', '-i', image, ...names, '::'], { env: MTOOLS })
      // A file copied over a deleted one lies in pieces.
      await runOk('mdel', ['-i', image, '::many/a long name, number 7', '::lower.txt'], { env: MTOOLS })
      await runOk('mcopy', ['-m', '-i', image, join(source, 'lower.txt'), '::'], { env: MTOOLS })
      const pieces = join(source, 'pieces')
      await writeFile(pieces, patternBytes(200_000, 9))
      await runOk('mcopy', ['-i', image, pieces, '::'], { env: MTOOLS })
      ensureDirectory(tree, 'many').entries.delete('a long name, number 7')
      putInode(tree, 'pieces', createFile(patternBytes(200_000, 9)))

      const device = await openFileSource(image)
      const volume = await readFat(device)
      expect(volume).toMatchObject({ type, label: 'THEIRS', volumeId: '1234-ABCD', oemName: 'mkfs.fat' })
      const found = await volume.tree()
      expect(await differences(tree, found, { times: false })).toEqual([])
      for (const { path, inode } of walkTree(tree)) {
        if (inode.type !== 'file' || path === 'pieces') continue
        const other = [...walkTree(found)].find((entry) => entry.path === path)
        expect([path, other?.inode.mtime]).toEqual([path, inode.mtime])
      }
      await device.close?.()
    })

    test(`mtools read our FAT${type}`, async () => {
      const [image, target] = [join(folder, `ours${type}`), join(folder, `target${type}`)]
      const tree = sampleTree()
      const device = memoryDevice(mebibytes * MiB)
      await writeFat(tree, device, { volumeId: '7B77-95E7', label: 'EFI-SYSTEM', type })
      await saveDevice(device, image)
      expect(await fsckFat(image)).toEqual([])

      const listing = (await runOk('mdir', ['-i', image, '::EFI/BOOT'], { env: MTOOLS })).stdout
      expect(listing).toMatch(/Volume in drive : is EFI-SYSTEM/)
      expect(listing).toMatch(/Volume Serial Number is 7B77-95E7/)
      expect(listing).toMatch(/^BOOTX64 +EFI +150000 2023-11-14 +22:13/m)
      const { bytes } = await runOk('mtype', ['-i', image, '::efi/boot/bootx64.efi'], { env: MTOOLS })
      expect(Buffer.compare(bytes, patternBytes(150_000))).toBe(0)

      await mkdir(target)
      await runOk('mcopy', ['-s', '-m', '-i', image, '::*', target], { env: MTOOLS })
      for (const { path, inode } of walkTree(tree)) {
        if (inode.type !== 'file') continue
        const copy = await readFile(join(target, path))
        expect([path, Buffer.compare(copy, await readAll(inode.content))]).toEqual([path, 0])
        expect([path, (await stat(join(target, path))).mtimeMs / 1000]).toEqual([path, inode.mtime.seconds])
      }
      // A foreign writer finds the free clusters and leaves a sound volume behind.
      await runOk('mcopy', ['-i', image, join(target, 'lower.txt'), '::EFI/added by mtools'], { env: MTOOLS })
      expect(await fsckFat(image)).toEqual([])
    })
  }
})

describe('sizes', () => {
  test('an EFI system partition of 501 MiB is FAT16 with 16 sectors a cluster', async () => {
    expect(layoutFat(501 * MiB)).toMatchObject({ type: 16, sectorsPerCluster: 16 })
  })
})
