import { FormatError, fromHex, toHex, utf8 } from '@bootable/bytes'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { boolean, bytes, string, uint32, uint32be, uint64, uint64be } from '../../src/gvariant/basic.ts'
import type { Codec } from '../../src/gvariant/codec.ts'
import { array, entry, tuple } from '../../src/gvariant/container.ts'
import { framingWidth, readFraming, storedWidth, writeFraming } from '../../src/gvariant/framing.ts'
import { isType, variant } from '../../src/gvariant/variant.ts'

describe('serialized forms', () => {
  test.each<[string, Codec<never>, unknown, string]>([
    ['s', string as never, 'ä', 'c3a400'],
    ['b', boolean as never, true, '01'],
    ['u', uint32 as never, 7, '07000000'],
    ['u', uint32be as never, 7, '00000007'],
    ['t', uint64 as never, 7, '0700000000000000'],
    ['t', uint64be as never, 2 ** 40, '0000010000000000'],
    ['ay', bytes as never, fromHex('0102'), '0102'],
    ['as', array(string) as never, [], ''],
    ['as', array(string) as never, ['a', 'bc'], '610062630002' + '05'],
    ['(say)', tuple(string, bytes) as never, ['a', fromHex('ff')], '6100ff02'],
    // The specification's own example: a string, padding, and a fixed last member.
    ['(su)', tuple(string, uint32) as never, ['hi', 1], '6869000001000000' + '03'],
    ['v', variant as never, { type: 'u', bytes: fromHex('01000000') }, '010000000075'],
    [
      '{sv}',
      entry(string, variant) as never,
      ['k', { type: 'b', bytes: fromHex('01') }],
      '6b00000000000000' + '010062' + '02',
    ],
  ])('%s', (type, codec, value, hex) => {
    expect(codec.type).toBe(type)
    expect(toHex(codec.encode(value as never))).toBe(hex)
    expect(codec.decode(fromHex(hex), 0)).toEqual(value)
  })
})

describe('framing offsets', () => {
  test.each([
    [254, 1, 1],
    [255, 1, 2],
    [65_533, 1, 2],
    [65_534, 1, 4],
    [0xffff_ffff - 4, 1, 4],
    [0xffff_ffff - 3, 1, 8],
    [700, 0, 0],
  ])('%i bytes and %i offsets take %i bytes each', (body, count, width) => {
    expect(framingWidth(body, count)).toBe(width)
    if (count > 0) expect(storedWidth(body + count * width)).toBe(width)
  })

  test.each([1, 2, 4, 8])('of %i bytes are little-endian', (width) => {
    const value = width === 8 ? 2 ** 40 + 1 : 2 ** (8 * width) - 2
    const written = new Uint8Array(width)
    writeFraming(written, 0, width, value)
    expect(readFraming(written, 0, width)).toBe(value)
  })

  test('grow with the container, and are read back', () => {
    const strings = array(string)
    for (const [length, size] of [
      [253, 255], // 254 bytes and one offset of 1
      [254, 257], // 255 bytes and one offset of 2
      [65_532, 65_535],
      [65_533, 65_538],
    ] as const) {
      const encoded = strings.encode(['x'.repeat(length)])
      expect(encoded.length).toBe(size)
      expect(strings.decode(encoded, 0)).toEqual(['x'.repeat(length)])
    }
  })
})

test('type strings', () => {
  for (const type of ['s', 'a{sv}', '(uuuusa(ayay))', 'aaay', 'mv', 'a{s(bt)}', '()'])
    expect(isType(type)).toBe(true)
  const wrong = ['', 'ss', 'a', '(', ')', '(s', 'a{vs}', 'a{s}', '{sv', 'z', '*', `${'a'.repeat(200)}s`]
  for (const type of wrong) expect(isType(type), type).toBe(false)
})

describe('what is not in normal form is refused', () => {
  const pairs = array(entry(string, variant))
  test.each<[string, Codec<never>, string]>([
    ['text without an end', string as never, '6162'],
    ['text with a zero byte inside', string as never, '61006200'],
    ['text that is no UTF-8', string as never, 'ff00'],
    ['no text', string as never, ''],
    ['a boolean of 2', boolean as never, '02'],
    ['a number of three bytes', uint32 as never, '010203'],
    ['a number above 2^53', uint64 as never, 'ffffffffffffffff'],
    ['an array whose elements end behind it', array(string) as never, '6100ff'],
    ['ends of elements that go down', array(string) as never, '61006200' + '0402'],
    ['a tuple without room for its offsets', tuple(bytes, bytes, string) as never, '00'],
    ['a tuple with bytes left over', tuple(string, uint32) as never, '686900000100000000' + '03'],
    ['padding that is not zero', tuple(string, uint32) as never, '6869000101000000' + '03'],
    ['a key with padding that is not zero', pairs as never, '6b00000001000000' + '010062' + '02' + '0c'],
    ['a variant without a type', variant as never, '010200'],
    ['a variant of two types', variant as never, '01006262'],
    ['an empty variant', variant as never, ''],
  ])('%s', (_, codec, hex) => {
    expect(() => codec.decode(fromHex(hex), 0)).toThrow(FormatError)
  })

  test('and the message says where', () => {
    const encoded = array(tuple(string, bytes)).encode([
      ['first', utf8('1')],
      ['second', utf8('2')],
    ])
    encoded[10] = 0xff
    expect(() => array(tuple(string, bytes)).decode(encoded, 100)).toThrow(/GVariant: s at byte 108: .*UTF-8/)
  })
})

test('any bytes decode within bounded time, or not at all', () => {
  const codec = tuple(
    array(entry(string, variant)),
    bytes,
    array(tuple(string, bytes)),
    string,
    uint64be,
    bytes,
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (input) => {
      try {
        expect(codec.encode(codec.decode(input, 0))).toEqual(input)
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError)
      }
    }),
    { numRuns: 2000 },
  )
})
