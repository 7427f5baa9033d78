import {
  appendFileSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BlockDevice, type ByteSource, MiB, memoryDevice } from '@bootable/bytes'
import { openFileSource } from '@bootable/bytes/node'
import { ensureDirectory, type FileTree, findFile, removePath, walkTree } from '@bootable/tree'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readHostTree } from '../host-tree.ts'
import { canLoopMount, requireTool, run, runOk, temporaryFolder, withLoopMount } from '../oracles.ts'
import { differences, saveDevice } from './filesystem.ts'
import { type FilesystemLimits, LINUX_LIMITS } from './limits.ts'
import { sampleTree } from './sample-tree.ts'
import { arbitraryTree, patternBytes } from './trees.ts'

/** One filesystem as the kernel is to see it. */
export interface KernelSubject {
  /** The kernel's name of the filesystem, such as `ext4`. */
  readonly type: string
  /** What is special about the way in which it is written. */
  readonly what?: string
  /** Mount options besides `ro`, for a kernel that is only to look. */
  readonly options?: string
  /** What it can hold. @defaultValue `LINUX_LIMITS` */
  readonly limits?: FilesystemLimits
  /** Bytes of the smallest device that takes the tree. */
  measure(tree: FileTree): number
  write(tree: FileTree, device: BlockDevice): Promise<unknown>
  /** On what it is written, such as `noiseDevice`. @defaultValue `memoryDevice` */
  readonly createDevice?: (size: number) => BlockDevice
  /** A name in the root that the filesystem adds itself, such as `lost+found`. */
  readonly ownName?: string
  /** Random trees to try. @defaultValue 15 */
  readonly randomTrees?: number
  /** How to look at the filesystem after the kernel has written to it; none where it cannot. */
  readonly afterwards?: {
    /** Bytes to leave free. @defaultValue 40 MiB */
    readonly room?: number
    /** Findings of the checker; empty for a faultless one. */
    check(path: string): Promise<string[]>
    read(source: ByteSource): Promise<FileTree>
  }
}

/** Whether the kernel mounts that filesystem for this process and what it shows can be read. */
export function canAskKernel(type: string): boolean {
  const isPossible = canLoopMount(type) && requireTool('getfattr')
  if (!isPossible) console.warn(`tests skipped: the kernel mounts ${type} for root alone`)
  return isPossible
}

/** The tests that every filesystem passes which the kernel mounts: it shows what was written, and goes on. */
export function kernelCompliance(subject: KernelSubject): void {
  const { type, what, limits = LINUX_LIMITS, randomTrees = 15, afterwards } = subject
  const name = ['the kernel', what].filter(Boolean).join(', ')

  describe.runIf(canAskKernel(type))(name, () => {
    const image = join(temporaryFolder(), 'image')

    test('shows what was written', async () => {
      await expectShown(subject, sampleTree(), image, (mounted) => {
        // EROFS counts holes as blocks.
        if (afterwards) expect(lstatSync(join(mounted, 'usr/lib/sparse')).blocks).toBeLessThan(200)
      })
    })

    test('shows random trees as they were', async () => {
      for (const tree of fc.sample(arbitraryTree(limits), { numRuns: randomTrees, seed: 4 })) {
        await expectShown(subject, withoutHidden(tree), image)
      }
    })

    if (!afterwards) return
    const { room = 40 * MiB, check, read } = afterwards
    test('goes on: adds and removes names, writes and truncates', async () => {
      const tree = sampleTree()
      const device = (subject.createDevice ?? memoryDevice)(subject.measure(tree) + room)
      await subject.write(tree, device)
      await saveDevice(device, image)
      await withWritableMount(image, type, async (mounted) => change(mounted))
      expect(await check(image)).toEqual([])
      const source = await openFileSource(image)
      try {
        expectChanged(await read(source))
      } finally {
        await source.close()
      }
    })
  })
}

/** Writes a tree and expects the kernel to show the same. */
export async function expectShown(
  subject: KernelSubject,
  tree: FileTree,
  image: string,
  look: (mounted: string) => void = () => {},
): Promise<void> {
  const device = (subject.createDevice ?? memoryDevice)(subject.measure(tree))
  await subject.write(tree, device)
  await saveDevice(device, image)
  const { type, options } = subject
  await withLoopMount(image, { type, ...(options && { options }) }, async (mounted) => {
    const shown = await readHostTree(mounted)
    if (subject.ownName !== undefined) removePath(shown, subject.ownName)
    expect(await differences(tree, shown)).toEqual([])
    for (const { path } of walkTree(tree)) expect(lstatSync(join(mounted, path)).ino).toBeGreaterThan(0)
    look(mounted)
  })
}

/** The tree without attributes that the kernel hides: the users' of anything but files and directories. */
export function withoutHidden(tree: FileTree): FileTree {
  for (const { inode } of walkTree(tree)) {
    if (inode.type === 'file' || inode.type === 'directory') continue
    inode.xattrs = new Map([...inode.xattrs].filter(([name]) => !name.startsWith('user.')))
  }
  return tree
}

/** Hands `use` a folder where the kernel has mounted the image for writing, and takes it down again. */
export async function withWritableMount<T>(
  image: string,
  type: string,
  use: (mounted: string, loop: string) => Promise<T>,
): Promise<T> {
  const loop = (await runOk('losetup', ['--find', '--show', image])).stdout.trim()
  const mounted = mkdtempSync(join(tmpdir(), 'bootable-mount-'))
  try {
    await runOk('mount', ['-t', type, loop, mounted])
    try {
      return await use(mounted, loop)
    } finally {
      await runOk('umount', [mounted])
    }
  } finally {
    await run('losetup', ['--detach', loop])
    rmSync(mounted, { recursive: true, force: true })
  }
}

/** Whether this process has a capability, by its bit in `linux/capability.h`. */
export function hasCapability(bit: number): boolean {
  const [, mask = '0'] = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return (BigInt(`0x${mask}`) & (1n << BigInt(bit))) !== 0n
}

/** Changes a mounted {@link sampleTree} as a system in use would. */
function change(mounted: string): void {
  const many = join(mounted, 'usr/share/many')
  for (let index = 0; index < 1500; index++) writeFileSync(join(many, `another name ${index}`), 'new')
  for (let index = 0; index < 3000; index += 3) rmSync(join(many, `ein Name mit Ü, Nummer ${index}`))
  renameSync(join(mounted, 'usr/bin/busy'), join(mounted, 'busy'))
  appendFileSync(join(mounted, 'usr/bin/link'), patternBytes(5_000_000))
  rmSync(join(mounted, 'usr/lib/sparse'))
  rmSync(join(mounted, 'attributes'), { recursive: true })
}

function expectChanged(tree: FileTree): void {
  expect(ensureDirectory(tree, 'usr/share/many').entries.size).toBe(3500)
  expect(findFile(tree, 'busy')?.content.size).toBe(8_000_000)
  expect(findFile(tree, 'usr/bin/link')).toBe(findFile(tree, 'busy'))
  expect(tree.root.entries.has('attributes')).toBe(false)
}
