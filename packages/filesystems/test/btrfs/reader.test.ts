import {
  BootableError,
  fromHex,
  MiB,
  memoryDevice,
  memorySource,
  readAll,
  streamSource,
  utf8,
} from '@bootable/bytes'
import { createFile, createTree, ensureDirectory, findFile, putInode, walkTree } from '@bootable/tree'
import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { blockChecksum, extrefHash, nameHash } from '../../src/btrfs/checksum.ts'
import * as btrfs from '../../src/btrfs/format.ts'
import { readBtrfs, readBtrfsSuperblock, writeBtrfs } from '../../src/btrfs/index.ts'
import { decompressLzo } from '../../src/btrfs/lzo.ts'

const SUPERBLOCK = 65_536
const NODE = 16_384
let image: Uint8Array

beforeAll(async () => {
  const tree = createTree()
  putInode(tree, 'a/b/file', createFile(new Uint8Array(300_000).fill(65)))
  putInode(tree, 'inline', createFile('inline'))
  for (let index = 0; index < 200; index++) putInode(tree, `many/name number ${index}`, createFile('x'))
  ensureDirectory(tree, 'sub/volume')
  const device = memoryDevice(60 * MiB)
  await writeBtrfs(tree, device, {
    uuid: '6f1c2a9e-3b47-4c1d-9a55-0d2f4e8b7c10',
    label: 'tested',
    compress: { algorithm: 'zlib', level: 1 },
    subvolumes: [{ path: 'sub' }],
  })
  image = await readAll(device)
})

async function readEverything(bytes: Uint8Array): Promise<number> {
  const tree = await (await readBtrfs(memorySource(bytes))).tree()
  let read = 0
  for (const { inode } of walkTree(tree)) {
    if (inode.type !== 'file' || inode.content.size > 60 * MiB) continue
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
function withSuperblock(change: Parameters<typeof btrfs.SuperBlock.write>[2]): Uint8Array {
  const bytes = image.slice()
  btrfs.SuperBlock.write(bytes, SUPERBLOCK, change)
  const csum = blockChecksum(bytes.subarray(SUPERBLOCK, SUPERBLOCK + btrfs.BTRFS_SUPER_INFO_SIZE))
  btrfs.SuperBlock.write(bytes, SUPERBLOCK, { csum })
  return bytes
}

/** First bytes of both copies of all leaves of a tree. */
function leavesOf(owner: number): number[] {
  const found: number[] = []
  for (let base = MiB; base < image.length; base += NODE) {
    const header = btrfs.Header.at(image, base)
    const isBlock = header.bytenr > 0 && header.chunkTreeUuid.some((byte) => byte !== 0)
    if (isBlock && header.fsid[0] === 0x6f && header.owner === BigInt(owner)) found.push(base)
  }
  return found
}

/** Changes every item of a type, given its data and header, and seals the blocks again. */
function withItems(
  owner: number,
  type: number,
  change: (data: Uint8Array, header: ReturnType<typeof btrfs.Item.at>) => void,
): Uint8Array {
  const bytes = image.slice()
  for (const base of leavesOf(owner)) {
    const block = bytes.subarray(base, base + NODE)
    const { nritems, level } = btrfs.Header.at(block)
    if (level > 0) continue
    for (let index = 0; index < nritems; index++) {
      const item = btrfs.Item.at(block, btrfs.Header.size + index * btrfs.Item.size)
      const start = btrfs.Header.size + item.offset
      if (item.type === type) change(block.subarray(start, start + item.size), item)
    }
    btrfs.Header.write(block, 0, { csum: blockChecksum(block) })
  }
  return bytes
}

const FILES = btrfs.BTRFS_FS_TREE_OBJECTID
const ROOTS = btrfs.BTRFS_ROOT_TREE_OBJECTID
const CHUNKS = btrfs.BTRFS_CHUNK_TREE_OBJECTID

describe('hashes and tables', () => {
  test('are those of the kernel', () => {
    // `default` in every root tree, and names that dump-tree shows.
    expect(nameHash(utf8('default'))).toBe(2_378_154_706)
    expect(nameHash(utf8('user.x'))).toBe(153_960_099)
    expect(extrefHash(264, utf8('a long name for many hard links of one inode 368'))).toBe(15_957_792)
    expect(btrfs.SuperBlock.fields.superRoots.offset + 4 * btrfs.RootBackup.size).toBe(0xdcb)
    expect(btrfs.RootItem.fields.otimeNsec.offset + 4).toBe(0x15f)
    expect(btrfs.LEGACY_ROOT_ITEM_SIZE).toBe(btrfs.RootItem.fields.generationV2.offset)
  })

  test('lzo as the kernel frames it', () => {
    // 4096 and 1000 bytes of one letter: a literal, a match over all of it, the end; lengths before each.
    const segment = (count: number): number[] => {
      const rest = count - 4 - 33
      const zeros = Math.floor((rest - 1) / 255)
      return [0x15, 97, 97, 97, 97, 0x20, ...new Array(zeros).fill(0), rest - zeros * 255, 0, 0, 0x11, 0, 0]
    }
    const [first, second] = [segment(4096), segment(1000)]
    const total = 12 + first.length + second.length
    const bytes = [total, 0, 0, 0, first.length, 0, 0, 0, ...first, second.length, 0, 0, 0, ...second]
    const content = decompressLzo(Uint8Array.from([...bytes, 0, 0, 0]), 5096, 4096)
    expect(content).toEqual(new Uint8Array(5096).fill(97))
  })

  test('lzo of any bytes ends, with content or none', async () => {
    await fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const framed = Uint8Array.from([...[bytes.length + 8, 0, 0, 0, bytes.length, 0, 0, 0], ...bytes])
        const view = new DataView(framed.buffer)
        view.setUint32(0, framed.length, true)
        view.setUint32(4, bytes.length, true)
        expect(decompressLzo(framed, 8192, 4096)?.length ?? 0).toBeLessThanOrEqual(8192)
      }),
      { numRuns: 500 },
    )
    expect(decompressLzo(fromHex('ffffffff'), 10, 4096)).toBeUndefined()
  })
})

