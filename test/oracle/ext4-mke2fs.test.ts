import { mkdirSync, writeFileSync } from 'node:fs'
import { open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { GiB, MiB, memoryDevice } from '@bootable/bytes'
import { openFileSource } from '@bootable/bytes/node'
import { readExt4, readExt4Superblock, writeExt4 } from '@bootable/filesystems/ext4'
import { createTree, EPOCH, walkTree } from '@bootable/tree'
import { beforeAll, expect, test } from 'vitest'
import { expectDamageToBeFound } from '../../tooling/compliance/damage.ts'
import { saveDevice } from '../../tooling/compliance/filesystem.ts'
import { type ReverseVariant, reverseCompliance } from '../../tooling/compliance/reverse.ts'
import { patternBytes } from '../../tooling/compliance/trees.ts'
import { oracle, requireTool, runOk, temporaryFolder } from '../../tooling/oracles.ts'

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

const images: readonly ReverseVariant[] = [
  { what: 'the defaults', args: ['-t', 'ext4'] },
  {
    what: 'metadata_csum_seed and orphan_file, as from e2fsprogs 1.47.1 on',
    args: ['-t', 'ext4', '-O', 'metadata_csum_seed,orphan_file'],
  },
  { what: 'blocks of 1 KiB', args: ['-t', 'ext4', '-b', '1024'] },
  { what: 'neither checksums nor 64bit', args: ['-t', 'ext4', '-O', '^metadata_csum,^64bit'] },
  { what: 'descriptors with crc16', args: ['-t', 'ext4', '-O', '^metadata_csum,uninit_bg'] },
  { what: 'inodes of 512 bytes', args: ['-t', 'ext4', '-I', '512'] },
  { what: 'ext3', args: ['-t', 'ext3', '-b', '1024'] },
  { what: 'ext2 with old inodes', args: ['-t', 'ext2', '-I', '128'] },
  { what: 'bigalloc', args: ['-t', 'ext4', '-O', 'bigalloc', '-C', '16384', '-b', '4096'] },
]

reverseCompliance({
  name: 'mke2fs -d',
  isPossible: requireTool('mke2fs'),
  variants: images,
  make: (folder, image, args) => mke2fs(image, 96 * MiB, '-L', 'theirs', '-d', folder, ...args),
  async read(source) {
    const filesystem = await readExt4(source)
    expect(filesystem).toMatchObject({ uuid: UUID, label: 'theirs', size: 96 * MiB, clean: true })
    const tree = await filesystem.tree()
    tree.root.entries.delete('lost+found')
    tree.root.mtime = EPOCH
    return tree
  },
  /** mke2fs keeps 32 bits of the seconds, and makes the root itself, now. */
  expected(tree) {
    for (const { inode } of walkTree(tree)) inode.mtime = { seconds: inode.mtime.seconds | 0, nanoseconds: 0 }
    Object.assign(tree.root, { mode: 0o755, uid: 0, gid: 0, mtime: EPOCH })
    return tree
  },
})

oracle('mke2fs', () => {
  const folder = temporaryFolder()
  const [source, path] = [join(folder, 'source'), join(folder, 'image')]
  beforeAll(() => {
    mkdirSync(source)
    for (let index = 0; index < 300; index++)
      writeFileSync(join(source, `${index}`), patternBytes(index * 99))
  })

  test('refuses what it cannot read, by name', async () => {
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
    // Without checksums damage reaches the code that checks everything else.
    const args = ['-t', 'ext4', '-d', source, '-b', '1024', '-N', '4096', '-O', '^metadata_csum']
    await mke2fs(path, 24 * MiB, ...args)
    const whole = new Uint8Array(await readFile(path))
    await expectDamageToBeFound(whole, async (image) => (await readExt4(image)).tree(), { within: 6 * MiB })
  })
})
