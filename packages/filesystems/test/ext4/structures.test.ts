import { fromHex, toHex, utf8 } from '@bootable/bytes'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { aclFromDisk, aclToDisk } from '../../src/ext4/acl.ts'
import { setBits } from '../../src/ext4/bitmap.ts'
import * as format from '../../src/ext4/format.ts'
import { hashName, hashSeed } from '../../src/ext4/htree.ts'
import { decodeDevice, encodeDevice } from '../../src/ext4/inode.ts'
import { hasSuperblock } from '../../src/ext4/layout.ts'
import { clampTime, decodeTime, timeExtra, timeLow } from '../../src/ext4/time.ts'
import { decodeXattrBlock, decodeXattrBody, encodeXattrs } from '../../src/ext4/xattrs.ts'

describe('struct tables', () => {
  test('have the sizes and the far fields of fs/ext4/ext4.h', () => {
    expect(format.SuperBlock.size).toBe(1024)
    expect(format.SuperBlock.fields.checksum.offset).toBe(0x3fc)
    expect(format.SuperBlock.fields.overheadBlocks.offset).toBe(0x248)
    expect(format.GroupDescriptor.size).toBe(64)
    expect(format.GroupDescriptor.fields.inodeBitmapCsumHi.offset).toBe(0x3a)
    expect(format.InodeStruct.fields.projid.offset + 4).toBe(format.INODE_XATTRS)
    expect(format.JournalSuperBlock.size).toBe(1024)
  })
})

describe('names are hashed as debugfs dx_hash does', () => {
  const seed = hashSeed(fromHex('6f1c2a9e3b474c1d9a550d2f4e8b7c10'))
  const none = hashSeed(new Uint8Array(16))
  test.each([
    ['a', 0xdfb89682, 0xff11e41e, 0xd5fa7d7a, 0xacb48187],
    ['lost+found', 0x0a179ea2, 0x16a61ba6, 0x591de422, 0x6ffc56e0],
    ['a name of thirty-two characters..', 0x51e34786, 0x3214c12a, 0xb32be468, 0x6cfa057d],
    ['a name of thirty-three characters..', 0x39bb3614, 0xc6e78d38, 0xa9223676, 0x1d7dab18],
    ['Grüße, 日本語 🦊', 0xb3e10b10, 0x20f198c9, 0x0e94f7e6, 0x8a140590],
    ['x'.repeat(255), 0x93ab04ba, 0x9e732e61, 0x2aa7169e, 0x655f9d9c],
  ])('%s', (name, hash, minor, plainHash, plainMinor) => {
    const bytes = utf8(name)
    expect(hashName(bytes, bytes.length, seed)).toEqual({ hash, minor })
    expect(hashName(bytes, bytes.length, none)).toEqual({ hash: plainHash, minor: plainMinor })
  })
})

describe('times', () => {
  const range = { min: -(2 ** 31), max: 2 ** 34 - 2 ** 31 - 1 }
  test('of 34 bits and nanoseconds come back', async () => {
    await fc.assert(
      fc.property(fc.integer(range), fc.nat(999_999_999), (seconds, nanoseconds) => {
        const time = { seconds, nanoseconds }
        expect(clampTime(time)).toEqual(time)
        expect(decodeTime(timeLow(seconds), timeExtra(seconds, nanoseconds))).toEqual(time)
      }),
    )
  })

  test('outside of them move to the nearest', () => {
    expect(clampTime({ seconds: -1e12, nanoseconds: 5 })).toEqual({ seconds: range.min, nanoseconds: 0 })
    expect(clampTime({ seconds: 1e12, nanoseconds: 5 }).seconds).toBe(range.max)
  })
})

test('device numbers come back, the small ones in the old form', async () => {
  expect(toHex(encodeDevice({ major: 5, minor: 1 }).subarray(0, 8))).toBe('0105000000000000')
  expect(toHex(encodeDevice({ major: 259, minor: 70_000 }).subarray(0, 8))).toBe('0000000070031111')
  await fc.assert(
    fc.property(fc.nat(0xfff), fc.nat(0xf_ffff), (major, minor) => {
      expect(decodeDevice(encodeDevice({ major, minor }))).toEqual({ major, minor })
    }),
  )
})