describe('a sound image', () => {
  test('reads', async () => {
    expect(await readEverything(image)).toBe(300_000 + 6 + 200)
    const filesystem = await readBtrfs(memorySource(image))
    expect(filesystem).toMatchObject({ label: 'tested', size: 60 * MiB, clean: true, defaultSubvolume: 5 })
    expect(await readBtrfsSuperblock(memorySource(image))).toMatchObject({
      features: ['mixed_backref', 'big_metadata', 'extended_iref', 'skinny_metadata', 'no_holes'].concat(
        'free_space_tree',
        'free_space_tree_valid',
      ),
    })
  })

  test('reads the second copy of what is damaged in the first', async () => {
    const bytes = image.slice()
    let damaged = 0
    for (const owner of [ROOTS, FILES, CHUNKS]) {
      const leaves = leavesOf(owner)
      for (const base of leaves.slice(0, leaves.length / 2)) {
        bytes[base + 200] = (bytes[base + 200] as number) ^ 1
        damaged++
      }
    }
    expect(damaged).toBeGreaterThan(3)
    expect(await readEverything(bytes)).toBe(300_000 + 6 + 200)
  })

  test('reads parts of a compressed file', async () => {
    const file = findFile(await (await readBtrfs(memorySource(image))).tree(), 'a/b/file')
    for (const [offset, length] of [
      [0, 1],
      [131_071, 2],
      [131_072, 131_072],
      [299_999, 1],
      [5, 299_990],
    ] as const) {
      const target = new Uint8Array(length)
      await file?.content.read(offset, target)
      expect(target.every((byte) => byte === 65)).toBe(true)
    }
  })
})

