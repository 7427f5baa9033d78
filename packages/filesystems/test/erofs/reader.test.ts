import { BootableError, memoryDevice, memorySource, readAll, streamSource } from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import { createFile, createSymlink, createTree, EPOCH, lookup, putInode, walkTree } from '@bootable/tree'
import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { InodeExtended, SuperBlock } from '../../src/erofs/format.ts'
import { encodeComposefs, measureErofs, readErofs, writeErofs } from '../../src/erofs/index.ts'
import { type ErofsNode, takeInventory } from '../../src/erofs/inventory.ts'
import { type ErofsLayout, layoutErofs, type NodePlace } from '../../src/erofs/layout.ts'
import { ordinaryProfile } from '../../src/erofs/profile.ts'
import { superblockChecksum } from '../../src/erofs/superblock.ts'

let tree: FileTree
let layout: ErofsLayout
let image: Uint8Array

/** Of every structure one; all inodes are extended, as their time is not the superblock's. */
beforeAll(async () => {
  const mtime = { seconds: 7, nanoseconds: 7 }
  tree = createTree({ mtime })
  const xattrs = new Map([
    ['user.note', new Uint8Array(30).fill(1)],
    ['user.long', new Uint8Array(300).fill(2)],
  ])
  putInode(tree, 'a', createFile(new Uint8Array(6000).fill(65), { mtime }))
  putInode(tree, 'b', createSymlink('target', { mtime }))
  for (let index = 0; index < 400; index++) {
    putInode(tree, `many/name number ${index}`, createFile('x', { xattrs, mtime }))
  }
  const profile = ordinaryProfile(mtime.seconds)
  layout = layoutErofs(takeInventory(tree, profile), profile, new Map())
  const device = memoryDevice(measureErofs(tree).minimumSize)
  await writeErofs(tree, device, { uuid: '6f1c2a9e-3b47-4c1d-9a55-0d2f4e8b7c10' })
  image = await readAll(device)
})

async function readEverything(bytes: Uint8Array): Promise<number> {
  const tree = await (await readErofs(memorySource(bytes))).tree()
  let read = 0
  for (const { inode } of walkTree(tree)) {
    // Chunks may claim any size: what there is to read is bounded by the caller.
    if (inode.type !== 'file' || inode.content.size > image.length) continue
    for await (const chunk of streamSource(inode.content)) read += chunk.length
  }
  return read
}

async function failure(bytes: Uint8Array): Promise<{ code: string; message: string }> {
  const error = await readEverything(bytes).catch((reason: unknown) => reason)
  if (!BootableError.is(error)) throw new Error(`no error of ours: ${error}`)
  return error
}

/** Makes the checksum right again. */
function seal(bytes: Uint8Array): Uint8Array {
  SuperBlock.write(bytes, 1024, { checksum: superblockChecksum(bytes.subarray(1024, 4096)) })
  return bytes
}

function withSuperblock(change: Parameters<typeof SuperBlock.write>[2]): Uint8Array {
  const bytes = image.slice()
  SuperBlock.write(bytes, 1024, change)
  return seal(bytes)
}

/** Changes the inode at a path. */
function withInode(path: string, change: Parameters<typeof InodeExtended.write>[2]): Uint8Array {
  const bytes = image.slice()
  InodeExtended.write(bytes, placeOf(path), change)
  return seal(bytes)
}

/** First byte of an inode. */
function placeOf(path: string): number {
  const inode = lookup(tree, path)
  const { number } = layout.inventory.nodes.find((node) => node.inode === inode) as ErofsNode
  return (layout.places[number] as NodePlace).position
}

test('a sound image reads', async () => {
  expect(await readEverything(image)).toBe(6000 + 400)
})

