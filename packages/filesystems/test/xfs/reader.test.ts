import type { BlockDevice, ByteSource } from '@bootable/bytes'
import { BootableError, MiB, memoryDevice, memorySource, sliceSource, streamSource } from '@bootable/bytes'
import { createFile, createSymlink, createTree, type FileTree, putInode, walkTree } from '@bootable/tree'
import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { seal } from '../../src/xfs/checksum.ts'
import { DirDataHeader } from '../../src/xfs/da-format.ts'
import { DINODE_SIZE, InodeCore, SuperBlock } from '../../src/xfs/format.ts'
import { readXfs, readXfsSuperblock, writeXfs } from '../../src/xfs/index.ts'
import { patternOf } from './pattern.ts'

const SIZE = 300 * MiB
const ROOT = 128
/** Byte at which the inodes of group 0 start, and the numbers they have in the order of the tree. */
const INODES = 16 * 4096
const A = ROOT + 3
const B = A + 1
const FILE = B + 1
const LINK = FILE + 1

let device: BlockDevice
/** What was written, so that damage hits something. */
let busy: number[]

beforeAll(async () => {
  device = memoryDevice(SIZE)
  await writeXfs(sampleTree(), device, { uuid: '6f1c2a9e-3b47-4c1d-9a55-0d2f4e8b7c10', label: 'sample' })
  busy = []
  for await (const { offset, length } of device.dataRanges()) {
    const bytes = new Uint8Array(length)
    await device.read(offset, bytes)
    for (const [index, byte] of bytes.entries()) if (byte !== 0) busy.push(offset + index)
  }
})

function sampleTree(): FileTree {
  const tree = createTree()
  putInode(tree, 'a/b/file', createFile(patternOf(5000)))
  putInode(tree, 'a/link', createSymlink('x'.repeat(700)))
  const xattrs = new Map([
    ['user.large', patternOf(300)],
    ['user.huge', patternOf(5000)],
  ])
  for (let index = 0; index < 60; index++) {
    putInode(tree, `block/name number ${index}`, createFile('x', index < 5 ? { xattrs } : {}))
  }
  for (let index = 0; index < 700; index++) putInode(tree, `node/name number ${index}`, createFile('x'))
  return tree
}

/** The device with some bytes changed: copying all of it for every test would take too long. */
function patched(patches: ReadonlyMap<number, Uint8Array>): ByteSource {
  return {
    size: SIZE,
    async read(offset, target) {
      await device.read(offset, target)
      for (const [at, bytes] of patches) {
        const from = Math.max(at, offset)
        const to = Math.min(at + bytes.length, offset + target.length)
        if (from < to) target.set(bytes.subarray(from - at, to - at), from - offset)
      }
    },
  }
}

async function readEverything(source: ByteSource): Promise<number> {
  const tree = await (await readXfs(source)).tree()
  let read = 0
  for (const { inode } of walkTree(tree)) {
    if (inode.type !== 'file' || inode.content.size > 16 * MiB) continue
    for await (const chunk of streamSource(inode.content)) read += chunk.length
  }
  return read
}

async function failure(source: ByteSource): Promise<{ code: string; message: string }> {
  const error = await readEverything(source).catch((reason: unknown) => reason)
  if (!BootableError.is(error)) throw new Error(`no error of ours: ${error}`)
  return error
}

/** Changes a structure of `length` bytes and seals it again. */
async function resealed(
  offset: number,
  length: number,
  crc: number,
  change: (bytes: Uint8Array) => void,
): Promise<ByteSource> {
  const bytes = new Uint8Array(length)
  await device.read(offset, bytes)
  change(bytes)
  seal(bytes, crc)
  return patched(new Map([[offset, bytes]]))
}

function withSuperblock(change: Parameters<typeof SuperBlock.write>[2]): Promise<ByteSource> {
  return resealed(0, 512, SuperBlock.fields.crc.offset, (bytes) => SuperBlock.write(bytes, 0, change))
}

function withInode(
  number: number,
  change: Parameters<typeof InodeCore.write>[2],
  fork: readonly number[] = [],
): Promise<ByteSource> {
  return resealed(INODES + (number - ROOT) * 512, 512, InodeCore.fields.crc.offset, (bytes) => {
    InodeCore.write(bytes, 0, change)
    bytes.set(fork, DINODE_SIZE)
  })
}