describe('a hostile image', () => {
  const extent = (change: Parameters<typeof btrfs.FileExtent.write>[2]) => () =>
    withItems(FILES, btrfs.BTRFS_EXTENT_DATA_KEY, (data) => {
      if (data.length === btrfs.FileExtent.size) btrfs.FileExtent.write(data, 0, change)
    })
  const inode = (change: Parameters<typeof btrfs.InodeItem.write>[2]) => () =>
    withItems(FILES, btrfs.BTRFS_INODE_ITEM_KEY, (data, { objectid }) => {
      if (objectid === 256n) btrfs.InodeItem.write(data, 0, change)
    })
  const entry = (change: Parameters<typeof btrfs.DirItem.write>[2]) => () =>
    withItems(FILES, btrfs.BTRFS_DIR_INDEX_KEY, (data) => btrfs.DirItem.write(data, 0, change))
  const chunk = (change: Parameters<typeof btrfs.Chunk.write>[2]) => () =>
    withItems(CHUNKS, btrfs.BTRFS_CHUNK_ITEM_KEY, (data) => btrfs.Chunk.write(data, 0, change))
  const root = (change: Parameters<typeof btrfs.RootItem.write>[2]) => () =>
    withItems(ROOTS, btrfs.BTRFS_ROOT_ITEM_KEY, (data) => btrfs.RootItem.write(data, 0, change))

  const cases: [what: string, make: () => Uint8Array, message: RegExp][] = [
    ['no magic', () => withSuperblock({ magic: 'BTRFS' }), /is not _BHRfS_M/],
    ['sha256', () => withSuperblock({ csumType: 2 }), /checksums of type 2/],
    ['several devices', () => withSuperblock({ numDevices: 2 }), /on 2 devices/],
    ['zones', () => withSuperblock({ incompatFlags: 0x1000n }), /features zoned/],
    ['an unknown feature', () => withSuperblock({ incompatFlags: 1n << 40n }), /feature_i40/],
    ['blocks of 3 KiB', () => withSuperblock({ nodesize: 3072 }), /nodesize.*3072/],
    ['sectors of 1 byte', () => withSuperblock({ sectorsize: 1 }), /sectorsize.*1 bytes/],
    ['more bytes than there are', () => withSuperblock({ totalBytes: 2 ** 40 }), /only 62914560 are there/],
    ['a chunk array past its end', () => withSuperblock({ sysChunkArraySize: 5000 }), /5000/],
    ['no system chunk', () => withSuperblock({ sysChunkArraySize: 0 }), /no chunk has/],
    ['a root outside of all chunks', () => withSuperblock({ root: 2 ** 50 }), /no chunk has/],
    ['a root that is no block', () => withSuperblock({ root: 40 * MiB }), /no chunk has|checksum/],
    ['a root of another level', () => withSuperblock({ rootLevel: 3 }), /level is 0 instead of 3/],
    [
      'a root of another transaction',
      () => withSuperblock({ generation: 9 }),
      /of generation 1 instead of 9/,
    ],
    ['raid0', chunk({ type: 0x09n }), /profile raid0/],
    ['a chunk without length', chunk({ length: 0 }), /chunk.*0 bytes/],
    ['a chunk of many stripes', chunk({ numStripes: 900 }), /900 stripes/],
    ['chunks over each other', chunk({ length: 2 ** 40 }), /overlaps the one before/],
    ['a subvolume that is no tree', root({ bytenr: 4096 }), /no chunk has/],
    ['a level of 200', root({ level: 200 }), /level 200/],
    ['a compression of 9', extent({ compression: 9 }), /compression 9/],
    ['an encrypted extent', extent({ encryption: 1 }), /encryption 1/],
    ['an extent past its end', extent({ offset: 2 ** 40 }), /bytes from 1099511627776/],
    ['an extent outside of all chunks', extent({ diskBytenr: 2 ** 50 }), /no chunk has/],
    ['a compressed extent of 1 GiB', extent({ ramBytes: 2 ** 30 }), /compressed to/],
    ['an extent type of 7', extent({ type: 7 }), /type 7/],
    ['extents that are not compressed', extent({ compression: 3 }), /zstd/],
    ['extents of lzo that are none', extent({ compression: 2 }), /type 2/],
    ['a top that is a file', inode({ mode: 0o100644 }), /its top is not a directory/],
    ['a mode of no type', inode({ mode: 0o755 }), /its mode is 755/],
    ['entries that lead nowhere', entry({ objectid: 9999n }), /inode 9999.*not there/],
    ['directories in a circle', entry({ objectid: 256n }), /a second time/],
    ['entries that lead to no inode', entry({ locationType: 7 }), /a key of type 7/],
    ['names past their item', entry({ nameLen: 60_000 }), /a name of 60000 bytes/],
  ]
  test.each(cases)('with %s is refused', async (_, make, message) => {
    const error = await failure(make())
    expect(error.code).toMatch(/^FORMAT_/)
    expect(error.message).toMatch(message)
  })

  test('with a log that waits is not clean', async () => {
    expect(await readBtrfsSuperblock(memorySource(withSuperblock({ logRoot: NODE })))).toMatchObject({
      clean: false,
    })
  })

  test('with damage in both copies, or in data, is refused', async () => {
    for (const owner of [ROOTS, FILES, CHUNKS, btrfs.BTRFS_CSUM_TREE_OBJECTID]) {
      const bytes = image.slice()
      for (const base of leavesOf(owner)) bytes[base + 200] = (bytes[base + 200] as number) ^ 1
      expect((await failure(bytes)).code, `tree ${owner}`).toBe('FORMAT_CHECKSUM')
    }
    const extents: number[] = []
    withItems(FILES, btrfs.BTRFS_EXTENT_DATA_KEY, (data) => {
      if (data.length === btrfs.FileExtent.size) extents.push(btrfs.FileExtent.read(data).diskBytenr)
    })
    const bytes = image.slice()
    // Single data lies where its address says.
    const address = extents[0] as number
    bytes[address + 9] = (bytes[address + 9] as number) ^ 1
    expect(await failure(bytes)).toMatchObject({ code: 'FORMAT_CHECKSUM' })
  })

  test('whose checksums are missing is refused', async () => {
    const none = withItems(btrfs.BTRFS_CSUM_TREE_OBJECTID, btrfs.BTRFS_EXTENT_CSUM_KEY, (_, item) => {
      item.type = 1
    })
    expect((await failure(none)).message).toMatch(/no checksum/)
  })

  test('cut anywhere is refused', async () => {
    for (let length = 0; length < image.length; length += 3_999_971) {
      expect((await failure(image.subarray(0, length))).code).toBe('FORMAT_TRUNCATED')
    }
  })

  test('with any bytes changed gives an error of ours, or a tree', async () => {
    const blocks = [ROOTS, FILES, CHUNKS, btrfs.BTRFS_CSUM_TREE_OBJECTID, 256].flatMap(leavesOf)
    const flips = fc.array(
      fc.tuple(fc.nat(blocks.length - 1), fc.nat(NODE - 1), fc.integer({ min: 0, max: 255 })),
      { minLength: 1, maxLength: 30 },
    )
    await fc.assert(
      fc.asyncProperty(flips, async (changes) => {
        const bytes = image.slice()
        for (const [block, at, value] of changes) bytes[(blocks[block] as number) + at] = value
        // Sealed again, so that damage reaches the code that checks everything else.
        for (const base of blocks) {
          btrfs.Header.write(bytes, base, { csum: blockChecksum(bytes, base, base + NODE) })
        }
        const error = await readEverything(bytes).catch((reason: unknown) => reason)
        if (typeof error !== 'number')
          expect(BootableError.is(error) && error.code, `${error}`).toMatch(/^FORMAT_/)
      }),
      { numRuns: 60 },
    )
  }, 60_000)
})
