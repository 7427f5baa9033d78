import { BootableError, collect, FormatError, memorySource, sparseSource } from '@bootable/bytes'
import { createTarParser, indexTar, type LayerLimits, writeLayerTar } from '@bootable/oci'
import {
  createDevice,
  createDirectory,
  createFifo,
  createFile,
  createSocket,
  createSymlink,
  createTree,
  type FileTree,
  type Inode,
  putInode,
} from '@bootable/tree'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { dump, unpack } from '../unpack/layers.ts'
import { parse } from './raw-tar.ts'

const name = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 120 })
  .filter((text) => !/[/\0]/.test(text) && text !== '.' && text !== '..' && !text.startsWith('.wh.'))
const id = fc.oneof(fc.nat(70_000), fc.integer({ min: 0, max: 0xffff_fffe }))
const attributes = fc.record({
  mode: fc.nat(0o7777),
  uid: id,
  gid: id,
  mtime: fc.record({
    seconds: fc.oneof(fc.constant(0), fc.integer({ min: -(2 ** 40), max: 2 ** 40 })),
    nanoseconds: fc.oneof(fc.constant(0), fc.nat(999_999_999)),
  }),
  xattrs: fc
    .dictionary(
      fc.stringMatching(/^(user|security)\.[a-zA-Z0-9 =%äß\n]{1,20}$/),
      fc.uint8Array({ maxLength: 40 }),
      { maxKeys: 3 },
    )
    .map((entries) => new Map(Object.entries(entries))),
})
const content = fc.oneof(
  fc.uint8Array({ maxLength: 1600 }).map(memorySource),
  fc
    .tuple(fc.nat(5000), fc.uint8Array({ minLength: 1, maxLength: 600 }), fc.nat(3000))
    .map(([offset, data, after]) =>
      sparseSource(offset + data.length + after, [
        { offset, length: data.length, source: memorySource(data), sourceOffset: 0 },
      ]),
    ),
)
const device = fc.tuple(
  fc.constantFrom('character' as const, 'block' as const),
  fc.nat(4095),
  fc.nat(2 ** 22),
)
const inode = fc.oneof(
  fc.tuple(content, attributes).map(([source, given]): Inode => createFile(source, given)),
  attributes.map((given): Inode => createDirectory(given)),
  fc
    .tuple(name, attributes)
    .map(([target, given]): Inode => createSymlink(target, { ...given, mode: 0o777 })),
  fc
    .tuple(device, attributes)
    .map(([[kind, major, minor], given]): Inode => createDevice(kind, major, minor, given)),
  attributes.map((given): Inode => createFifo(given)),
)

/** Trees of a few levels, some inodes under two names. */
const tree = fc
  .tuple(
    attributes,
    fc.array(fc.record({ parent: fc.nat(20), name, inode, linked: fc.boolean() }), { maxLength: 25 }),
  )
  .map(([root, nodes]): FileTree => {
    const made = createTree(root)
    const directories = [made.root]
    for (const node of nodes) {
      const parent = directories[node.parent % directories.length]!
      if (parent.entries.has(node.name)) continue
      parent.entries.set(node.name, node.inode)
      if (node.inode.type === 'directory') directories.push(node.inode)
      else if (node.linked && !made.root.entries.has(`${node.name}2`)) {
        made.root.entries.set(`${node.name}2`, node.inode)
      }
    }
    return made
  })

