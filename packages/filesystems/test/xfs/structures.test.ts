import { utf8 } from '@bootable/bytes'
import { createFile } from '@bootable/tree'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { aclFromDisk, aclToDisk } from '../../src/xfs/acl.ts'
import { btreeLevels, largestBtree } from '../../src/xfs/btree.ts'
import { isSealed, seal } from '../../src/xfs/checksum.ts'
import * as da from '../../src/xfs/da-format.ts'
import { decodeDeviceNumber, encodeDeviceNumber } from '../../src/xfs/device-number.ts'
import { type DirectoryEntry, planDirectory } from '../../src/xfs/directory.ts'
import { encodeExtentList, mapRuns } from '../../src/xfs/extents.ts'
import { inlineExtents } from '../../src/xfs/fork-reader.ts'
import { planForks } from '../../src/xfs/forks.ts'
import * as xfs from '../../src/xfs/format.ts'
import { hashName } from '../../src/xfs/hash.ts'
import { groupReserve, layoutGeometry } from '../../src/xfs/layout.ts'
import type { SuperblockDetails } from '../../src/xfs/superblock.ts'
import { decodeTime, encodeTime } from '../../src/xfs/time.ts'
import { encodeAttributes } from '../../src/xfs/xattrs.ts'

describe('structures', () => {
  test('are as long as the kernel has them (xfs_ondisk.h)', () => {
    const sizes = [
      [xfs.SuperBlock, 264],
      [xfs.Agf, 224],
      [xfs.Agi, 344],
      [xfs.Agfl, 36],
      [xfs.InodeCore, 176],
      [xfs.ShortBtreeBlock, 56],
      [xfs.LongBtreeBlock, 72],
      [xfs.SymlinkHeader, 56],
      [xfs.InobtRecord, 16],
      [da.DirDataHeader, 64],
      [da.DirFreeHeader, 64],
      [da.DaHeader, 64],
      [da.AttrLeafHeader, 80],
      [da.AttrRemoteHeader, 56],
    ] as const
    for (const [struct, size] of sizes) expect([struct.name, struct.size]).toEqual([struct.name, size])
  })

  test('checksums', () => {
    const bytes = new Uint8Array(512).fill(7)
    seal(bytes, 100)
    expect(isSealed(bytes, 100)).toBe(true)
    bytes[300] = 8
    expect(isSealed(bytes, 100)).toBe(false)
  })

  test('hashes of names, as the command hash of xfs_db prints them', () => {
    expect(['a', 'lost+found', 'hello.txt'].map((name) => hashName(utf8(name)))).toEqual([
      0x61, 0x21aa60c, 0x9d168f12,
    ])
  })

  test('times from 1901 to 2486, to the nanosecond; others move to the nearest', async () => {
    const seconds = fc.integer({ min: -(2 ** 31), max: 16_299_260_424 })
    await fc.assert(
      fc.property(seconds, fc.nat(999_999_999), (second, nanoseconds) => {
        const time = { seconds: second, nanoseconds }
        expect(decodeTime(encodeTime(time), true)).toEqual(time)
      }),
    )
    const clamp = (second: number): number =>
      decodeTime(encodeTime({ seconds: second, nanoseconds: 9 }), true).seconds
    expect([clamp(-(2 ** 40)), clamp(2 ** 40)]).toEqual([-(2 ** 31), 16_299_260_424])
    expect(decodeTime(0xffff_ffff_0000_0005n, false)).toEqual({ seconds: -1, nanoseconds: 5 })
  })

  test('device numbers', () => {
    for (const [major, minor] of [
      [0, 0],
      [1, 3],
      [259, 70_000],
      [511, 262_143],
    ] as const) {
      expect(decodeDeviceNumber(encodeDeviceNumber({ major, minor }))).toEqual({ major, minor })
    }
    expect(encodeDeviceNumber({ major: 8, minor: 1 })).toBe(0x20_0001)
  })

  test('access lists in both forms', () => {
    const shown = Uint8Array.of(2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 5, 0, 7, 0, 0, 0)
    const disk = aclToDisk(shown) as Uint8Array
    expect([...disk.subarray(0, 12)]).toEqual([0, 0, 0, 2, 0, 0, 0, 1, 255, 255, 255, 255])
    expect(aclFromDisk(disk)).toEqual(shown)
    for (const wrong of [new Uint8Array(), shown.subarray(0, 19), Uint8Array.of(1, 0, 0, 0)]) {
      expect(aclToDisk(wrong)).toBeUndefined()
    }
    expect(aclFromDisk(disk.subarray(0, 16))).toBeUndefined()
  })
})

