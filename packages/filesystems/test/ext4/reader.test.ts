import { BootableError, MiB, memoryDevice, memorySource, readAll, streamSource } from '@bootable/bytes'
import { createFile, createTree, putInode, walkTree } from '@bootable/tree'
import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { filesystemSeed, inodeChecksum, inodeSeed, superblockChecksum } from '../../src/ext4/checksum.ts'
import { GroupDescriptor, InodeStruct, SuperBlock } from '../../src/ext4/format.ts'
import { readExt4, readExt4Superblock, writeExt4 } from '../../src/ext4/index.ts'

const SIZE = 4 * MiB
const BLOCK = 1024
let image: Uint8Array

beforeAll(async () => {
  const tree = createTree()
  putInode(tree, 'a/b/file', createFile(new Uint8Array(5000).fill(65)))
  const xattrs = new Map([['user.large', new Uint8Array(300).fill(1)]])
  for (let index = 0; index < 100; index++)
    putInode(tree, `many/name number ${index}`, createFile('x', { xattrs }))
  const device = memoryDevice(SIZE)
  await writeExt4(tree, device, {
    uuid: '6f1c2a9e-3b47-4c1d-9a55-0d2f4e8b7c10',
    blockSize: BLOCK,
    journalBlocks: 0,
  })
  image = await readAll(device)
})

async function readEverything(bytes: Uint8Array): Promise<number> {
  const tree = await (await readExt4(memorySource(bytes))).tree()
  let read = 0
  for (const { inode } of walkTree(tree)) {
    if (inode.type !== 'file' || inode.content.size > SIZE) continue
    for await (const chunk of streamSource(inode.content)) read += chunk.length
  }
  return read
}

async function failure(bytes: Uint8Array): Promise<{ code: string; message: string }> {
  const error = await readEverything(bytes).catch((reason: unknown) => reason)
  if (!BootableError.is(error)) throw new Error(`no error of ours: ${error}`)
  return error
}

/** Changes the superblock and seals it again. */
function withSuperblock(change: Parameters<typeof SuperBlock.write>[2]): Uint8Array {
  const bytes = image.slice()
  SuperBlock.write(bytes, 1024, change)
  SuperBlock.write(bytes, 1024, { checksum: superblockChecksum(bytes.subarray(1024, 2048)) })
  return bytes
}

/** Changes an inode and seals it again. */
function withInode(number: number, change: Parameters<typeof InodeStruct.write>[2]): Uint8Array {
  const bytes = image.slice()
  const table = GroupDescriptor.read(bytes, 2 * BLOCK).inodeTableLo * BLOCK
  const base = table + (number - 1) * InodeStruct.size
  const seed = inodeSeed(filesystemSeed(SuperBlock.read(bytes, 1024).uuid), number, 0)
  InodeStruct.write(bytes, base, change)
  const checksum = inodeChecksum(bytes, base, InodeStruct.size, seed)
  InodeStruct.write(bytes, base, { checksumLo: checksum & 0xffff, checksumHi: checksum >>> 16 })
  return bytes
}

/** `i_block` of an inode of the sound image. */
function blockOf(number: number): Uint8Array {
  const table = GroupDescriptor.read(image, 2 * BLOCK).inodeTableLo * BLOCK
  return InodeStruct.read(image, table + (number - 1) * InodeStruct.size).block
}

describe('a sound image', () => {
  test('reads', async () => {
    expect(await readEverything(image)).toBe(5000 + 100)
  })
})

