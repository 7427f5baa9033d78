import { type ByteSource, memorySource, type ProgressEvent, sliceSource } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import {
  createDevice,
  createDirectory,
  createFifo,
  createFile,
  createSocket,
  createSymlink,
  createTree,
  diffTrees,
  type FileTree,
  lookup,
  putInode,
  walkTree,
} from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import { encodeDirmeta } from '../../src/object/dirmeta.ts'
import { encodeDirtree } from '../../src/object/dirtree.ts'
import { checkoutCommit, checkoutTree, readCommit } from '../../src/repository/checkout.ts'
import { checksumFiles } from '../../src/repository/checksum-files.ts'
import { commitTree } from '../../src/repository/commit-tree.ts'
import { createRepository } from '../../src/repository/repository.ts'

const runtime = nodeRuntime
const HELLO = '44f778e59f0a4748d6b0c90a47347212a231c4ad1e8f7ea5c5dffc7749153a6b'

function sample(): FileTree {
  const tree = createTree({ mode: 0o711, mtime: { seconds: 9, nanoseconds: 0 } })
  const hello = createFile('hello\n', { mtime: { seconds: 5, nanoseconds: 5 } })
  putInode(tree, 'usr/hello', hello)
  putInode(tree, 'usr/again', hello)
  putInode(tree, 'usr/equal', createFile('hello\n'))
  putInode(tree, 'usr/other owner', createFile('hello\n', { uid: 3 }))
  putInode(tree, 'usr/link', createSymlink('hello', { mode: 0o644 }))
  putInode(tree, 'usr/empty', createFile('', { mode: 0o4755 }))
  putInode(tree, 'var/tmp', createDirectory({ mode: 0o1777, gid: 4 }))
  return tree
}

/** A source that counts how often it is read. */
function counted(source: ByteSource): ByteSource & { reads: number; longest: number } {
  const counting = {
    size: source.size,
    reads: 0,
    longest: 0,
    async read(offset: number, target: Uint8Array): Promise<void> {
      counting.reads++
      counting.longest = Math.max(counting.longest, target.length)
      await source.read(offset, target)
    },
  }
  return counting
}

describe('commitTree and checkoutCommit', () => {
  test('give back the tree, equal files as one inode, times of 0', async () => {
    const repository = createRepository({ runtime })
    const tree = sample()
    const before = [...walkTree(tree)].map(({ inode }) =>
      structuredClone({ ...inode, content: 0, entries: 0 }),
    )
    const commit = await commitTree(repository, tree, { runtime, timestamp: 7, subject: 'one' })
    expect([...walkTree(tree)].map(({ inode }) => ({ ...inode, content: 0, entries: 0 }))).toEqual(before)
    expect(readCommit(repository, commit)).toMatchObject({ timestamp: 7, subject: 'one', body: '' })

    const checkout = checkoutCommit(repository, commit)
    const changes: string[] = []
    for await (const { path, reasons } of diffTrees(tree, checkout, { times: false })) {
      changes.push(`${path}: ${reasons}`)
    }
    // One object for all equal files, and the mode that links have.
    expect(changes).toEqual([
      expect.stringMatching(/^usr\/equal: link of nothing → usr\/again$/),
      expect.stringMatching(/^usr\/link: attributes 120644 .* → 120777 /),
    ])
    for (const { inode } of walkTree(checkout)) expect(inode.mtime).toEqual({ seconds: 0, nanoseconds: 0 })
    const file = lookup(checkout, 'usr/hello')
    expect(file).toBe(repository.file(HELLO))
    expect(repository.checksum(file as never)).toBe(HELLO)
    expect(repository.checksum(lookup(tree, 'usr/hello') as never)).toBeUndefined()
  })

  test('a second commit of the same tree adds one object and reads nothing', async () => {
    const repository = createRepository({ runtime })
    const source = counted(memorySource(new Uint8Array(1000)))
    const tree = sample()
    putInode(tree, 'usr/counted', createFile(source))
    const first = await commitTree(repository, tree, { runtime, timestamp: 0 })
    const objects = [...repository.objects()].length
    const checkout = checkoutCommit(repository, first)
    expect(await commitTree(repository, checkout, { runtime, timestamp: 0 })).toBe(first)
    const second = await commitTree(repository, checkout, { runtime, timestamp: 1, parent: first })
    expect([...repository.objects()].length).toBe(objects + 1)
    expect(readCommit(repository, second).parent).toBe(first)
    expect(source.reads).toBe(1)
  })

  test('checkouts have directories of their own', async () => {
    const repository = createRepository({ runtime })
    const commit = await commitTree(repository, sample(), { runtime, timestamp: 0 })
    putInode(checkoutCommit(repository, commit), 'usr/more', createFile('x'))
    expect(lookup(checkoutCommit(repository, commit), 'usr/more')).toBeUndefined()
  })

  test.each([
    ['device', createDevice('character', 1, 3)],
    ['fifo', createFifo()],
    ['socket', createSocket()],
  ])('a %s is refused by its path', async (type, inode) => {
    const tree = sample()
    putInode(tree, 'dev/thing', inode)
    await expect(commitTree(createRepository(), tree, { timestamp: 0 })).rejects.toMatchObject({
      code: 'OSTREE_UNSUPPORTED_FILE',
      message: `/dev/thing is a ${type}: ostree stores files, symbolic links and directories only`,
    })
  })

  test('names that ostree refuses are refused', async () => {
    const tree = createTree()
    tree.root.entries.set('..', createFile('x'))
    await expect(commitTree(createRepository(), tree, { timestamp: 0 })).rejects.toMatchObject({
      code: 'OSTREE_INVALID_NAME',
    })
  })

  test('metadata above 128 MiB is refused', async () => {
    const metadata = new Map([['long', new Uint8Array(128 * 1024 ** 2)]])
    const commit = commitTree(createRepository({ runtime }), sample(), { runtime, timestamp: 0, metadata })
    await expect(commit).rejects.toMatchObject({ code: 'OSTREE_OBJECT_TOO_LARGE' })
  })

  test('a missing object is named', async () => {
    const repository = createRepository({ runtime })
    const tree = repository.addMetadata(
      'dirtree',
      encodeDirtree({ files: new Map([['x', HELLO]]), directories: new Map() }),
    )
    const meta = repository.addMetadata('dirmeta', encodeDirmeta(createDirectory()))
    expect(() => checkoutTree(repository, tree, meta)).toThrow(
      expect.objectContaining({ code: 'OSTREE_OBJECT_MISSING', details: { checksum: HELLO, type: 'file' } }),
    )
    expect(() => checkoutCommit(repository, tree)).toThrow(/the commit object .* is not in the repository/)
  })

  test('a tree that is small and shows millions of names is refused', () => {
    const repository = createRepository({ runtime })
    const meta = repository.addMetadata('dirmeta', encodeDirmeta(createDirectory()))
    let tree = repository.addMetadata('dirtree', encodeDirtree({ files: new Map(), directories: new Map() }))
    for (let level = 0; level < 12; level++) {
      const names = Array.from({ length: 300 }, (_, index) => [`d${index}`, { tree, meta }] as const)
      tree = repository.addMetadata(
        'dirtree',
        encodeDirtree({ files: new Map(), directories: new Map(names) }),
      )
    }
    expect(() => checkoutTree(repository, tree, meta, { maxNames: 5_000 })).toThrow(
      expect.objectContaining({ code: 'LIMIT_EXCEEDED' }),
    )
  })
})

