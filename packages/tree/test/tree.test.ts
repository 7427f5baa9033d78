import { memorySource, utf8 } from '@bootable/bytes'
import {
  createDevice,
  createDirectory,
  createFifo,
  createFile,
  createSymlink,
  createTree,
  diffTrees,
  dumpTree,
  ensureDirectory,
  type FileTree,
  findFile,
  lookup,
  putInode,
  removePath,
  resolvePath,
  sortedEntries,
  walkTree,
} from '@bootable/tree'
import { describe, expect, it } from 'vitest'

function sample(): FileTree {
  const tree = createTree()
  const shared = putInode(tree, 'usr/bin/tool', createFile('#!/bin/sh\n', { mode: 0o4755, uid: 7 }))
  putInode(tree, 'usr/bin/alias', shared)
  putInode(tree, 'bin', createSymlink('usr/bin'))
  putInode(tree, 'dev/null', createDevice('character', 1, 3, { mode: 0o666 }))
  putInode(tree, 'run/a pipe', createFifo())
  shared.xattrs.set('security.capability', Uint8Array.of(1, 0, 0x80))
  return tree
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

describe('paths', () => {
  it('are looked up without and resolved with links', () => {
    const tree = sample()
    expect(lookup(tree, '/bin')?.type).toBe('symlink')
    expect(lookup(tree, 'bin/tool')).toBeUndefined()
    expect(resolvePath(tree, 'bin/tool')?.path).toBe('usr/bin/tool')
    expect(resolvePath(tree, '../../bin/../bin/./tool')?.path).toBe('usr/bin/tool')
    expect(findFile(tree, 'bin')).toBeUndefined()
  })

  it('end where links loop', () => {
    const tree = createTree()
    putInode(tree, 'a', createSymlink('b'))
    putInode(tree, 'b', createSymlink('/a'))
    expect(resolvePath(tree, 'a')).toBeUndefined()
    expect(() => ensureDirectory(tree, 'a/c')).toThrow(/a is in the way/)
  })

  it('are made through links, and refused through files', () => {
    const tree = createTree()
    ensureDirectory(tree, 'var/home')
    putInode(tree, 'home', createSymlink('var/home'))
    putInode(tree, 'home/anna/.profile', createFile('x'))
    expect(lookup(tree, 'var/home/anna/.profile')?.type).toBe('file')
    expect(() => putInode(tree, 'home/anna/.profile/y', createFile(''))).toThrow(/not a directory/)
    expect(removePath(tree, 'var/home/anna')).toBe(true)
    expect(removePath(tree, 'var/home/anna')).toBe(false)
  })
})

describe('walkTree', () => {
  it('sorts by bytes and tells hard links apart', () => {
    expect([...walkTree(sample())].map(({ path, linkOf }) => (linkOf ? `${path}=${linkOf}` : path))).toEqual([
      '',
      'bin',
      'dev',
      'dev/null',
      'run',
      'run/a pipe',
      'usr',
      'usr/bin',
      'usr/bin/alias',
      'usr/bin/tool=usr/bin/alias',
    ])
  })

  it('survives any depth', () => {
    const tree = createTree()
    let directory = tree.root
    for (let depth = 0; depth < 20_000; depth++) {
      const next = createDirectory()
      directory.entries.set('d', next)
      directory = next
    }
    expect([...walkTree(tree)]).toHaveLength(20_001)
  })

  it('has one order, whatever was put in first', () => {
    const one = createDirectory()
    for (const name of ['\u{10000}', '\u{ffff}', 'b', 'B']) one.entries.set(name, createFile(''))
    expect(sortedEntries(one).map(([name]) => name)).toEqual(['B', 'b', '\u{ffff}', '\u{10000}'])
  })
})

describe('dumpTree', () => {
  it('prints one line a name', async () => {
    expect(await collect(dumpTree(sample()))).toMatchInlineSnapshot(`
      [
        "/ 040755 0:0 0.000000000",
        "/bin 120777 0:0 0.000000000 -> usr/bin",
        "/dev 040755 0:0 0.000000000",
        "/dev/null 020666 0:0 0.000000000 c 1:3",
        "/run 040755 0:0 0.000000000",
        ""/run/a pipe" 010644 0:0 0.000000000",
        "/usr 040755 0:0 0.000000000",
        "/usr/bin 040755 0:0 0.000000000",
        "/usr/bin/alias 104755 7:0 0.000000000 10 a8076d3d28d21e02012b20eaf7dbf75409a6277134439025f282e368e3305abf security.capability=010080",
        "/usr/bin/tool = /usr/bin/alias",
      ]
    `)
  })
})

describe('diffTrees', () => {
  it('finds nothing between equal trees', async () => {
    expect(await collect(diffTrees(sample(), sample()))).toEqual([])
  })

  it('names every kind of difference', async () => {
    const [before, after] = [sample(), sample()]
    removePath(after, 'run')
    putInode(after, 'new', createFile('1'))
    putInode(after, 'bin', createSymlink('sbin'))
    putInode(after, 'dev/null', createDevice('character', 1, 5, { mode: 0o666 }))
    putInode(after, 'usr/bin/tool', createFile('#!/bin/zz\n', { mode: 0o755 }))
    const changes = await collect(diffTrees(before, after))
    expect(changes.map(({ path, change, reasons }) => `${change} ${path}: ${reasons.join('; ')}`)).toEqual([
      'changed bin: target usr/bin → sbin',
      'changed dev/null: device character 1:3 → character 1:5',
      'added new: ',
      'changed usr/bin/tool: attributes 104755 7:0 0.000000000 → 100755 0:0 0.000000000; xattr security.capability; content from byte 7; link of usr/bin/alias → nothing',
      'removed run: ',
      'removed run/a pipe: ',
    ])
  })

  it('sees the immutable flag, as a dump does', async () => {
    const [before, after] = [createTree(), createTree({ immutable: true })]
    const [change] = await collect(diffTrees(before, after))
    expect(change?.reasons).toEqual(['attributes 040755 0:0 0.000000000 → 040755 0:0 0.000000000 immutable'])
    expect(await collect(dumpTree(after))).toEqual(['/ 040755 0:0 0.000000000 immutable'])
  })

  it('compares contents by their bytes', async () => {
    const [before, after] = [createTree(), createTree()]
    const bytes = new Uint8Array(3_000_000)
    putInode(before, 'f', createFile(memorySource(bytes)))
    putInode(
      after,
      'f',
      createFile(memorySource(Uint8Array.from(bytes, (_, at) => (at === 2_500_000 ? 1 : 0)))),
    )
    expect((await collect(diffTrees(before, after)))[0]?.reasons).toEqual(['content from byte 2500000'])
    putInode(after, 'f', createFile(utf8('short')))
    expect((await collect(diffTrees(before, after)))[0]?.reasons).toEqual(['size 3000000 → 5'])
  })
})
