import {
  appendFileSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { GiB, MiB, memoryDevice } from '@bootable/bytes'
import { openFileSource } from '@bootable/bytes/node'
import { measureExt4, readExt4, readExt4Superblock, writeExt4 } from '@bootable/filesystems/ext4'
import { createFile, createTree, ensureDirectory, findFile, putInode, walkTree } from '@bootable/tree'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { differences, saveDevice } from '../../tooling/compliance/filesystem.ts'
import { LINUX_LIMITS } from '../../tooling/compliance/limits.ts'
import { sampleTree } from '../../tooling/compliance/sample-tree.ts'
import { arbitraryTree, patternBytes } from '../../tooling/compliance/trees.ts'
import { readHostTree } from '../../tooling/host-tree.ts'
import {
  canLoopMount,
  e2fsck,
  requireTool,
  runOk,
  temporaryFolder,
  withLoopMount,
} from '../../tooling/oracles.ts'

const OPTIONS = { uuid: '6f1c2a9e-3b47-4c1d-9a55-0d2f4e8b7c10', time: 1_700_000_000 }

const isPossible = canLoopMount('ext4') && requireTool('getfattr', 'resize2fs')
if (!isPossible) console.warn('tests skipped: the kernel mounts ext4 for root alone')

/** Growing a mounted ext4 takes CAP_SYS_RESOURCE, which the root of a container may not have. */
const mayGrow = isPossible && hasCapability(24)
if (!mayGrow) console.warn('tests skipped: growing a mounted ext4 takes CAP_SYS_RESOURCE')

function hasCapability(bit: number): boolean {
  const [, mask = '0'] = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return (BigInt(`0x${mask}`) & (1n << BigInt(bit))) !== 0n
}

describe.runIf(isPossible)('the kernel', () => {
  const folder = temporaryFolder()
  const image = join(folder, 'image')

  test.each([4096, 1024])('shows what was written, blocks of %d', async (blockSize) => {
    const tree = sampleTree()
    const device = memoryDevice(600 * MiB)
    await writeExt4(tree, device, { ...OPTIONS, blockSize })
    await saveDevice(device, image)
    await withLoopMount(image, { type: 'ext4', options: 'noload' }, async (mounted) => {
      const found = await readHostTree(mounted)
      found.root.entries.delete('lost+found')
      expect(await differences(tree, found)).toEqual([])
      for (const { path } of walkTree(tree)) expect(lstatSync(join(mounted, path)).ino).toBeGreaterThan(0)
      expect(lstatSync(join(mounted, 'usr/lib/sparse')).blocks).toBeLessThan(200)
    })
  })

  test('shows random trees as they were', async () => {
    const trees = fc.sample(arbitraryTree(LINUX_LIMITS), { numRuns: 15, seed: 4 })
    for (const tree of trees) {
      for (const { inode } of walkTree(tree)) {
        // The kernel hides the users' attributes of anything but files and directories.
        if (inode.type === 'file' || inode.type === 'directory') continue
        inode.xattrs = new Map([...inode.xattrs].filter(([name]) => !name.startsWith('user.')))
      }
      const device = memoryDevice(measureExt4(tree).minimumSize)
      await writeExt4(tree, device, OPTIONS)
      await saveDevice(device, image)
      await withLoopMount(image, { type: 'ext4', options: 'noload' }, async (mounted) => {
        const found = await readHostTree(mounted)
        found.root.entries.delete('lost+found')
        expect(await differences(tree, found)).toEqual([])
      })
    }
  })

  /** Mounts the image for writing. */
  async function withWritableMount(use: (mounted: string, loop: string) => Promise<void>): Promise<void> {
    const loop = (await runOk('losetup', ['--find', '--show', image])).stdout.trim()
    const mounted = join(folder, 'mounted')
    mkdirSync(mounted, { recursive: true })
    try {
      await runOk('mount', ['-t', 'ext4', loop, mounted])
      try {
        await use(mounted, loop)
      } finally {
        await runOk('umount', [mounted])
      }
    } finally {
      await runOk('losetup', ['--detach', loop])
    }
  }

  test('goes on from there: adds and removes names, writes and truncates, and e2fsck finds nothing', async () => {
    const tree = sampleTree()
    const device = memoryDevice(measureExt4(tree).minimumSize + 40 * MiB)
    await writeExt4(tree, device, OPTIONS)
    await saveDevice(device, image)
    await withWritableMount(async (mounted) => {
      const many = join(mounted, 'usr/share/many')
      for (let index = 0; index < 1500; index++) writeFileSync(join(many, `another name ${index}`), 'new')
      for (let index = 0; index < 3000; index += 3) rmSync(join(many, `ein Name mit Ü, Nummer ${index}`))
      renameSync(join(mounted, 'usr/bin/busy'), join(mounted, 'busy'))
      appendFileSync(join(mounted, 'usr/bin/link'), patternBytes(5_000_000))
      rmSync(join(mounted, 'usr/lib/sparse'))
      rmSync(join(mounted, 'attributes'), { recursive: true })
    })
    expect(await e2fsck(image)).toEqual([])
    const source = await openFileSource(image)
    expect(await readExt4Superblock(source)).toMatchObject({ clean: true })
    const after = await (await readExt4(source)).tree()
    expect(ensureDirectory(after, 'usr/share/many').entries.size).toBe(3500)
    expect(findFile(after, 'busy')?.content.size).toBe(8_000_000)
    expect(findFile(after, 'usr/bin/link')).toBe(findFile(after, 'busy'))
    await source.close?.()
  })

  test.runIf(mayGrow)('grows online', async () => {
    const device = memoryDevice(200 * MiB)
    await writeExt4(sampleTree(), device, OPTIONS)
    await saveDevice(device, image)
    await withWritableMount(async (mounted, loop) => {
      await truncate(image, 3 * GiB)
      await runOk('losetup', ['--set-capacity', loop])
      await runOk('resize2fs', [loop])
      writeFileSync(join(mounted, 'after'), patternBytes(300 * MiB))
    })
    expect(await e2fsck(image)).toEqual([])
    const source = await openFileSource(image)
    expect(await readExt4Superblock(source)).toMatchObject({ size: 3 * GiB, clean: true })
    await source.close?.()
  })

  test('grows offline by resize2fs, from a small device and over a flex group', async () => {
    const tree = createTree()
    putInode(tree, 'file', createFile(patternBytes(9 * MiB)))
    for (const [size, grown, blockSize] of [
      [40 * MiB, GiB, 1024],
      [200 * MiB, 5 * GiB, 4096],
      [GiB, 30 * GiB, 4096],
    ] as const) {
      const device = memoryDevice(size)
      await writeExt4(tree, device, { ...OPTIONS, blockSize })
      await saveDevice(device, image)
      await truncate(image, grown)
      await runOk('resize2fs', [image])
      expect(await e2fsck(image)).toEqual([])
    }
  })
})