test('bits are set from and to any place', async () => {
  await fc.assert(
    fc.property(fc.nat(80), fc.nat(80), (from, length) => {
      const bitmap = new Uint8Array(20)
      setBits(bitmap, from, from + length)
      const set = [...Array(160).keys()].filter((bit) => ((bitmap[bit >>> 3] as number) >>> (bit & 7)) & 1)
      expect(set).toEqual(Array.from({ length }, (_, index) => from + index))
    }),
  )
})

test('copies of the superblock lie in groups 0, 1 and powers of 3, 5 and 7', () => {
  const groups = [...Array(130).keys()].filter(hasSuperblock)
  expect(groups).toEqual([0, 1, 3, 5, 7, 9, 25, 27, 49, 81, 125])
})

describe('POSIX ACLs', () => {
  // user::rwx, user:7:r-x, group::r-x, mask::r-x, other::---
  const shown = fromHex(
    '02000000' +
      '01000700ffffffff' +
      '0200050007000000' +
      '04000500ffffffff' +
      '10000500ffffffff' +
      '20000000ffffffff',
  )
  const kept = fromHex('01000000' + '01000700' + '0200050007000000' + '04000500' + '10000500' + '20000000')

  test('have one form in archives and another on disk', () => {
    expect(aclToDisk(shown)).toEqual(kept)
    expect(aclFromDisk(kept)).toEqual(shown)
  })

  test.each([
    ['nothing', new Uint8Array()],
    ['the other version', kept],
    ['a cut entry', shown.subarray(0, 9)],
    ['an unknown tag', fromHex('0200000003000700ffffffff')],
  ])('of %s are refused', (_, value) => {
    expect(aclToDisk(value)).toBeUndefined()
  })
})

describe('extended attributes', () => {
  const name = fc
    .tuple(fc.constantFrom('user', 'trusted', 'security', 'system'), fc.stringMatching(/^[a-z.]{1,30}$/))
    .map(([namespace, rest]) => `${namespace}.${rest}`)
    .filter((text) => !text.startsWith('system.posix_acl') && text !== 'system.richacl')
  const arbitrary = fc.dictionary(name, fc.uint8Array({ maxLength: 120 }), { maxKeys: 12 })

  function decode({ body, block }: ReturnType<typeof encodeXattrs>): Map<string, Uint8Array> {
    const found = new Map<string, Uint8Array>()
    if (body) decodeXattrBody(body, 0, found)
    if (block) decodeXattrBlock(block, 0, found)
    return found
  }

  test('come back, whatever their order was', async () => {
    await fc.assert(
      fc.property(arbitrary, (values) => {
        const entries = Object.entries(values)
        const encoded = encodeXattrs(new Map(entries), 'x', 4096)
        expect(new Map([...decode(encoded)].sort())).toEqual(new Map(entries.sort()))
        expect(encodeXattrs(new Map(entries.reverse()), 'x', 4096)).toEqual(encoded)
      }),
    )
  })

  test('damaged are FormatErrors', async () => {
    const values = new Map([1, 2, 3, 4].map((index) => [`user.name${index}`, new Uint8Array(90).fill(index)]))
    const { block } = encodeXattrs(values, 'x', 1024)
    await fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(1023), fc.nat(255)), { minLength: 1 }), (flips) => {
        const bytes = (block as Uint8Array).slice()
        for (const [at, value] of flips) bytes[at] = value
        try {
          decodeXattrBlock(bytes, 0, new Map())
        } catch (error) {
          expect(error).toMatchObject({ name: 'FormatError' })
        }
      }),
    )
  })

  test.each([
    ['an unknown namespace', 'com.example', 1, 'EXT4_XATTR_INVALID'],
    ['an empty name', 'user.', 1, 'EXT4_XATTR_INVALID'],
    ['a value that is no ACL', 'system.posix_acl_access', 7, 'EXT4_XATTR_INVALID'],
    ['more than a block', 'user.large', 4080, 'EXT4_XATTR_NO_SPACE'],
  ])('of %s are refused', (_, key, length, code) => {
    const values = new Map([[key, new Uint8Array(length)]])
    expect(() => encodeXattrs(values, 'etc/file', 4096)).toThrowError(
      expect.objectContaining({ code, message: expect.stringContaining('/etc/file') }),
    )
  })
})
