import {
  array,
  ascii,
  bytes,
  FormatError,
  flags64,
  struct,
  u8,
  u16,
  u16be,
  u32,
  u64,
  u64be,
} from '@bootable/bytes'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const Record = struct('record', 64, {
  kind: u8(0x00),
  count: u16(0x02),
  magic: u16be(0x04),
  size: u64(0x08),

  offset: u64be(0x10),
  features: flags64(0x18),

  name: ascii(0x20, 8),
  raw: bytes(0x28, 4),
  blocks: array(u32, 0x2c, 3),
})

const value = fc.record({
  kind: fc.nat(255),
  count: fc.nat(65_535),
  magic: fc.nat(65_535),
  size: fc.maxSafeNat(),
  offset: fc.maxSafeNat(),
  features: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  name: fc.stringMatching(/^[a-z]{0,8}$/),
  raw: fc.uint8Array({ minLength: 4, maxLength: 4 }),
  blocks: fc.array(fc.nat(2 ** 32 - 1), { minLength: 3, maxLength: 3 }),
})

describe('struct', () => {
  it('reads what it wrote', () => {
    fc.assert(
      fc.property(value, (record) => {
        expect(Record.read(Record.encode(record))).toEqual(record)
      }),
    )
  })

  it('moves a cursor from record to record', () => {
    const table = new Uint8Array(Record.size * 3)
    const cursor = Record.at(table)
    for (let index = 0; index < 3; index++) {
      cursor.base = index * Record.size
      cursor.count = index + 1
      cursor.size = 2 ** 40 + index
    }
    expect([0, 1, 2].map((index) => Record.read(table, index * 64).size - 2 ** 40)).toEqual([0, 1, 2])
    cursor.base = 64
    expect(cursor.count).toBe(2)
  })

  it('leaves the fields alone that are not given', () => {
    const record = Record.encode({ kind: 7, count: 9 })
    Record.write(record, 0, { count: 10 })
    expect(Record.read(record)).toMatchObject({ kind: 7, count: 10 })
  })

  it('refuses a table that contradicts itself', () => {
    expect(() => struct('bad', 8, { a: u32(0), b: u16(2) })).toThrow(/b at 2 overlaps a/)
    expect(() => struct('bad', 8, { a: u32(6) })).toThrow(/past the size 8/)
  })

  it('says what is missing when the bytes end early', () => {
    expect(() => Record.read(new Uint8Array(70), 10)).toThrow(FormatError)
    expect(() => Record.read(new Uint8Array(70), 10)).toThrow(
      /record: record at byte 10: 64 bytes are needed/,
    )
  })

  it('refuses 64-bit sizes that no double holds', () => {
    const record = new Uint8Array(64)
    record.fill(0xff, 8, 16)
    expect(() => Record.read(record)).toThrow(/above 2\^53/)
  })

  it('dumps what is not zero', () => {
    const record = Record.encode({ kind: 1, features: 5n, name: 'root', blocks: [0, 3, 0] })
    expect(Record.dump(record)).toBe(
      [
        'record (64 bytes)',
        '  0x000 kind = 1 (0x1)',
        '  0x018 features = 0x5',
        '  0x020 name = "root"',
        '  0x02c blocks = [0, 3 (0x3), 0]',
      ].join('\n'),
    )
  })
})
