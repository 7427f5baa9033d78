import { utf8 } from '@bootable/bytes'
import { describe, expect, test } from 'vitest'
import { decodeDirectoryBlock, encodeDirectory, planDirectory } from '../../src/erofs/directory.ts'
import * as format from '../../src/erofs/format.ts'
import { createXattrPool, encodeXattrBody, planXattrBody } from '../../src/erofs/xattrs.ts'
import { xxh32 } from '../../src/erofs/xxhash.ts'

describe('struct tables', () => {
  test('have the sizes and the far fields of fs/erofs/erofs_fs.h', () => {
    expect(format.SuperBlock.size).toBe(128)
    expect(format.SuperBlock.fields.xattrFilterReserved.offset).toBe(0x68)
    expect(format.InodeCompact.size).toBe(32)
    expect(format.InodeExtended.size).toBe(64)
    expect(format.InodeExtended.fields.nlink.offset).toBe(0x2c)
    expect(format.Dirent.size).toBe(12)
    expect(format.XattrIbodyHeader.size).toBe(12)
  })
})

// Vectors of the xxHash specification's reference implementation.
test.each([
  ['', 0, 0x02cc5d05],
  ['', 0x9e3779b1, 0x36b78ae7],
  ['a', 0, 0x550d7456],
  ['abc', 0, 0x32d153ff],
  ['Nobody inspects the spammish repetition', 0, 0xe2293b2f],
])('XXH32 of %j with seed %d', (text, seed, hash) => {
  expect(xxh32(utf8(text), seed)).toBe(hash)
})

describe('directories', () => {
  const named = (names: readonly string[]) => names.map((name) => ({ name: utf8(name), fileType: 1 }))

  test('fill one block after the other, and no name crosses', () => {
    const names = Array.from({ length: 100 }, (_, index) => `${index}`.padStart(100, 'n'))
    const plan = planDirectory(named(names))
    expect(plan).toEqual({ blocks: [0, 36, 72], last: 28 * 112 })
    const bytes = encodeDirectory(named(names), plan, (index) => index + 1000)
    expect(bytes.length).toBe(2 * 4096 + 28 * 112)
    const read = [0, 1, 2].flatMap((block) =>
      decodeDirectoryBlock(bytes.subarray(block * 4096, (block + 1) * 4096), 0, ''),
    )
    expect(read).toEqual(names.map((name, index) => ({ name, nid: index + 1000 })))
  })

  test.each([
    ['without a name', new Uint8Array(5), /5 bytes are no directory/],
    ['whose names start nowhere', new Uint8Array(40), /its names start at 0/],
    ['whose names start behind it', Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 24, 0, 1, 0), /start at 24/],
  ])('%s are refused', (_, bytes, message) => {
    expect(() => decodeDirectoryBlock(bytes, 0, 'x')).toThrow(message)
  })

  test('with a slash in a name, or no UTF-8, are refused', () => {
    const encode = (name: Uint8Array) => {
      const names = [{ name, fileType: 1 }]
      return encodeDirectory(names, planDirectory(names), () => 1)
    }
    expect(() => decodeDirectoryBlock(encode(utf8('a/b')), 0, 'x')).toThrow(/"a\/b" is no file name/)
    expect(() => decodeDirectoryBlock(encode(Uint8Array.of(0xff)), 0, 'x')).toThrow(/not UTF-8/)
  })
})

describe('extended attributes', () => {
  test('that several inodes have stand once, the last name first, the longer value first', () => {
    const pool = createXattrPool(false)
    const values: [string, string][] = [
      ['user.a', 'x'],
      ['user.a', 'longer'],
      ['user.b', 'x'],
      ['user.b', 'y'],
    ]
    for (const [name, value] of [...values, ...values]) pool.add(new Map([[name, utf8(value)]]), '')
    pool.add(new Map([['user.alone', utf8('x')]]), '')
    const { entries, size } = pool.share()
    const order = entries.map(({ name, value, shared }) => [name, new TextDecoder().decode(value), shared])
    expect(order).toEqual([
      ['user.b', 'y', 0],
      ['user.b', 'x', 8],
      ['user.a', 'longer', 16],
      ['user.a', 'x', 28],
    ])
    expect(size).toBe(36)
  })

  test('clear the bit of their name in the filter', () => {
    const pool = createXattrPool(false)
    const body = planXattrBody(pool.add(new Map([['trusted.overlay.opaque', utf8('y')]]), ''), () => '')
    const bytes = new Uint8Array(body.size)
    encodeXattrBody(bytes, 0, body, 0)
    // The bit that the kernel and libcomposefs find for overlay.opaque under trusted.
    expect(format.XattrIbodyHeader.read(bytes).nameFilter).toBe(0xffef_ffff)
  })

  test.each([
    ['system.other', 1, /no place for that name/],
    ['user.', 1, /no place for that name/],
    ['user.large', 65_536, /its value has 65536 bytes/],
    [`user.${'n'.repeat(256)}`, 1, /its name has 256 bytes/],
  ])('%s of %d bytes is refused', (name, size, message) => {
    const add = () => createXattrPool(false).add(new Map([[name, new Uint8Array(size)]]), 'path')
    expect(add).toThrow(message)
  })
})