describe('a sound image', () => {
  test('reads', async () => {
    expect(await readEverything(device)).toBe(5000 + 760)
    expect(await readXfs(device)).toMatchObject({ label: 'sample', clean: true, agCount: 4, size: SIZE })
  })

  test('of whose log a record was not followed by an unmount is not clean', async () => {
    const start = (2 * 19_200 + 6) * 4096
    const source = patched(new Map([[start + 512 + 9, Uint8Array.of(0)]]))
    expect(await readXfs(source)).toMatchObject({ clean: false })
  })
})

describe('a hostile image', () => {
  const cases: [what: string, make: () => Promise<ByteSource>, message: RegExp][] = [
    ['an inode that is not in use', () => withInode(FILE, { nlink: 0 }), /inode 133.*not in use/],
    ['a mode of no type', () => withInode(FILE, { mode: 0o755 }), /inode 133.*its mode is 0755/],
    ['an inode of another place', () => withInode(FILE, { ino: 7 }), /inode 133.*belongs elsewhere/],
    ['a fork that starts outside', () => withInode(FILE, { forkoff: 200 }), /di_forkoff is 200/],
    ['more extents than bytes', () => withInode(FILE, { nextents: 1000 }), /it has 1000 extents/],
    [
      'an extent outside',
      () => withInode(FILE, {}, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xe0, 0, 2]),
      /block \d+ is outside/,
    ],
    ['an extent without blocks', () => withInode(FILE, {}, new Array(16).fill(0)), /no blocks/],
    ['a format of no kind', () => withInode(FILE, { format: 4 }), /its format is 4/],
    ['a tree of extents too deep', () => withInode(FILE, { format: 3 }, [0, 99]), /bb_level is 99/],
    [
      'a tree of extents in data',
      () => withInode(FILE, { format: 3 }, [0, 1, 0, 1]),
      /checksum|outside|belongs/,
    ],
    [
      'a root that is a file',
      () => withInode(ROOT, { mode: 0o100644, format: 2, size: 0 }),
      /the root is not a directory/,
    ],
    ['a directory that names itself', () => withInode(B, {}, loop(A)), /stands there a second time/],
    ['a directory cut off', () => withInode(B, { size: 3 }), /it has 3 bytes/],
    ['a name that is too long', () => withInode(B, {}, [1, 0, 0, 0, 0, 0, 255]), /namelen is 255/],
    ['a name with a slash', () => withInode(B, {}, [1, 0, 0, 0, 0, 0, 4, 0, 0, 0x2f]), /slash/],
    ['a link to too much', () => withInode(LINK, { size: 5000 }), /a link to 5000 bytes/],
    ['a link whose target is short', () => withInode(LINK, { size: 900 }), /700 of 900 bytes/],
    ['a size past 2^53', () => withInode(FILE, { size: 2 ** 60 }), /its size is/],
    ['content on a realtime device', () => withInode(FILE, { flags: 1 }), /realtime/],
    ['blocks of 2 GiB', () => withSuperblock({ blocksize: 2 ** 31, blocklog: 31 }), /no block size/],
    ['sectors of 3 bytes', () => withSuperblock({ sectsize: 3 }), /no sector size/],
    ['inodes of 3 bytes', () => withSuperblock({ inodesize: 3 }), /no inode size/],
    ['groups without blocks', () => withSuperblock({ agblocks: 0 }), /0 blocks/],
    ['another number of groups', () => withSuperblock({ agcount: 2 ** 32 - 1 }), /4294967295 groups/],
    ['directories in blocks of 1 MiB', () => withSuperblock({ dirblklog: 8 }), /it is 8/],
    ['a root outside', () => withSuperblock({ rootino: 2 ** 50 }), /it is outside/],
    ['a log outside', () => withSuperblock({ logstart: 2 ** 40 }), /sb_logstart.*is outside/],
    ['more blocks than there are', () => withSuperblock({ dblocks: 76_801, agcount: 5 }), /are there/],
    ['an unknown feature', () => withSuperblock({ featuresIncompat: 0x20b }), /incompat_9/],
    ['a repair that is due', () => withSuperblock({ featuresIncompat: 0x1b }), /needsrepair/],
    ['names without a type', () => withSuperblock({ featuresIncompat: 0xa }), /ftype/],
    ['version 4', () => withSuperblock({ versionnum: 0xb4a4 }), /version 4/],
  ]
  test.each(cases)('with %s is refused', async (_, make, message) => {
    const error = await failure(await make())
    expect(error.code).toMatch(/^FORMAT_/)
    expect(error.message).toMatch(message)
  })

  /** A directory in its inode with one name, which stands for `number`. */
  function loop(number: number): number[] {
    return [1, 0, 0, 0, 0, A, 1, 0, 0x60, 0x78, 2, 0, 0, 0, number]
  }

  test('with two directories in the same block is refused', async () => {
    const place = async (number: number): Promise<Uint8Array> => {
      const bytes = new Uint8Array(16)
      await device.read(INODES + (number - ROOT) * 512 + DINODE_SIZE, bytes)
      return bytes
    }
    const tree = await (await readXfs(device)).tree()
    const order = [...walkTree(tree)]
      .filter(({ inode }) => inode.type === 'directory')
      .map(({ path }) => path)
    expect(order).toEqual(['', 'a', 'a/b', 'block', 'node'])
    const [block, node] = [LINK + 1, LINK + 62]
    const source = await withInode(node, {}, [...(await place(block))])
    expect((await failure(source)).message).toMatch(/is in use already|belongs elsewhere/)
  })

  test('with a wrong checksum is refused, wherever it is', async () => {
    const directory = new Uint8Array(8)
    await device.read(INODES + (LINK + 1 - ROOT) * 512 + DINODE_SIZE + 8, directory)
    const view = new DataView(directory.buffer)
    const block = (view.getUint32(0) % 2 ** 20) * 2 ** 11 + (view.getUint32(4) >>> 21)
    for (const at of [0x6c, INODES + 200, block * 4096 + DirDataHeader.size + 3]) {
      const byte = new Uint8Array(1)
      await device.read(at, byte)
      byte[0] = (byte[0] as number) ^ 1
      expect((await failure(patched(new Map([[at, byte]])))).code).toBe('FORMAT_CHECKSUM')
    }
  })

  test('cut anywhere is refused', async () => {
    for (let length = 0; length < SIZE; length += 19 * MiB + 77) {
      expect((await failure(sliceSource(device, 0, length))).code).toBe('FORMAT_TRUNCATED')
    }
    const zeros = memorySource(new Uint8Array(5000))
    await expect(readXfsSuperblock(zeros)).rejects.toMatchObject({ code: 'FORMAT_INVALID' })
  })

  test('with flipped bytes reads, or is refused', async () => {
    const flips = fc.array(fc.tuple(fc.nat(busy.length - 1), fc.nat(255)), { minLength: 1, maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(flips, async (list) => {
        const patches = new Map(list.map(([index, value]) => [busy[index] as number, Uint8Array.of(value)]))
        await expectAnswer(patched(patches))
      }),
      { numRuns: 100 },
    )
  })

  test('with flipped bytes under good checksums reads, or is refused', async () => {
    const inodes = fc.tuple(fc.nat(200), fc.nat(511), fc.nat(255))
    await fc.assert(
      fc.asyncProperty(fc.array(inodes, { minLength: 1, maxLength: 4 }), async (list) => {
        const patches = new Map<number, Uint8Array>()
        for (const [index, at, value] of list) {
          const bytes = new Uint8Array(512)
          await device.read(INODES + index * 512, bytes)
          bytes[at] = value
          seal(bytes, InodeCore.fields.crc.offset)
          patches.set(INODES + index * 512, bytes)
        }
        await expectAnswer(patched(patches))
      }),
      { numRuns: 150 },
    )
  })

  async function expectAnswer(source: ByteSource): Promise<void> {
    const error = await readEverything(source).catch((reason: unknown) => reason)
    if (typeof error !== 'number')
      expect(BootableError.is(error) && error.code, String(error)).toMatch(/^FORMAT_/)
  }
})