describe('btrees', () => {
  test('hold all records, no block more than it has room for or less than half of it', async () => {
    await fc.assert(
      fc.property(fc.nat(100_000), fc.integer({ min: 4, max: 500 }), (records, room) => {
        const levels = btreeLevels(records, room, room)
        expect(levels[levels.length - 1]).toHaveLength(1)
        for (const [index, level] of levels.entries()) {
          const below = index === 0 ? records : (levels[index - 1] as number[]).length
          expect(level.reduce((sum, count) => sum + count, 0)).toBe(below)
          expect(Math.max(...level)).toBeLessThanOrEqual(room)
          if (level.length > 1) expect(Math.min(...level)).toBeGreaterThanOrEqual(Math.floor(room / 2))
        }
      }),
    )
  })

  test('what the kernel sets aside for them to grow', () => {
    expect(largestBtree(19_200, 168, 252)).toBe(116)
    const geometry = layoutGeometry(300 * 2 ** 20, 512, undefined)
    expect(geometry && [0, 2].map((group) => groupReserve(geometry, group))).toEqual([137, 22])
  })
})

describe('extents', () => {
  test('are packed into 128 bits and unpacked', async () => {
    const geometry = layoutGeometry(9 * 2 ** 40, 512, undefined)
    if (!geometry) throw new Error('no geometry')
    const volume = { source: { size: 0, read: async () => {} }, superblock: details(geometry) }
    await fc.assert(
      fc.property(
        fc.nat(2 ** 40),
        fc.integer({ min: 1, max: 2 ** 31 }),
        fc.nat(2 ** 23),
        (logical, block, count) => {
          const within = geometry.agBlocks - (block % geometry.agBlocks)
          const extents: Parameters<typeof mapRuns>[0] = []
          mapRuns(extents, logical, [{ block, length: Math.min(count + 1, within) }])
          const bytes = encodeExtentList(geometry, extents)
          const fork = { number: 5, format: xfs.XFS_DINODE_FMT_EXTENTS, extents: extents.length, bytes }
          if (block % geometry.agBlocks === 0) return
          expect(inlineExtents(volume, fork)).toEqual(extents)
        },
      ),
    )
  })

  function details(geometry: NonNullable<ReturnType<typeof layoutGeometry>>): SuperblockDetails {
    const { agBlocks, agBlockLog, agCount, blockCount } = geometry
    return {
      ...({} as SuperblockDetails),
      agBlocks,
      agBlockLog,
      agCount,
      blockCount,
      blockSize: 4096,
    }
  }
})

describe('directories', () => {
  const entries = (count: number, length: number): DirectoryEntry[] =>
    Array.from({ length: count }, (_, index) => ({
      name: `${index}`.padEnd(length, 'x'),
      length,
      child: { ordinal: index, inode: createFile('') },
      fileType: 1,
    }))

  test.each([
    [0, 10, 'short', 0, 0, 0],
    [18, 10, 'short', 0, 0, 0],
    [19, 10, 'block', 1, 0, 0],
    [123, 10, 'block', 1, 0, 0],
    [124, 10, 'block', 1, 0, 0],
    [126, 10, 'leaf', 1, 1, 0],
    [497, 10, 'leaf', 3, 1, 0],
    [502, 10, 'node', 3, 1, 1],
    [503, 10, 'node', 4, 3, 1],
    [33_000, 244, 'node', 2200, 67, 2],
  ])('%d names of %d bytes: form %s', (count, length, form, data, tree, free) => {
    const plan = planDirectory(entries(count, length), 336)
    const found = [plan.form, plan.dataBlocks, plan.tree.blocks, plan.freeBlocks]
    expect(found).toEqual([form, data, tree, free])
  })
})

describe('forks', () => {
  const attributes = (count: number, size: number): ReturnType<typeof encodeAttributes> =>
    encodeAttributes(
      new Map(Array.from({ length: count }, (_, index) => [`user.${index}`, new Uint8Array(size)])),
      'file',
    )

  test('short attributes stand in the inode as long as data has its least', () => {
    expect(planForks([], 100)).toEqual({ area: 336 })
    expect(planForks(attributes(1, 20), 0).area).toBe(304)
    expect(planForks(attributes(1, 255), 0).area).toBe(72)
    expect(planForks(attributes(1, 256), 0)).toMatchObject({ area: 192, tree: { blocks: 1 } })
    expect(planForks(attributes(20, 20), 250)).toMatchObject({ area: 256, tree: { blocks: 1 } })
    expect(planForks(attributes(1, 20), 8, true).area).toBe(8)
  })

  test('large values stand apart, many names under a node', () => {
    expect(planForks(attributes(1, 3100), 0).tree).toMatchObject({ blocks: 2 })
    expect(planForks(attributes(1, 65_536), 0).tree).toMatchObject({ blocks: 18 })
    expect(planForks(attributes(300, 60), 0).tree?.tree).toMatchObject({ leaves: 6, blocks: 7 })
  })
})
