import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BlockDevice, ByteSource, OperationOptions } from '@bootable/bytes'
import { BootableError, memoryDevice, streamSource } from '@bootable/bytes'
import type { DiffTreesOptions, FileTree } from '@bootable/tree'
import {
  createDevice,
  createDirectory,
  createFifo,
  createFile,
  createSocket,
  createSymlink,
  createTree,
  diffTrees,
  ensureDirectory,
  putInode,
} from '@bootable/tree'
import * as fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import type { FilesystemLimits } from './limits.ts'
import { arbitraryTree, expectedTree, holdable, holedSource, patternBytes } from './trees.ts'

/** One filesystem as the suite sees it. */
export interface FilesystemSubject {
  readonly name: string
  readonly limits: FilesystemLimits
  /** Bytes of the smallest device that takes the tree. The suite writes to exactly that many. */
  measure(tree: FileTree): number
  write(tree: FileTree, device: BlockDevice, options?: OperationOptions): Promise<unknown>
  read(source: ByteSource): Promise<FileTree>
  /** Findings of the real checker on an image file; empty for a faultless one. */
  check?(path: string): Promise<string[]>
  /** Code of the error of a device that is too small. */
  readonly noSpace: string
  /** Random trees to try. @defaultValue 200 */
  readonly randomTrees?: number
}