describe('a hostile image', () => {
  const cases: [what: string, make: () => Uint8Array, message: RegExp][] = [
    ['no magic', () => withSuperblock({ magic: 1 }), /magic number is 0x1/],
    ['blocks of 1 GiB', () => withSuperblock({ blkszbits: 30 }), /30 bits are no block size/],
    ['an unknown feature', () => withSuperblock({ featureIncompat: 0x180 }), /0x180 is not known/],
    ['more blocks than bytes', () => withSuperblock({ blocks: 9_999_999 }), /only \d+ are there/],
    ['a root outside', () => withSuperblock({ rootNid: 65_535 }), /inode 65535.*outside/],
    ['inodes outside', () => withSuperblock({ metaBlkaddr: 0xffff_ffff }), /outside/],
    ['shared attributes outside', () => withSuperblock({ xattrBlkaddr: 0xffff_fff }), /outside/],
    ['a root that is a file', () => withInode('', { mode: 0o100644 }), /the root is not a directory/],
    ['a mode of no type', () => withInode('a', { mode: 0o644 }), /its mode is 0644/],
    ['a compressed file', () => withInode('a', { format: 3 }), /compressed/],
    ['an inode of the future', () => withInode('a', { format: 0x25 }), /i_format 0x25/],
    ['content outside', () => withInode('a', { u: 0xffff_fff0 }), /outside/],
    ['a size without end', () => withInode('a', { size: 2 ** 52 }), /outside/],
    ['chunks without end', () => withInode('a', { format: 9, u: 0, size: 2 ** 52 }), /outside/],
    ['a format of chunks unknown', () => withInode('a', { format: 9, u: 0x40 }), /chunk format 0x40/],
    ['a link of a megabyte', () => withInode('b', { size: 1_048_576 }), /a link to 1048576 bytes/],
    ['a time past all times', () => withInode('a', { mtime: 2n ** 62n }), /its time is/],
    [
      'attributes past the end',
      () => withInode('a', { xattrIcount: 0xffff }),
      /outside|reaches|shared|known/,
    ],
    ['a directory that is all', () => withInode('', { size: 2 ** 30 }), /metadata than the|outside/],
  ]
  test.each(cases)('with %s is refused', async (_, make, message) => {
    const error = await failure(make())
    expect(error.code).toMatch(/^FORMAT_/)
    expect(error.message).toMatch(message)
  })

  test('with a directory inside of itself is refused', async () => {
    const bytes = image.slice()
    const at = placeOf('')
    // The first name of the root's tail that is not a dot: `a` becomes the root.
    const tail = at + InodeExtended.size
    new DataView(bytes.buffer).setBigUint64(tail + 24, BigInt(at / 32), true)
    expect((await failure(seal(bytes))).message).toMatch(/stands there a second time/)
  })

  test('that has attributes read over and over is refused', async () => {
    const bytes = image.slice()
    // Every inode claims what stands behind it as its own, up to the 260 KB that it can say.
    for (const { position } of layout.places.slice(5)) {
      const room = (bytes.length - position - InodeExtended.size) / 4
      InodeExtended.write(bytes, position, { xattrIcount: Math.floor(room) - 2, format: 1, size: 0 })
      bytes.fill(0, position + InodeExtended.size, position + InodeExtended.size + 12)
    }
    expect((await failure(seal(bytes))).message).toMatch(/more of metadata than the/)
  })

  test('with a wrong checksum is refused', async () => {
    const bytes = image.slice()
    bytes[2000] = (bytes[2000] as number) ^ 1
    expect((await failure(bytes)).code).toBe('FORMAT_CHECKSUM')
  })

  test('cut anywhere is refused', async () => {
    for (let length = 0; length < image.length; length += 997) {
      expect((await failure(image.subarray(0, length))).code).toBe('FORMAT_TRUNCATED')
    }
  })

  test('with flipped bytes reads, or is refused', async () => {
    const busy = [...image.keys()].filter((at) => image[at] !== 0)
    const flips = fc.array(fc.tuple(fc.nat(busy.length - 1), fc.nat(255)), { minLength: 1, maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(flips, async (list) => {
        const bytes = image.slice()
        for (const [index, value] of list) bytes[busy[index] as number] = value
        const error = await readEverything(seal(bytes)).catch((reason: unknown) => reason)
        if (typeof error !== 'number') expect(BootableError.is(error) && error.code).toMatch(/^FORMAT_/)
      }),
      { numRuns: 100 },
    )
  })
})

describe('a composefs image', () => {
  test('has files of their size, all of them holes', async () => {
    const given = createTree()
    const redirect = new Map([['trusted.overlay.redirect', new Uint8Array(69).fill(47)]])
    putInode(given, 'file', createFile(new Uint8Array(10_000).fill(1), { xattrs: redirect }))
    const filesystem = await readErofs(await encodeComposefs(given))
    expect(filesystem).toMatchObject({ composefs: true, time: 0, label: '' })
    const file = lookup(await filesystem.tree(), 'file')
    expect(file).toMatchObject({ type: 'file', mtime: EPOCH, xattrs: redirect })
    if (file?.type !== 'file') return
    expect(await readAll(file.content)).toEqual(new Uint8Array(10_000))
    for await (const range of file.content.dataRanges?.() ?? []) expect(range).toBeUndefined()
  })
})