// Inodes are numbered in the order of the tree: a is 12, a/b 13, a/b/file 14, many 15.
describe('a hostile image', () => {
  const extents = (depth: number, block: number): Uint8Array => {
    const bytes = new Uint8Array(60)
    const view = new DataView(bytes.buffer)
    for (const [at, value] of [
      [0, 0xf30a],
      [2, 1],
      [4, 4],
      [6, depth],
    ] as const) {
      view.setUint16(at, value, true)
    }
    if (depth === 0) view.setUint16(16, 1, true)
    view.setUint32(depth === 0 ? 20 : 16, block, true)
    return bytes
  }
  const cases: [what: string, make: () => Uint8Array, message: RegExp][] = [
    [
      'two directories in one block',
      () => withInode(13, { block: blockOf(12) }),
      /block \d+ is in use already/,
    ],
    ['an inode that is not in use', () => withInode(14, { linksCount: 0 }), /inode 14.*not in use/],
    ['a mode of no type', () => withInode(14, { mode: 0o755 }), /inode 14.*its mode is 0755/],
    ['extents without their magic', () => withInode(14, { block: new Uint8Array(60) }), /eh_magic/],
    [
      'an extent outside',
      () => withInode(14, { block: extents(0, 0x7fff_ffff) }),
      /block 2147483647 is outside/,
    ],
    ['an extent tree too deep', () => withInode(14, { block: extents(6, 9) }), /eh_depth is 6/],
    [
      'an extent tree that leads into data',
      () => withInode(12, { block: extents(1, 900) }),
      /eh_magic|checksum/,
    ],
    ['an attribute block outside', () => withInode(14, { fileAclLo: 0xffff_ffff }), /i_file_acl/],
    ['extra fields past the inode', () => withInode(14, { extraIsize: 200 }), /i_extra_isize is 200/],
    ['a root that is a file', () => withInode(2, { mode: 0o100644 }), /the root is not a directory/],
    ['content in the inode', () => withInode(14, { flags: 0x1000_0000 }), /inline_data/],
    ['encrypted content', () => withInode(14, { flags: 0x0008_0800 }), /encrypted/],
    ['a size past 2^53', () => withInode(14, { sizeHigh: 0xffff_ffff }), /its size is/],
    ['blocks of 1 TiB', () => withSuperblock({ logBlockSize: 30 }), /no block size/],
    ['no inodes in a group', () => withSuperblock({ inodesPerGroup: 0 }), /0 inodes/],
    ['no blocks in a group', () => withSuperblock({ blocksPerGroup: 0 }), /0 blocks/],
    ['more inodes than bytes', () => withSuperblock({ inodesCount: 0xffff_ffff }), /inodes in/],
    ['inodes of 3 bytes', () => withSuperblock({ inodeSize: 3 }), /no inode size/],
    ['descriptors of 40 bytes', () => withSuperblock({ descSize: 40 }), /40 bytes/],
    ['more blocks than there are', () => withSuperblock({ blocksCountLo: 5000 }), /only 4194304 are there/],
    ['an unknown feature', () => withSuperblock({ featureIncompat: 0x4000_02c2 }), /FEATURE_I30/],
    ['compression', () => withSuperblock({ featureIncompat: 0x2c3 }), /compression/],
  ]
  test.each(cases)('with %s is refused', async (_, make, message) => {
    const error = await failure(make())
    expect(error.code).toMatch(/^FORMAT_/)
    expect(error.message).toMatch(message)
  })

  test('with a wrong checksum is refused, wherever it is', async () => {
    const table = GroupDescriptor.read(image, 2 * BLOCK).inodeTableLo * BLOCK
    const root = table + InodeStruct.size
    const rootBlock = new DataView(blockOf(2).buffer).getUint32(20, true) * BLOCK
    for (const at of [1024 + 0x78, 2 * BLOCK + 0x10, root + 4, rootBlock + 30]) {
      const bytes = image.slice()
      bytes[at] = (bytes[at] as number) ^ 1
      expect((await failure(bytes)).code).toBe('FORMAT_CHECKSUM')
    }
  })

  test('cut anywhere is refused', async () => {
    for (let length = 0; length < SIZE; length += 99_991) {
      expect((await failure(image.subarray(0, length))).code).toBe('FORMAT_TRUNCATED')
    }
    await expect(readExt4Superblock(memorySource(new Uint8Array(5000)))).rejects.toMatchObject({
      code: 'FORMAT_INVALID',
    })
  })

  test('with flipped bytes reads, or is refused', async () => {
    const busy = [...image.keys()].filter((at) => image[at] !== 0)
    const flips = fc.array(fc.tuple(fc.nat(busy.length - 1), fc.nat(255)), { minLength: 1, maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(flips, async (list) => {
        const bytes = image.slice()
        for (const [index, value] of list) bytes[busy[index] as number] = value
        const error = await readEverything(bytes).catch((reason: unknown) => reason)
        if (typeof error !== 'number') expect(BootableError.is(error) && error.code).toMatch(/^FORMAT_/)
      }),
      { numRuns: 100 },
    )
  })
})
