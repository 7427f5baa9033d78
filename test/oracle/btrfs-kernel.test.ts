import { chmodSync, linkSync, lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { open, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { type ByteSource, GiB, MiB, memoryDevice } from '@bootable/bytes'
import { nodeRuntime, openFileSource } from '@bootable/bytes/node'
import {
  type BtrfsFilesystem,
  type BtrfsSizeOptions,
  measureBtrfs,
  readBtrfs,
  writeBtrfs,
} from '@bootable/filesystems/btrfs'
import type { FileTree } from '@bootable/tree'
import { createFile, createTree, findDirectory, findFile, putInode } from '@bootable/tree'
import { afterEach, describe, expect, test } from 'vitest'
import { differences, saveDevice } from '../../tooling/compliance/filesystem.ts'
import {
  canAskKernel,
  type KernelSubject,
  kernelCompliance,
  withWritableMount,
} from '../../tooling/compliance/kernel.ts'
import { sampleTree } from '../../tooling/compliance/sample-tree.ts'
import { patternBytes } from '../../tooling/compliance/trees.ts'
import { readHostTree } from '../../tooling/host-tree.ts'
import { btrfsCheck, requireTool, runOk, temporaryFolder, withLoopMount } from '../../tooling/oracles.ts'

const OPTIONS = { uuid: '6f1c2a9e-3b47-4c1d-9a55-0d2f4e8b7c10', time: 1_700_000_000, runtime: nodeRuntime }

const VARIANTS: [what: string | undefined, options: BtrfsSizeOptions][] = [
  [undefined, {}],
  ['zstd', { compress: { algorithm: 'zstd', level: 9 } }],
  ['zlib', { compress: { algorithm: 'zlib' } }],
]

for (const [what, options] of VARIANTS) {
  const subject: KernelSubject = {
    type: 'btrfs',
    ...(what !== undefined && { what }),
    randomTrees: 8,
    measure: (tree) => measureBtrfs(tree, options).minimumSize,
    write: (tree, device) => writeBtrfs(tree, device, { ...OPTIONS, ...options }),
    afterwards: { check: btrfsCheck, read: readTree },
  }
  kernelCompliance(subject)
}

async function readTree(source: ByteSource): Promise<FileTree> {
  return (await readBtrfs(source, { runtime: nodeRuntime })).tree()
}

describe.runIf(canAskKernel('btrfs') && requireTool('btrfs', 'mkfs.btrfs'))('the kernel', () => {
  const folder = temporaryFolder()
  const image = join(folder, 'image')
  const opened: ByteSource[] = []
  afterEach(async () => {
    for (const source of opened.splice(0)) await source.close?.()
  })

  test('knows subvolumes, which one is the default, what is read-only, and properties', async () => {
    const tree = sampleTree()
    const device = memoryDevice(GiB)
    await writeBtrfs(tree, device, {
      ...OPTIONS,
      subvolumes: [
        { path: 'usr', readOnly: true, compress: 'zstd' },
        { path: 'usr/share', default: true },
        { path: 'run', compress: 'zlib', uuid: '11111111-2222-4333-8444-555555555555' },
      ],
    })
    await saveDevice(device, image)
    await withLoopMount(image, { type: 'btrfs', options: 'subvolid=5' }, async (mounted) => {
      const shown = await readHostTree(mounted)
      const property = findDirectory(shown, 'usr')?.xattrs.get('btrfs.compression')
      expect(property && new TextDecoder().decode(property)).toBe('zstd')
      const { stdout: list } = await runOk('btrfs', ['subvolume', 'list', '-u', mounted])
      expect(list).toMatch(/^ID 256 gen \d+ top level 5 uuid \S+ path usr$/m)
      expect(list).toMatch(/^ID 257 gen \d+ top level 256 uuid \S+ path usr\/share$/m)
      expect(list).toMatch(/^ID 258 .* uuid 11111111-2222-4333-8444-555555555555 path run$/m)
    })
    await withLoopMount(image, { type: 'btrfs' }, async (mounted) => {
      const shown = await readHostTree(mounted)
      const share = findDirectory(tree, 'usr/share') as FileTree['root']
      expect(await differences({ root: share }, shown)).toEqual([])
    })
    await withWritableMount(image, 'btrfs', async (mounted, loop) => {
      const top = join(folder, 'top')
      mkdirSync(top)
      await runOk('mount', ['-t', 'btrfs', '-o', 'subvolid=5', loop, top])
      try {
        expect(() => writeFileSync(join(top, 'usr/new'), 'x')).toThrow(/EROFS/)
        writeFileSync(join(top, 'run/new'), 'compressible '.repeat(100_000))
        writeFileSync(join(mounted, 'new'), 'x')
        await runOk('btrfs', ['property', 'set', join(top, 'usr'), 'ro', 'false'])
        writeFileSync(join(top, 'usr/bin/new'), 'compressible '.repeat(100_000))
        await runOk('btrfs', ['subvolume', 'snapshot', join(top, 'usr'), join(top, 'kept')])
      } finally {
        await runOk('umount', [top])
      }
    })
    expect(await btrfsCheck(image)).toEqual([])
    const { tree: after, filesystem } = await readImage()
    expect(filesystem.subvolumes.map(({ path }) => path)).toEqual(['usr', 'usr/share', 'run', 'kept'])
    expect(findFile(after, 'usr/bin/new')?.content.size).toBe(1_300_000)
    expect(findFile(after, 'kept/bin/new')?.content.size).toBe(1_300_000)
    // A snapshot has no subvolumes of its own; the kernel shows empty directories for them.
    expect(findDirectory(after, 'kept/share')?.entries.size).toBe(0)
  })

  test('leaves room to work in on the smallest device', async () => {
    const tree = createTree()
    putInode(tree, 'file', createFile(patternBytes(3 * MiB)))
    const device = memoryDevice(measureBtrfs(tree).minimumSize)
    await writeBtrfs(tree, device, OPTIONS)
    await saveDevice(device, image)
    await withWritableMount(image, 'btrfs', async (mounted) => {
      for (let index = 0; index < 200; index++) writeFileSync(join(mounted, `${index}`), 'little')
      chmodSync(join(mounted, 'file'), 0o600)
      rmSync(join(mounted, 'file'))
    })
    expect(await btrfsCheck(image)).toEqual([])
  })

  test('grows it, scrubs it and balances it', async () => {
    const device = memoryDevice(300 * MiB)
    await writeBtrfs(sampleTree(), device, OPTIONS)
    await saveDevice(device, image)
    await truncate(image, 2 * GiB)
    await withWritableMount(image, 'btrfs', async (mounted) => {
      await runOk('btrfs', ['filesystem', 'resize', 'max', mounted])
      writeFileSync(join(mounted, 'after'), patternBytes(400 * MiB))
      const scrub = await runOk('btrfs', ['scrub', 'start', '-B', mounted])
      expect(scrub.stdout).toMatch(/no errors found/)
      await runOk('btrfs', ['balance', 'start', '--full-balance', mounted])
    })
    expect(await btrfsCheck(image)).toEqual([])
    const { filesystem, tree } = await readImage()
    expect(filesystem.size).toBe(2 * GiB)
    tree.root.entries.delete('after')
    expect(
      await differences(sampleTree(), { root: { ...tree.root, mtime: sampleTree().root.mtime } }),
    ).toEqual([])
  })

  async function readImage(): Promise<{ filesystem: BtrfsFilesystem; tree: FileTree }> {
    const source = await openFileSource(image)
    opened.push(source)
    const filesystem = await readBtrfs(source, { runtime: nodeRuntime })
    return { filesystem, tree: await filesystem.tree() }
  }

  test.each([
    ['as it is', ''],
    ['zstd', 'compress-force=zstd'],
    ['zlib', 'compress=zlib'],
    ['lzo', 'compress=lzo'],
    ['without checksums', 'nodatasum'],
    ['inline up to a sector', 'max_inline=4095,compress-force=lzo'],
  ])('makes what we read: %s', async (_, options) => {
    rmSync(image, { force: true })
    const file = await open(image, 'w')
    await file.truncate(600 * MiB)
    await file.close()
    await runOk('mkfs.btrfs', ['-q', '-L', 'theirs', image])
    const expected = await withOptions(options, async (mounted) => {
      await fill(mounted)
      return held(await readHostTree(mounted))
    })
    const { filesystem, tree } = await readImage()
    expect(filesystem.label).toBe('theirs')
    expect(filesystem.subvolumes).toMatchObject([
      { path: 'sub', readOnly: false },
      { path: 'sub/nested', readOnly: false },
      { path: 'snapshot', readOnly: true },
    ])
    const nested = findDirectory(tree, 'snapshot/nested')
    // The kernel shows it with the time of the mount.
    if (nested) nested.mtime = { seconds: 0, nanoseconds: 0 }
    expect(await differences(expected, tree)).toEqual([])
  })

  /** What the kernel shows, its contents kept: they are looked at after the mount is gone. */
  async function held(tree: FileTree): Promise<FileTree> {
    const keep = async (directory: FileTree['root']): Promise<void> => {
      for (const inode of directory.entries.values()) {
        if (inode.type === 'directory') await keep(inode)
        if (inode.type !== 'file') continue
        const bytes = new Uint8Array(inode.content.size)
        await inode.content.read(0, bytes)
        inode.content = createFile(bytes).content
      }
    }
    await keep(tree.root)
    const nested = findDirectory(tree, 'snapshot/nested')
    if (nested) nested.mtime = { seconds: 0, nanoseconds: 0 }
    return tree
  }

  async function withOptions<T>(options: string, use: (mounted: string) => Promise<T>): Promise<T> {
    return withWritableMount(image, 'btrfs', async (mounted) => {
      if (options !== '') await runOk('mount', ['-o', `remount,${options}`, mounted])
      return use(mounted)
    })
  }

  /** Files in many forms, some shared, some written over, in subvolumes and a snapshot. */
  async function fill(mounted: string): Promise<void> {
    const at = (name: string): string => join(mounted, name)
    await runOk('btrfs', ['subvolume', 'create', at('sub')])
    await runOk('btrfs', ['subvolume', 'create', at('sub/nested')])
    writeFileSync(at('sub/nested/file'), patternBytes(100_000, 3))
    for (const size of [0, 1, 100, 2047, 2048, 2049, 4000, 4095, 4096, 4097, 131_073, 1_000_000]) {
      writeFileSync(at(`random-${size}`), patternBytes(size, size + 1))
      writeFileSync(at(`text-${size}`), 'all work and no play '.repeat(50_000).slice(0, size))
    }
    for (let index = 0; index < 800; index++)
      linkSync(at('text-100'), at(`a long name of a hard link ${index}`))
    writeFileSync(at('sub/over'), 'first '.repeat(100_000))
    await runOk('sync', ['-f', mounted])
    const file = await open(at('sub/over'), 'r+')
    await file.write(patternBytes(50_000), 0, 50_000, 123_456)
    await file.truncate(700_001)
    await file.write(patternBytes(5000), 0, 5000, 900_000)
    await file.close()
    await runOk('cp', ['--reflink=auto', at('sub/over'), at('sub/shared')])
    await runOk('fallocate', ['-l', '300000', at('reserved')])
    await runOk('fallocate', ['-p', '-o', '8192', '-l', '65536', at('random-1000000')])
    await runOk('setfattr', ['-n', 'user.large', '-v', 'x'.repeat(12_000), at('sub/over')])
    await runOk('btrfs', ['subvolume', 'snapshot', '-r', at('sub'), at('snapshot')])
    writeFileSync(at('sub/after the snapshot'), 'x')
    rmSync(at('sub/shared'))
    await runOk('sync', ['-f', mounted])
    expect(readFileSync(at('snapshot/over')).length).toBe(905_000)
    expect(lstatSync(at('sub')).ino).toBe(256)
  }
})