/** The tests that every filesystem of ours passes: written, read by our reader, judged by its checker. */
export function filesystemCompliance(subject: FilesystemSubject): void {
  const { name, limits } = subject

  describe(`${name} compliance`, () => {
    const folder = mkdtempSync(join(tmpdir(), `bootable-${name}-`))
    afterAll(() => rmSync(folder, { recursive: true, force: true }))

    /** Writes, reads back, compares, and asks the checker. Answers with the device. */
    async function roundTrip(given: FileTree): Promise<BlockDevice> {
      const tree = holdable(given, limits)
      const device = memoryDevice(subject.measure(tree))
      await subject.write(tree, device)
      expect(await differences(expectedTree(tree, limits), await subject.read(device))).toEqual([])
      if (subject.check) {
        const path = join(folder, 'image')
        await saveDevice(device, path)
        expect(await subject.check(path)).toEqual([])
      }
      return device
    }

    test('an empty tree', async () => {
      await roundTrip(createTree())
    })

    test('files of every size around the boundaries', async () => {
      const tree = createTree()
      const sizes = new Set([0, 1, 59, 60, 61, 511, 512, 513, 1_500_000])
      for (const boundary of limits.boundaries) {
        for (const times of [1, 2, 12, 13]) {
          for (const step of [-1, 0, 1]) sizes.add(boundary * times + step)
        }
      }
      for (const size of sizes) putInode(tree, `size-${size}`, createFile(patternBytes(size, size)))
      await roundTrip(tree)
    })

    test(`${limits.manyEntries} entries in one directory`, async () => {
      const tree = createTree()
      const directory = ensureDirectory(tree, 'many')
      for (let index = 0; index < limits.manyEntries; index++) {
        directory.entries.set(`an entry among many, number ${index}`, createFile(`${index}`))
      }
      await roundTrip(tree)
    })

    test('many directories in one directory', async () => {
      const tree = createTree()
      for (let index = 0; index < 400; index++) ensureDirectory(tree, `home/user${index}/Documents`)
      await roundTrip(tree)
    })

    test('a deep path', async () => {
      const tree = createTree()
      putInode(tree, `${'deeper/'.repeat(100)}file`, createFile('found'))
      await roundTrip(tree)
    })

    test('names: the longest, other scripts, blanks, control characters', async () => {
      const tree = createTree()
      const names = [
        'x'.repeat(255),
        `${'x'.repeat(254)}y`,
        'é'.repeat(127),
        '日本語'.repeat(28),
        '🦊'.repeat(63),
      ]
      const odd = [
        ' leading',
        'in the middle',
        'trailing ',
        'dot.',
        '...',
        '.hidden',
        '~',
        'tab\tline\nbreak',
        '"*?<>|:',
      ]
      for (const text of [...names, ...odd, 'back\\slash', 'CON', 'a+b,c;d=[e]', 'ÿ', '\u{10ffff}']) {
        tree.root.entries.set(text, createFile(text))
      }
      await roundTrip(tree)
    })

    test('hard links', async () => {
      const tree = createTree()
      const file = putInode(tree, 'b/first', createFile(patternBytes(10_000)))
      for (let index = 0; index < 50; index++) putInode(tree, `a/link${index}`, file)
      const link = putInode(tree, 'b/symlink', createSymlink('first'))
      putInode(tree, 'c', link)
      await roundTrip(tree)
    })

    test('devices, fifos and sockets', async () => {
      const tree = createTree()
      const numbers = [
        [0, 0],
        [5, 1],
        [255, 255],
        [256, 3],
        [8, 256],
        [4095, 0xf_ffff],
      ] as const
      for (const [major, minor] of numbers) {
        putInode(tree, `c${major}:${minor}`, createDevice('character', major, minor, { mode: 0o620, gid: 5 }))
        putInode(tree, `b${major}:${minor}`, createDevice('block', major, minor))
      }
      putInode(tree, 'fifo', createFifo())
      putInode(tree, 'socket', createSocket())
      await roundTrip(tree)
    })

    test('symbolic links short and long', async () => {
      const tree = createTree()
      for (const length of [1, 59, 60, 61, 255, 1000, 1023, 1024, 4000, 4094, 4095]) {
        putInode(tree, `link-${length}`, createSymlink('../'.repeat(1365).slice(-length)))
      }
      await roundTrip(tree)
    })

    test('extended attributes small and large', async () => {
      const tree = createTree()
      const { maxTotalBytes, maxValueBytes } = limits.xattrs || { maxTotalBytes: 100, maxValueBytes: 100 }
      const capability = Uint8Array.from([1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
      const label = new TextEncoder().encode('system_u:object_r:bin_t:s0\0')
      const small = {
        'security.capability': capability,
        'security.selinux': label,
        'user.empty': new Uint8Array(),
      }
      const large = { 'user.large': patternBytes(Math.min(maxTotalBytes, maxValueBytes) - 100), ...small }
      const xattrs = [small, large, { 'trusted.overlay.opaque': Uint8Array.of(121) }]
      for (const [index, values] of xattrs.entries()) {
        const attributes = { xattrs: new Map(Object.entries<Uint8Array>(values)) }
        putInode(tree, `file${index}`, createFile('with attributes', attributes))
        putInode(tree, `same${index}`, createFile('with equal attributes', attributes))
        putInode(tree, `directory${index}`, createDirectory(attributes))
        putInode(
          tree,
          `symlink${index}`,
          createSymlink('target', { xattrs: new Map([['security.selinux', label]]) }),
        )
      }
      await roundTrip(tree)
    })

    test('sparse files', async () => {
      const size = limits.sparse ? 300 * 1_048_576 + 77 : 400_077
      const tree = createTree()
      putInode(tree, 'hole', createFile(holedSource(size, [], 0)))
      putInode(tree, 'ends', createFile(holedSource(size, [0, size - 5000], 5000)))
      putInode(tree, 'spots', createFile(holedSource(size, [10_000, 70_000, 200_000, 300_000], 999)))
      const device = await roundTrip(tree)
      if (!limits.sparse) return
      let written = 0
      for await (const range of device.dataRanges()) written += range.length
      expect(written).toBeLessThan(size / 10)
    })

    test('times before 1970, after 2038, to the nanosecond', async () => {
      const tree = createTree()
      const seconds = [
        -(2 ** 31),
        -86_400,
        -1,
        0,
        1,
        315_532_800,
        1_700_000_001,
        2 ** 31 - 1,
        2 ** 31,
        2 ** 32,
        2 ** 33,
      ]
      for (const second of seconds) {
        for (const nanoseconds of [0, 1, 999_999_999]) {
          const mtime = { seconds: second, nanoseconds }
          putInode(tree, `at ${second} ${nanoseconds}`, createFile('', { mtime }))
        }
        putInode(
          tree,
          `directory of ${second}`,
          createDirectory({ mtime: { seconds: second, nanoseconds: 5 } }),
        )
      }
      await roundTrip(tree)
    })

    test('owners above 2^31 and every mode bit', async () => {
      const tree = createTree({ mode: 0o1777, uid: 1, gid: 2 })
      const maximum = limits.owners ? limits.owners.maximum : 0
      for (const id of [0, 1, 65_535, 65_536, 2 ** 31 + 7, 2 ** 32 - 2].filter((value) => value <= maximum)) {
        putInode(tree, `owned by ${id}`, createFile('', { uid: id, gid: maximum - id }))
      }
      for (const mode of [0, 0o4755, 0o2755, 0o1755, 0o7777, 0o444]) {
        putInode(tree, `file${mode.toString(8)}`, createFile('', { mode }))
        putInode(tree, `directory${mode.toString(8)}`, createDirectory({ mode }))
      }
      await roundTrip(tree)
    })

    test('two writes give the same bytes', async () => {
      const [tree] = fc.sample(arbitraryTree(limits), { numRuns: 1, seed: 7 }) as [FileTree]
      const digests: string[] = []
      for (let index = 0; index < 2; index++) {
        const device = memoryDevice(subject.measure(tree) + 4_194_304)
        await subject.write(tree, device)
        const hash = createHash('sha256')
        for await (const chunk of streamSource(device)) hash.update(chunk)
        digests.push(hash.digest('hex'))
      }
      expect(digests[0]).toBe(digests[1])
    })

    test('a device that is too small is an error with a code', async () => {
      const device = memoryDevice(subject.measure(createTree()))
      const tree = createTree()
      putInode(tree, 'file', createFile(patternBytes(device.size + 1_048_576)))
      const error = await subject.write(tree, device).catch((reason: unknown) => reason)
      expect(BootableError.is(error) && error.code).toBe(subject.noSpace)
    })

    test('a cancelled call rejects with the reason', async () => {
      const tree = createTree()
      putInode(tree, 'file', createFile(patternBytes(1_000_000)))
      const reason = new Error('enough')
      const signal = AbortSignal.abort(reason)
      await expect(subject.write(tree, memoryDevice(subject.measure(tree)), { signal })).rejects.toBe(reason)
    })

    const runs = subject.randomTrees ?? 200
    test(`${runs} random trees`, async () => {
      await fc.assert(
        fc.asyncProperty(arbitraryTree(limits), async (tree) => {
          await roundTrip(tree)
        }),
        { numRuns: runs, endOnFailure: true, interruptAfterTimeLimit: 100_000, markInterruptAsFailure: true },
      )
    })
  })
}

/** What differs between two trees, a line each. */
export async function differences(
  before: FileTree,
  after: FileTree,
  options: DiffTreesOptions = {},
): Promise<string[]> {
  const lines: string[] = []
  for await (const { path, change, reasons } of diffTrees(before, after, options)) {
    lines.push([path, change, ...reasons].join(' · '))
  }
  return lines
}

/** Writes a device, or anything that can be read, to a file; holes stay holes. */
export async function saveDevice(device: ByteSource, path: string): Promise<void> {
  const file = await open(path, 'w')
  try {
    await file.truncate(device.size)
    for await (const { offset, length } of device.dataRanges?.() ?? [{ offset: 0, length: device.size }]) {
      let position = offset
      for await (const chunk of streamSource(device, { offset, length })) {
        await file.write(chunk, 0, chunk.length, position)
        position += chunk.length
      }
    }
  } finally {
    await file.close()
  }
}
