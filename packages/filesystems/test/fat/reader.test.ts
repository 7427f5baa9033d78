import { FormatError, MiB, memoryDevice, memorySource, readAll } from '@bootable/bytes'
import { createFile, createTree, dumpTree, lookup, putInode } from '@bootable/tree'
import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { layoutFat, readFat, readFatBootSector, writeFat } from '../../src/fat/index.ts'
import { clusterOffset, fatOffset, rootOffset } from '../../src/fat/layout.ts'

const SIZE = 2 * MiB
const layout = layoutFat(SIZE)
const root = rootOffset(layout)
let image: Uint8Array

beforeAll(async () => {
  const tree = createTree()
  putInode(tree, 'A', createFile(new Uint8Array(5000).fill(65)))
  putInode(tree, 'B', createFile(new Uint8Array(5000).fill(66)))
  putInode(tree, 'DIR/a long name in a directory', createFile('hello'))
  const device = memoryDevice(SIZE)
  await writeFat(tree, device, { volumeId: 1 })
  image = await readAll(device)
})

/** Everything there is to read in a volume. */
async function readEverything(bytes: Uint8Array): Promise<string[]> {
  const lines: string[] = []
  for await (const line of dumpTree(await (await readFat(memorySource(bytes))).tree())) lines.push(line)
  return lines
}

async function damaged(change: (bytes: Uint8Array) => void): Promise<unknown> {
  const bytes = image.slice()
  change(bytes)
  return readEverything(bytes).catch((error: unknown) => error)
}

/** Sets an entry of the FAT12 table. */
function setEntry(bytes: Uint8Array, cluster: number, value: number): void {
  const at = fatOffset(layout) + Math.floor((cluster * 3) / 2)
  const pair = (bytes[at] as number) | ((bytes[at + 1] as number) << 8)
  const merged = cluster % 2 === 0 ? (pair & 0xf000) | value : (pair & 0x000f) | (value << 4)
  bytes[at] = merged & 0xff
  bytes[at + 1] = merged >> 8
}

// Cluster 2 is DIR; the files follow: A has 3 to 5, B has 6 to 8.
describe('damage', () => {
  test('the volume is sound to begin with', async () => {
    expect(await readEverything(image)).toHaveLength(5)
    expect((await readFat(memorySource(image))).label).toBe('NO NAME')
  })

  const chains: [what: string, cluster: number, value: number, message: RegExp][] = [
    ['a loop', 4, 3, /\/A: its chain loops or meets another one: 3/],
    ['two files in one cluster', 4, 7, /its chain loops or meets another one: 7/],
    ['a chain out of the volume', 4, 0xff0, /\/A: its chain leads to a cluster that does not exist/],
    ['a chain into a free cluster', 4, 0, /\/A: its chain leads to a cluster that does not exist: 0/],
    ['a bad cluster', 4, 0xff7, /\/A: its chain leads to a cluster that does not exist: 4087/],
    ['a chain that is too short', 3, 0xfff, /\/A: 5000 bytes, but a chain of 1 clusters/],
    ['a directory that loops', 2, 2, /\/DIR: its chain loops/],
  ]
  test.each(chains)('%s', async (_, cluster, value, message) => {
    const error = await damaged((bytes) => setEntry(bytes, cluster, value))
    expect(error).toBeInstanceOf(FormatError)
    expect((error as Error).message).toMatch(message)
  })

  test('a directory that holds itself', async () => {
    const error = await damaged((bytes) => {
      const name = clusterOffset(layout, 2) + 32 * 2
      bytes.copyWithin(name, root + 2 * 32, root + 3 * 32)
    })
    expect((error as Error).message).toMatch(/\/DIR\/DIR: its chain loops or meets another one: 2/)
  })

  test('the same name twice', async () => {
    const error = await damaged((bytes) => bytes.copyWithin(root + 32, root, root + 32))
    expect((error as Error).message).toMatch(/the name stands there twice/)
    expect(error).toBeInstanceOf(FormatError)
  })

  test('a name with a slash', async () => {
    const error = await damaged((bytes) => {
      bytes[root] = 0x2f
    })
    expect((error as Error).message).toMatch(/"\/" is no file name/)
  })

  test('a long name that lost its short name is ignored', async () => {
    const lines = (await damaged((bytes) => {
      // The checksum of the first long name entry, after `.` and `..`.
      const at = clusterOffset(layout, 2) + 2 * 32 + 13
      bytes[at] = (bytes[at] as number) ^ 1
    })) as string[]
    expect(lines.some((line) => line.startsWith('/DIR/ALONGN~1 '))).toBe(true)
  })
})

