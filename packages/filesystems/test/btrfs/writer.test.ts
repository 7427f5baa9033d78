import { BootableError, GiB, MiB, memoryDevice, memorySource, sparseSource, TiB } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import {
  createDevice,
  createFile,
  createSymlink,
  createTree,
  diffTrees,
  ensureDirectory,
  type FileTree,
  findFile,
  putInode,
} from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import { measureBtrfs, readBtrfs, type WriteBtrfsOptions, writeBtrfs } from '../../src/btrfs/index.ts'
import { divideChunk, layoutChunks, usableRanges } from '../../src/btrfs/layout.ts'

const OPTIONS: WriteBtrfsOptions = {
  uuid: '6f1c2a9e-3b47-4c1d-9a55-0d2f4e8b7c10',
  time: 1_700_000_000,
  runtime: nodeRuntime,
}

async function written(tree: FileTree, options: Partial<WriteBtrfsOptions> = {}): Promise<FileTree> {
  const all = { ...OPTIONS, ...options }
  const device = memoryDevice(measureBtrfs(tree, all).minimumSize)
  await writeBtrfs(tree, device, all)
  return (await readBtrfs(device)).tree()
}

async function changes(before: FileTree, after: FileTree): Promise<string[]> {
  const lines: string[] = []
  for await (const { path, reasons } of diffTrees(before, after)) lines.push([path, ...reasons].join(' · '))
  return lines
}

async function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  const error = await promise.catch((reason: unknown) => reason)
  return BootableError.is(error) ? error.code : undefined
}

describe('chunks', () => {
  const needs = { data: 30 * MiB, metadata: 2 * MiB, reserve: MiB }

  test.each([120 * MiB, 5 * GiB, 300 * GiB, 20 * TiB])('of a device of %d bytes do not meet', (size) => {
    const layout = layoutChunks(size, { ...needs, data: size / 3 })
    expect(layout).toBeDefined()
    const taken = [layout?.system, ...(layout?.metadata ?? []), ...(layout?.data ?? [])].flatMap((chunk) =>
      (chunk?.stripes ?? []).map((start) => ({ start, end: start + (chunk?.length ?? 0) })),
    )
    taken.sort((a, b) => a.start - b.start)
    expect(taken[0]?.start).toBe(MiB)
    for (const [index, { start }] of taken.entries()) {
      if (index > 0) expect(start).toBeGreaterThanOrEqual(taken[index - 1]?.end ?? 0)
    }
    expect(taken[taken.length - 1]?.end).toBeLessThanOrEqual(size)
  })

  test('leave out what lies around a superblock, in each copy', () => {
    const chunk = { address: 60 * MiB, length: 16 * MiB, type: 0n, stripes: [60 * MiB, 256 * GiB - MiB] }
    expect(usableRanges(chunk)).toEqual([
      { offset: 60 * MiB, length: MiB },
      { offset: 61 * MiB + 65_536, length: 3 * MiB - 65_536 },
      { offset: 64 * MiB + 65_536, length: 12 * MiB - 65_536 },
    ])
    expect(divideChunk(chunk, [{ offset: 60 * MiB, length: MiB }])).toEqual({
      used: MiB,
      free: [{ offset: 61 * MiB, length: 15 * MiB }],
    })
  })

  test('are as many as the data needs', () => {
    expect(layoutChunks(GiB, needs)?.data).toHaveLength(1)
    expect(layoutChunks(GiB, { ...needs, data: 250 * MiB })?.data).toHaveLength(3)
    expect(layoutChunks(40 * MiB, needs)).toBeUndefined()
  })
})