describe('checksumFiles', () => {
  test('small files of one layer cost a few large reads', async () => {
    const layer = counted(memorySource(new Uint8Array(12 * 1024 ** 2)))
    const files = Array.from({ length: 12_000 }, (_, index) =>
      createFile(sliceSource(layer, index * 1024, 500), { uid: index }),
    )
    const checksums = await checksumFiles(files, { runtime })
    expect(new Set(checksums.values()).size).toBe(12_000)
    expect(layer.reads).toBeLessThan(10)
  })

  test('contents across windows are hashed as one', async () => {
    const content = new Uint8Array(9 * 1024 ** 2 + 11).map((_, index) => index % 251)
    const files = [content.subarray(0, 4 * 1024 ** 2), content, content.subarray(0, 4 * 1024 ** 2 - 7)].map(
      (part) => createFile(part),
    )
    const together = await checksumFiles(files, { runtime })
    for (const file of files) {
      // The one that the layout of windows cannot touch: each content hashed by itself, in one piece.
      const whole = await checksumFiles([file], { runtime })
      expect(together.get(file)).toBe(whole.get(file))
    }
    expect(new Set(together.values()).size).toBe(3)
  })

  test('knows what it was told, and tells how far it is', async () => {
    const known = new WeakMap()
    const file = createFile('hello\n')
    const source = counted(memorySource(new Uint8Array(5)))
    known.set(file, 'told')
    const other = createFile(source)
    const events: ProgressEvent[] = []
    const onProgress = (event: ProgressEvent) => events.push(event)
    const checksums = await checksumFiles([file, other, other], { known, onProgress })
    expect(checksums.get(file)).toBe('told')
    expect(known.get(other)).toBe(checksums.get(other))
    expect(events.map(({ type }) => type)).toEqual(['start', 'advance', 'end'])
    expect(events[1]).toMatchObject({ done: 5, total: 5 })
    await checksumFiles([file, other], { known })
    expect(source.reads).toBe(1)
  })

  test('rejects with the reason of the signal, and with the error of a source', async () => {
    const controller = new AbortController()
    const big = memorySource(new Uint8Array(20 * 1024 ** 2))
    const onProgress = ({ type }: ProgressEvent) => {
      if (type === 'advance') controller.abort(new Error('enough'))
    }
    const { signal } = controller
    await expect(checksumFiles([createFile(big)], { runtime, signal, onProgress })).rejects.toThrow('enough')
    const broken = { size: 10, read: () => Promise.reject(new Error('gone')) }
    await expect(checksumFiles([createFile(broken)], { runtime })).rejects.toThrow('gone')
  })
})