test('the upper half of a cluster number means nothing in FAT12 and FAT16', async () => {
  // DIR_FstClusHI of the first entry (fatgen103, page 23).
  const change = (bytes: Uint8Array): void => bytes.set([0x34, 0x12], root + 20)
  expect(await damaged(change)).toEqual(await readEverything(image))
})

describe('the boot sector', () => {
  const fields: [field: string, offset: number, values: number[]][] = [
    ['BPB_BytsPerSec', 0x0b, [0, 3]],
    ['BPB_SecPerClus', 0x0d, [0]],
    ['BPB_SecPerClus', 0x0d, [3]],
    ['BPB_RsvdSecCnt', 0x0e, [0, 0]],
    ['BPB_NumFATs', 0x10, [0]],
    ['BPB_TotSec', 0x13, [0xff, 0xff]],
    ['signature', 0x1fe, [0, 0]],
  ]
  test.each(fields)('bad %s', async (field, offset, values) => {
    const error = await damaged((bytes) => bytes.set(values, offset))
    expect(error).toBeInstanceOf(FormatError)
    expect((error as FormatError).details).toMatchObject({ format: 'fat', structure: field })
  })

  test('too short a source', async () => {
    await expect(readFatBootSector(memorySource(new Uint8Array(511)))).rejects.toMatchObject({
      code: 'FORMAT_TRUNCATED',
    })
  })

  test('a volume that is longer than its source', async () => {
    await expect(readFat(memorySource(image.subarray(0, SIZE / 2)))).rejects.toBeInstanceOf(FormatError)
  })
})

test('any flipped bytes: a tree or a FormatError, nothing else', async () => {
  // Where the structures are: the boot sector, the tables, the root and the directory.
  const places = [
    [0, 512],
    [fatOffset(layout), 64],
    [root, 256],
    [clusterOffset(layout, 2), 256],
  ] as const
  const flip = fc.record({ place: fc.constantFrom(...places), at: fc.nat(511), value: fc.nat(255) })
  await fc.assert(
    fc.asyncProperty(fc.array(flip, { minLength: 1, maxLength: 4 }), async (flips) => {
      const result = await damaged((bytes) => {
        for (const { place, at, value } of flips) bytes[place[0] + (at % place[1])] = value
      })
      if (result instanceof Error && !(result instanceof FormatError)) throw result
    }),
    { numRuns: 1500 },
  )
})

test('a file in many pieces reads right, wherever one starts', async () => {
  const bytes = image.slice()
  // A's clusters 3, 4, 5 in the order 3, 5, 4.
  setEntry(bytes, 3, 5)
  setEntry(bytes, 5, 4)
  setEntry(bytes, 4, 0xfff)
  const size = layout.sectorsPerCluster * 512
  for (const [cluster, value] of [3, 4, 5].entries()) {
    bytes.fill(value, clusterOffset(layout, cluster + 3), clusterOffset(layout, cluster + 4))
  }
  const file = lookup(await (await readFat(memorySource(bytes))).tree(), 'A')
  if (file?.type !== 'file') throw new Error('A is gone')
  const content = await readAll(file.content)
  expect([content[0], content[size - 1], content[size], content[size * 2]]).toEqual([3, 3, 5, 4])
  const part = new Uint8Array(10)
  await file.content.read(size - 5, part)
  expect([...part]).toEqual([3, 3, 3, 3, 3, 5, 5, 5, 5, 5])
})
