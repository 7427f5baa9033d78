import { linkSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { chown, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  BootableError,
  type ByteSource,
  GiB,
  MiB,
  memoryDevice,
  memorySource,
  streamSource,
} from '@bootable/bytes'
import { openFileSource } from '@bootable/bytes/node'
import { readExt4, readExt4Superblock, writeExt4 } from '@bootable/filesystems/ext4'
import { createTree, type FileTree, walkTree } from '@bootable/tree'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { differences, saveDevice } from '../../tooling/compliance/filesystem.ts'
import { patternBytes } from '../../tooling/compliance/trees.ts'
import { readHostTree } from '../../tooling/host-tree.ts'
import { oracle, runOk, temporaryFolder } from '../../tooling/oracles.ts'

const UUID = '6f1c2a9e-3b47-4c1d-9a55-0d2f4e8b7c10'
/** What mke2fs makes without an opinion of the distribution's. */
const FEATURES =
  'has_journal,ext_attr,resize_inode,dir_index,sparse_super,large_file,filetype,extent,huge_file,flex_bg,metadata_csum,64bit,dir_nlink,extra_isize'

async function mke2fs(path: string, size: number, ...args: string[]): Promise<void> {
  await rm(path, { force: true })
  const file = await open(path, 'w')
  await file.truncate(size)
  await file.close()
  await runOk('mke2fs', ['-q', '-F', '-U', UUID, ...args, path])
}

oracle(['mke2fs', 'dumpe2fs'], () => {
  const folder = temporaryFolder()

  /** The lines of `dumpe2fs` that are decided by size and defaults alone, and the layout of group 0. */
  async function describeLayout(path: string): Promise<string[]> {
    const { stdout } = await runOk('dumpe2fs', [path])
    const lines = stdout.split('\n')
    const after = lines.findIndex((line) => line.startsWith('Group 1:'))
    return lines
      .slice(0, after < 0 ? undefined : after)
      .map((line) => line.trim().replace(/csum 0x.*|[(+)][+]\d+\)?/g, ''))
      .filter(
        (line) =>
          !/^(Free|Filesystem created|Last|Lifetime|.*[Cc]hecksum:|Directory Hash Seed|.*free blocks)/.test(
            line,
          ),
      )
  }

  test.each([
    [24 * MiB, 1024],
    [300 * MiB, 4096],
    [200 * MiB, 1024],
    [511 * MiB, 4096],
    [512 * MiB, 4096],
    [GiB, 4096],
    [5 * GiB + 77 * 4096, 4096],
    [10 * GiB, 1024],
    [129 * GiB, 4096],
  ])('chooses what mke2fs chooses for %d bytes in blocks of %d', async (size, blockSize) => {
    const [ours, theirs] = [join(folder, 'ours'), join(folder, 'theirs')]
    const device = memoryDevice(size)
    await writeExt4(createTree(), device, {
      uuid: UUID,
      time: 1_700_000_000,
      blockSize,
      // mke2fs rounds twice where it leaves out a short last group.
      reservedPercent: 0,
    })
    await saveDevice(device, ours)
    await mke2fs(theirs, size, '-t', 'ext4', '-b', String(blockSize), '-m', '0', '-O', `none,${FEATURES}`)
    expect(await describeLayout(ours)).toEqual(await describeLayout(theirs))
  })
})