describe('writeBtrfs', () => {
  const text = 'all work and no play makes a dull file. '

  function sample(): FileTree {
    const tree = createTree({ mode: 0o750, mtime: { seconds: -5, nanoseconds: 7 } })
    const xattrs = new Map([
      ['security.selinux', new TextEncoder().encode('system_u:object_r:bin_t:s0\0')],
      ['user.large', new Uint8Array(9000).fill(1)],
    ])
    const file = putInode(
      tree,
      'etc/os-release',
      createFile('ID=test\n', { xattrs, uid: 7, gid: 2 ** 32 - 2 }),
    )
    for (let index = 0; index < 1500; index++) putInode(tree, `links/a rather long name ${index}`, file)
    putInode(tree, 'usr/text', createFile(text.repeat(20_000), { immutable: true }))
    putInode(tree, 'usr/link', createSymlink('../etc'))
    putInode(tree, 'dev/disk', createDevice('block', 259, 70_000))
    const spots = [MiB, 40 * MiB].map((offset) => ({
      offset,
      length: 5000,
      source: memorySource(new Uint8Array(5000).fill(3)),
      sourceOffset: 0,
    }))
    putInode(tree, 'usr/sparse', createFile(sparseSource(50 * MiB, spots)))
    return tree
  }

  test.each([undefined, 'zlib', 'zstd'] as const)('holds everything, compressed: %s', async (algorithm) => {
    const compress = algorithm && ({ compress: { algorithm } } as const)
    expect(await changes(sample(), await written(sample(), compress))).toEqual([])
  })

  test('compresses what becomes smaller, and nothing else', async () => {
    const tree = createTree()
    putInode(tree, 'text', createFile(text.repeat(100_000)))
    const noise = new Uint8Array(MiB)
    for (let at = 0, state = 1; at < MiB; at++) {
      state = Math.imul(state, 1_664_525) + 1_013_904_223
      noise[at] = state >>> 24
    }
    putInode(tree, 'noise', createFile(noise))
    const device = memoryDevice(200 * MiB)
    const plain = await writeBtrfs(tree, device, OPTIONS)
    const packed = await writeBtrfs(tree, memoryDevice(200 * MiB), {
      ...OPTIONS,
      compress: { algorithm: 'zlib', level: 9 },
    })
    expect(plain.bytesUsed).toBeGreaterThan(4.9 * MiB)
    expect(packed.bytesUsed).toBeLessThan(1.6 * MiB)
    expect(packed.bytesUsed).toBeGreaterThan(MiB)
  })

  test('makes subvolumes, nested ones and the default, and shows them as directories', async () => {
    const tree = sample()
    const device = memoryDevice(200 * MiB)
    const options: WriteBtrfsOptions = {
      ...OPTIONS,
      subvolumes: [
        { path: '/usr', compress: 'zstd' },
        { path: 'etc', readOnly: true, uuid: '11111111-2222-4333-8444-555555555555' },
        { path: 'usr/lib/inner', default: true },
      ],
    }
    ensureDirectory(tree, 'usr/lib/inner/deep')
    putInode(tree, 'usr/lib/inner/file', createFile('x'))
    const layout = await writeBtrfs(tree, device, options)
    expect(layout.subvolumes.map(({ id, path }) => [id, path])).toEqual([
      [256, 'usr'],
      [257, 'etc'],
      [258, 'usr/lib/inner'],
    ])
    const filesystem = await readBtrfs(device)
    expect(filesystem.defaultSubvolume).toBe(258)
    expect(filesystem.subvolumes).toEqual([
      { id: 256, path: 'usr', uuid: layout.subvolumes[0]?.uuid, readOnly: false, compress: 'zstd' },
      { id: 257, path: 'etc', uuid: '11111111-2222-4333-8444-555555555555', readOnly: true },
      { id: 258, path: 'usr/lib/inner', uuid: layout.subvolumes[2]?.uuid, readOnly: false },
    ])
    const after = await filesystem.tree()
    // The one file with names inside and outside of /etc has become two.
    const lines = await changes(tree, after)
    expect(lines).toHaveLength(1500)
    expect(lines[0]).toBe('links/a rather long name 0 · link of etc/os-release → nothing')
    expect(lines[1]).toMatch(/link of etc\/os-release → links\/a rather long name 0$/)
    expect(findFile(after, 'etc/os-release')?.xattrs.size).toBe(2)
  })

  test('says what it made, and reports progress', async () => {
    const tree = createTree()
    putInode(tree, 'file', createFile(new Uint8Array(9 * MiB).fill(1)))
    const events: string[] = []
    let last = 0
    const layout = await writeBtrfs(tree, memoryDevice(300 * MiB + 100), {
      ...OPTIONS,
      label: 'root',
      onProgress(event) {
        if (events[events.length - 1] !== event.type) events.push(event.type)
        if (event.type === 'advance') last = event.done
      },
    })
    expect(layout).toMatchObject({ label: 'root', size: 300 * MiB, nodeSize: 16_384, defaultSubvolume: 5 })
    expect(layout.bytesUsed).toBeGreaterThan(9 * MiB)
    expect(events).toEqual(['start', 'advance', 'end'])
    expect(last).toBeGreaterThan(9 * MiB)
  })

  test('refuses what the format or the kernel would not take, before a byte is written', async () => {
    const untouched = memoryDevice(100 * MiB)
    const refuse = (change: (tree: FileTree) => void, options: object = {}): Promise<string | undefined> => {
      const tree = createTree()
      change(tree)
      return codeOf(writeBtrfs(tree, untouched, { ...OPTIONS, ...options }))
    }
    const put = (path: string, inode: Parameters<typeof putInode>[2]) => (tree: FileTree) => {
      putInode(tree, path, inode)
    }
    const nothing = (): void => {}
    const xattr = (name: string, size: number): ReturnType<typeof createFile> =>
      createFile('', { xattrs: new Map([[name, new Uint8Array(size)]]) })
    expect(await refuse(put('x'.repeat(256), createFile('')))).toBe('BTRFS_NAME_INVALID')
    expect(await refuse(put('link', createSymlink('')))).toBe('BTRFS_SYMLINK_INVALID')
    expect(await refuse(put('link', createSymlink('x'.repeat(4096))))).toBe('BTRFS_SYMLINK_INVALID')
    expect(await refuse(put('device', createDevice('block', 4096, 0)))).toBe('BTRFS_DEVICE_NUMBER')
    expect(await refuse(put('file', xattr('nowhere.x', 1)))).toBe('BTRFS_XATTR_INVALID')
    expect(await refuse(put('file', xattr('user.x', 16_300)))).toBe('BTRFS_XATTR_NO_SPACE')
    expect(await refuse(put('file', createFile(new Uint8Array(90 * MiB))))).toBe('BTRFS_NO_SPACE')
    expect(
      await refuse((tree) => {
        const file = createFile('')
        for (let index = 0; index < 65_536; index++) putInode(tree, `link ${index}`, file)
      }),
    ).toBe('BTRFS_TOO_MANY_LINKS')
    const options: [object, string][] = [
      [{ uuid: 'none' }, 'BTRFS_OPTION_INVALID'],
      [{ label: 'x'.repeat(256) }, 'BTRFS_OPTION_INVALID'],
      [{ label: 'two\nlines' }, 'BTRFS_OPTION_INVALID'],
      [{ time: -1 }, 'BTRFS_OPTION_INVALID'],
      [{ sectorSize: 512 }, 'BTRFS_OPTION_INVALID'],
      [{ compress: { algorithm: 'lzo' } }, 'BTRFS_OPTION_INVALID'],
      [{ compress: { algorithm: 'zlib', level: 10 } }, 'BTRFS_OPTION_INVALID'],
      [{ subvolumes: [{ path: '/' }] }, 'BTRFS_SUBVOLUME_INVALID'],
      [{ subvolumes: [{ path: 'missing' }] }, 'BTRFS_SUBVOLUME_INVALID'],
      [{ subvolumes: [{ path: 'a' }, { path: '/a/' }] }, 'BTRFS_SUBVOLUME_INVALID'],
      [{ subvolumes: [{ path: 'a', uuid: 'x' }] }, 'BTRFS_OPTION_INVALID'],
      [{ subvolumes: [{ path: 'a', compress: 'lzo' }] }, 'BTRFS_OPTION_INVALID'],
    ]
    const directory = (tree: FileTree): void => void ensureDirectory(tree, 'a')
    for (const [option, code] of options)
      expect(await refuse(directory, option), JSON.stringify(option)).toBe(code)
    const both = { path: 'b', default: true, uuid: OPTIONS.uuid }
    const two = { subvolumes: [{ ...both, path: 'a' }, both] }
    const directories = (tree: FileTree): void => {
      for (const path of ['a', 'b']) ensureDirectory(tree, path)
    }
    expect(await refuse(directories, two)).toBe('BTRFS_OPTION_INVALID')
    const alike = { subvolumes: ['a', 'b'].map((path) => ({ path, uuid: OPTIONS.uuid })) }
    expect(await refuse(directories, alike)).toBe('BTRFS_OPTION_INVALID')
    expect(await refuse(put('a', createFile('')), { subvolumes: [{ path: 'a' }] })).toBe(
      'BTRFS_SUBVOLUME_INVALID',
    )
    const ranges: unknown[] = []
    for await (const range of untouched.dataRanges()) ranges.push(range)
    expect(ranges).toEqual([])
    expect(await refuse(nothing)).toBeUndefined()
  })

  test('full while writing: the error of the device comes through, and no superblock is there', async () => {
    const tree = createTree()
    putInode(tree, 'large', createFile(new Uint8Array(20 * MiB).fill(1)))
    const device = memoryDevice(100 * MiB)
    const full = new Error('no space left on device')
    let writes = 0
    const failing: typeof device = {
      ...device,
      write: (offset, data) => (++writes > 3 ? Promise.reject(full) : device.write(offset, data)),
    }
    await expect(writeBtrfs(tree, failing, OPTIONS)).rejects.toBe(full)
    expect(await codeOf(readBtrfs(device))).toBe('FORMAT_INVALID')
  })
})