describe('writeLayerTar', () => {
  test('what is written comes back, whole or sparse, in chunks of any size', async () => {
    await fc.assert(
      fc.asyncProperty(tree, fc.boolean(), fc.integer({ min: 1, max: 5000 }), async (given, sparse, step) => {
        const tar = await collect(writeLayerTar(given, { sparse }))
        expect(await dump(await unpack(tar))).toBe(await dump(given))
        expect(parse(tar, step)).toEqual(parse(tar))
        expect(await indexTar(memorySource(tar))).toEqual(parse(tar))
      }),
      { numRuns: 60 },
    )
  })

  test('the same tree gives the same bytes, whatever the order in which it was made', async () => {
    const make = (names: string[]): FileTree => {
      const made = createTree()
      for (const path of names) putInode(made, path, createFile(path))
      return made
    }
    const [one, other] = [make(['b', 'a', 'Z', 'ä']), make(['ä', 'Z', 'b', 'a'])]
    expect(await collect(writeLayerTar(one))).toEqual(await collect(writeLayerTar(other)))
    expect(parse(await collect(writeLayerTar(one))).map(({ path }) => path)).toEqual(['', 'Z', 'a', 'b', 'ä'])
  })

  test('plain members have plain headers', async () => {
    const made = createTree()
    putInode(made, 'dir/file', createFile('x', { mtime: { seconds: 1_700_000_000, nanoseconds: 0 } }))
    // Root, directory, file with one block, end.
    expect(await collect(writeLayerTar(made))).toHaveLength(512 * (1 + 1 + 2 + 2))
    expect(await collect(writeLayerTar(made, { root: false }))).toHaveLength(512 * (1 + 2 + 2))
  })

  test('a large file passes in pieces', async () => {
    const made = createTree()
    const data = new Uint8Array(3_000_001).map((_, index) => index % 251)
    putInode(made, 'a', createFile('before'))
    putInode(made, 'b', createFile(data))
    putInode(made, 'c', createFile('after'))
    const sizes: number[] = []
    for await (const chunk of writeLayerTar(made)) sizes.push(chunk.length)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1_048_576)
    expect(Math.min(...sizes)).toBeGreaterThan(0)
    expect(await dump(await unpack(await collect(writeLayerTar(made))))).toBe(await dump(made))
  })

  test('a socket is refused, and a cancelled call stops', async () => {
    const made = createTree()
    putInode(made, 'run/socket', createSocket())
    await expect(collect(writeLayerTar(made))).rejects.toMatchObject({
      code: 'LAYER_UNREPRESENTABLE',
      message: expect.stringContaining('/run/socket'),
    })
    const signal = AbortSignal.abort('enough')
    await expect(collect(writeLayerTar(createTree(), { signal }))).rejects.toBe('enough')
  })
})

describe('damaged archives', () => {
  /** Everything but an error of ours is a failure. */
  const read = (tar: Uint8Array, limits: LayerLimits = {}): void => {
    try {
      const parser = createTarParser({ onMember() {}, limits })
      for (let at = 0; at < tar.length; at += 700) parser.push(tar.subarray(at, at + 700))
      parser.end()
    } catch (error) {
      if (!(error instanceof FormatError) && !BootableError.is(error, 'LIMIT_EXCEEDED')) throw error
    }
  }

  test('cut anywhere', async () => {
    await fc.assert(
      fc.asyncProperty(tree, fc.nat(), async (given, at) => {
        const tar = await collect(writeLayerTar(given, { sparse: true }))
        read(tar.subarray(0, at % tar.length))
      }),
      { numRuns: 100 },
    )
  })

  test('with bytes changed and checksums made right again', async () => {
    const change = fc.tuple(fc.nat(), fc.nat(255))
    await fc.assert(
      fc.asyncProperty(tree, fc.array(change, { minLength: 1, maxLength: 8 }), async (given, changes) => {
        const tar = await collect(writeLayerTar(given, { sparse: true }))
        for (const [at, byte] of changes) {
          const offset = at % tar.length
          tar[offset] = byte
          // Without this the checksum would keep most damage from whatever reads the fields.
          const block = tar.subarray(offset - (offset % 512), offset - (offset % 512) + 512)
          block.fill(0x20, 148, 156)
          const sum = block.reduce((total, value) => total + value, 0)
          block.set(new TextEncoder().encode(`${sum.toString(8).padStart(6, '0')}\0 `), 148)
        }
        read(tar)
      }),
      { numRuns: 150 },
    )
  })

  test('of bytes that were never an archive', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 3000 }), (bytes) => read(bytes)))
  })
})
