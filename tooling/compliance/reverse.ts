import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { ByteSource } from '@bootable/bytes'
import { openFileSource } from '@bootable/bytes/node'
import type { Attributes, FileTree } from '@bootable/tree'
import {
  createDevice,
  createFifo,
  createFile,
  createSymlink,
  createTree,
  putInode,
  walkTree,
} from '@bootable/tree'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readHostTree, writeHostTree } from '../host-tree.ts'
import { requireTool, temporaryFolder } from '../oracles.ts'
import { differences } from './filesystem.ts'
import { withoutHidden } from './kernel.ts'
import { type FilesystemLimits, LINUX_LIMITS } from './limits.ts'
import { arbitraryTree, holedSource, patternBytes } from './trees.ts'

/** A program that fills an image from a folder, and our reader of what it makes. */
export interface ReverseSubject {
  /** The program: `mke2fs -d`. */
  readonly name: string
  /** Whether it can be run here. @defaultValue true */
  readonly isPossible?: boolean
  /** Ways to call it. */
  readonly variants: readonly ReverseVariant[]
  /** Has the program fill `image`, which does not exist, with what is in `folder`. */
  make(folder: string, image: string, args: readonly string[]): Promise<void>
  /** Reads an image, and looks at its identity if there is something to look at. */
  read(source: ByteSource): Promise<FileTree>
  /** What the program takes over of a folder that the kernel shows as `tree`. @defaultValue all of it */
  expected?(tree: FileTree, args: readonly string[]): FileTree
  /** What stands in the folder. @defaultValue {@link ordinaryTree} */
  readonly tree?: FileTree
  /** What the program can hold of a random tree. @defaultValue `LINUX_LIMITS` */
  readonly limits?: FilesystemLimits
  /** Random trees to try with the first variant, by root alone. @defaultValue 5 */
  readonly randomTrees?: number
}

/** One way to call the program of a {@link ReverseSubject}. */
export interface ReverseVariant {
  readonly what: string
  readonly args: readonly string[]
}

const isRoot = process.getuid?.() === 0

/** The tests of a reader against images that it did not write. */
export function reverseCompliance(subject: ReverseSubject): void {
  const { name, isPossible = true, variants, randomTrees = 5, expected = (tree) => tree } = subject
  const { limits = LINUX_LIMITS } = subject
  const tools = requireTool('getfattr', 'setfattr', 'python3')

  describe.runIf(isPossible && tools)(name, () => {
    const parent = temporaryFolder()
    const [folder, image] = [join(parent, 'folder'), join(parent, 'image')]

    async function fill(tree: FileTree): Promise<void> {
      rmSync(folder, { recursive: true, force: true })
      mkdirSync(folder)
      await writeHostTree(tree, folder)
    }

    async function expectRead(args: readonly string[]): Promise<void> {
      rmSync(image, { force: true })
      await subject.make(folder, image, args)
      const source = await openFileSource(image)
      try {
        const tree = await subject.read(source)
        expect(await differences(expected(await readHostTree(folder), args), tree)).toEqual([])
      } finally {
        await source.close()
      }
    }

    let filled: Promise<void> | undefined
    test.each(variants)('reads back equal: $what', async ({ args }) => {
      filled ??= fill(subject.tree ?? ordinaryTree())
      await filled
      await expectRead(args)
    })

    if (!isRoot || randomTrees === 0) return
    test(`${randomTrees} random trees`, async () => {
      const { args } = variants[0] as ReverseVariant
      for (const tree of fc.sample(arbitraryTree(limits), { numRuns: randomTrees, seed: 9 })) {
        await fill(withoutHidden(tree))
        await expectRead(args)
      }
    })
  })
}

/** Attributes with that time in whole seconds and the owner that this user may give. */
type Made = (seconds: number, attributes?: Attributes) => Attributes

/**
 * A folder with one of everything that this user may make and that every program takes over: times in whole
 * seconds, a handful of attributes; as root also owners, devices, capabilities and an access list.
 */
export function ordinaryTree(): FileTree {
  const owner = isRoot ? {} : { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
  const made: Made = (seconds, attributes = {}) => ({
    mtime: { seconds, nanoseconds: 0 },
    ...owner,
    ...attributes,
  })
  const tree = createTree(made(1_700_000_000))
  for (let index = 0; index < 2000; index++) {
    putInode(tree, `many/a name of medium length ${index}`, createFile(`${index}`, made(index * 800_000)))
  }
  for (const size of [0, 1, 60, 4095, 4096, 4097, 60_000, 3_000_000]) {
    putInode(tree, `size-${size}`, createFile(patternBytes(size), made(size === 0 ? -86_400 : size)))
  }
  const attribute = (path: string, ...values: [name: string, value: Uint8Array][]): void => {
    putInode(tree, path, createFile(path, made(1_650_000_000, { xattrs: new Map(values) })))
  }
  attribute('attributes/short', ['user.short', new TextEncoder().encode('abc')])
  attribute('attributes/two', ['user.long', patternBytes(400)], ['user.other', patternBytes(40)])
  const first = putInode(tree, 'b/first', createFile('two names', made(1_600_000_000)))
  putInode(tree, 'a/second', first)
  putInode(tree, 'fast', createSymlink('short', made(1_500_000_000)))
  putInode(tree, 'slow', createSymlink('../'.repeat(60), made(1_500_000_001)))
  putInode(tree, 'fifo', createFifo(made(1_500_000_002)))
  putInode(tree, 'sparse', createFile(holedSource(20_005_000, [0, 20_000_000], 5000), made(1_500_000_003)))
  if (isRoot) addPrivileged(tree, made)
  for (const { inode } of walkTree(tree)) if (inode.mtime.seconds === 0) Object.assign(inode, made(1))
  return tree
}

function addPrivileged(tree: FileTree, made: Made): void {
  const put = (path: string, attributes: Attributes): void => {
    putInode(tree, path, createFile(path, made(1_400_000_000, attributes)))
  }
  const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))
  put('attributes/capable', {
    mode: 0o755,
    xattrs: new Map([['security.capability', hex('0100000200200000000000000000000000000000')]]),
  })
  // user::rw-, user:7:r-x, group::r--, mask::r-x, other::---
  const list = '0200000001000600ffffffff020005000700000004000400ffffffff10000500ffffffff20000000ffffffff'
  put('attributes/listed', { mode: 0o650, xattrs: new Map([['system.posix_acl_access', hex(list)]]) })
  put('owned', { mode: 0o6755, uid: 70_000, gid: 3_000_000_000 })
  putInode(tree, 'null', createDevice('character', 1, 3, made(1_400_000_001, { mode: 0o666 })))
  putInode(tree, 'disk', createDevice('block', 259, 70_000, made(1_400_000_002, { mode: 0o660, gid: 6 })))
}