oracle(['mke2fs', 'getfattr', 'setfattr'], () => {
  const folder = temporaryFolder()
  const source = join(folder, 'source')
  const isRoot = process.getuid?.() === 0
  populate()

  /** A folder with one of everything that this user may make. */
  function populate(): void {
    mkdirSync(join(source, 'many'), { recursive: true })
    for (let index = 0; index < 2000; index++) {
      writeFileSync(join(source, `many/a name of medium length ${index}`), `${index}`)
    }
    for (const size of [0, 1, 60, 4095, 4096, 4097, 60_000, 3_000_000]) {
      writeFileSync(join(source, `size-${size}`), patternBytes(size))
    }
    linkSync(join(source, 'size-60'), join(source, 'linked'))
    symlinkSync('short', join(source, 'fast'))
    symlinkSync('../'.repeat(60), join(source, 'slow'))
    utimesSync(join(source, 'size-0'), -86_400, -86_400)
  }

  /** What `mke2fs -d` copies besides: attributes, owners, devices, holes. */
  async function populateFurther(): Promise<void> {
    const attributes = [
      ['user.short', '0x616263', 'size-1'],
      ['user.long', `0x${'ab'.repeat(400)}`, 'size-4096'],
      ['user.other', `0x${'cd'.repeat(40)}`, 'size-4096'],
    ]
    if (isRoot) {
      attributes.push(
        ['security.capability', '0x0100000200200000000000000000000000000000', 'size-60'],
        // user::rw-, user:7:r-x, group::r--, mask::r-x, other::---
        [
          'system.posix_acl_access',
          '0x0200000001000600ffffffff020005000700000004000400ffffffff10000500ffffffff20000000ffffffff',
          'size-4097',
        ],
      )
      await runOk('mknod', [join(source, 'null'), 'c', '1', '3'])
      await runOk('mknod', [join(source, 'disk'), 'b', '259', '70000'])
      await chown(join(source, 'size-4095'), 70_000, 3_000_000_000)
    }
    await runOk('mkfifo', [join(source, 'fifo')])
    for (const [name = '', value = '', path = ''] of attributes) {
      await runOk('setfattr', ['-n', name, '-v', value, join(source, path)])
    }
    const file = await open(join(source, 'sparse'), 'w')
    await file.write(patternBytes(5000), 0, 5000, 20_000_000)
    await file.close()
  }
  const ready = populateFurther()

  const images: [what: string, args: string[]][] = [
    ['the defaults', ['-t', 'ext4']],
    [
      'metadata_csum_seed and orphan_file, as from e2fsprogs 1.47.1 on',
      ['-t', 'ext4', '-O', 'metadata_csum_seed,orphan_file'],
    ],
    ['blocks of 1 KiB', ['-t', 'ext4', '-b', '1024']],
    ['neither checksums nor 64bit', ['-t', 'ext4', '-O', '^metadata_csum,^64bit']],
    ['descriptors with crc16', ['-t', 'ext4', '-O', '^metadata_csum,uninit_bg']],
    ['inodes of 512 bytes', ['-t', 'ext4', '-I', '512']],
    ['ext3', ['-t', 'ext3', '-b', '1024']],
    ['ext2 with old inodes', ['-t', 'ext2', '-I', '128']],
    ['bigalloc', ['-t', 'ext4', '-O', 'bigalloc', '-C', '16384', '-b', '4096']],
  ]
  test.each(images)('reads what mke2fs -d makes: %s', async (_, args) => {
    await ready
    const path = join(folder, 'image')
    await mke2fs(path, 96 * MiB, '-L', 'theirs', '-d', source, ...args)
    const file = await openFileSource(path)
    const filesystem = await readExt4(file)
    expect(filesystem).toMatchObject({ uuid: UUID, label: 'theirs', size: 96 * MiB, clean: true })
    const tree = await filesystem.tree()
    tree.root.entries.delete('lost+found')
    const expected = await hostTree()
    expected.root.mtime = tree.root.mtime
    expect(await differences(expected, tree)).toEqual([])
    await file.close?.()
  })

  /** mke2fs keeps whole seconds, and makes the root itself. */
  async function hostTree(): Promise<FileTree> {
    const tree = await readHostTree(source)
    for (const { inode } of walkTree(tree)) inode.mtime = { ...inode.mtime, nanoseconds: 0 }
    return tree
  }

  test('refuses what it cannot read, by name', async () => {
    await ready
    const path = join(folder, 'image')
    await mke2fs(path, 64 * MiB, '-t', 'ext4', '-d', source, '-O', 'inline_data')
    const inline = await openFileSource(path)
    await expect((await readExt4(inline)).tree()).rejects.toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
      message: expect.stringContaining('inline_data'),
    })
    await inline.close?.()
    await mke2fs(path, 64 * MiB, '-t', 'ext4', '-O', 'meta_bg,^resize_inode')
    const metaBg = await openFileSource(path)
    expect((await readExt4Superblock(metaBg)).features).toContain('meta_bg')
    await expect(readExt4(metaBg)).rejects.toMatchObject({ message: expect.stringContaining('meta_bg') })
    await metaBg.close?.()
  })

  test('damaged images are FormatErrors or trees, never anything else', async () => {
    await ready
    const path = join(folder, 'image')
    // Without checksums damage reaches the code that checks everything else.
    await mke2fs(
      path,
      24 * MiB,
      '-t',
      'ext4',
      '-d',
      source,
      '-b',
      '1024',
      '-N',
      '4096',
      '-O',
      '^metadata_csum',
    )
    const whole = new Uint8Array(await readFile(path))
    const busy = [...whole.keys()].filter((at) => whole[at] !== 0 && at < 6 * MiB)
    const damage = fc.array(fc.tuple(fc.nat(busy.length - 1), fc.integer({ min: 0, max: 255 })), {
      minLength: 1,
      maxLength: 40,
    })
    await fc.assert(
      fc.asyncProperty(damage, async (flips) => {
        const bytes = whole.slice()
        for (const [index, value] of flips) bytes[busy[index] as number] = value
        await readEverything(memorySource(bytes))
      }),
      { numRuns: 30 },
    )
    for (let length = 0; length < whole.length; length += 1_500_001) {
      await expect(readEverything(memorySource(whole.subarray(0, length)), true)).rejects.toThrow()
    }
  })

  async function readEverything(source: ByteSource, isStrict = false): Promise<void> {
    try {
      const tree = await (await readExt4(source)).tree()
      for (const { inode } of walkTree(tree)) {
        if (inode.type !== 'file' || inode.content.size > 64 * MiB) continue
        for await (const chunk of streamSource(inode.content)) expect(chunk.length).toBeGreaterThan(0)
      }
    } catch (error) {
      expect(BootableError.is(error) && error.code).toMatch(/^FORMAT_/)
      if (isStrict) throw error
    }
  }
})
