import { BootableError, compareBytewise, FormatError, toHex } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isChecksum, objectPath, parseObjectPath } from '../../src/object/checksum.ts'
import { decodeCommit, encodeCommit } from '../../src/object/commit.ts'
import { decodeDirmeta, encodeDirmeta } from '../../src/object/dirmeta.ts'
import { decodeDirtree, encodeDirtree, isFileName } from '../../src/object/dirtree.ts'
import {
  decodeCommitmeta,
  encodeCommitmeta,
  type Metadata,
  type MetadataValue,
} from '../../src/object/metadata.ts'
import { decodeXattrs, encodeXattrs } from '../../src/object/xattrs.ts'

const checksum = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(toHex)
const text = fc.string({ unit: 'grapheme', maxLength: 300 }).filter((value) => !value.includes('\0'))
const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).filter(isFileName)
const uint32 = fc.nat(0xffff_ffff)

/** Sorted as the objects are, so that a decoded map also has the same order. */
function sortedMap<T>(key: fc.Arbitrary<string>, value: fc.Arbitrary<T>): fc.Arbitrary<Map<string, T>> {
  return fc
    .uniqueArray(fc.tuple(key, value), { maxLength: 12, selector: ([one]) => one })
    .map((list) => new Map(list.sort(([a], [b]) => compareBytewise(a, b))))
}

const xattrName = fc.stringMatching(/^(user|security|trusted)\.[a-z_]{1,12}$/)
const xattrs = sortedMap(xattrName, fc.uint8Array({ minLength: 1, maxLength: 300 }))

const metadataValue: fc.Arbitrary<MetadataValue> = fc.oneof(
  text,
  fc.boolean(),
  fc.uint8Array({ maxLength: 300 }),
  fc.array(text, { maxLength: 4 }),
  uint32.map((value) => ({ type: 'u', value }) as const),
  fc.nat(Number.MAX_SAFE_INTEGER).map((value) => ({ type: 't', value }) as const),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => ({ type: 'a{sv}', bytes })),
)
const metadata: fc.Arbitrary<Metadata> = fc
  .uniqueArray(fc.tuple(text, metadataValue), { maxLength: 6, selector: ([key]) => key })
  .map((list) => new Map(list))

const commit = fc
  .record({
    metadata,
    parent: fc.option(checksum, { nil: undefined }),
    subject: text,
    body: text,
    timestamp: fc.nat(Number.MAX_SAFE_INTEGER),
    tree: checksum,
    meta: checksum,
  })
  .map(({ parent, ...rest }) => (parent === undefined ? rest : { ...rest, parent }))

const dirmeta = fc.record({ uid: uint32, gid: uint32, mode: fc.nat(0o7777), xattrs })
const dirtree = fc.record({
  files: sortedMap(
    name.map((one) => `f${one}`),
    checksum,
  ),
  directories: sortedMap(
    name.map((one) => `d${one}`),
    fc.record({ tree: checksum, meta: checksum }),
  ),
})

interface Format<T> {
  readonly values: fc.Arbitrary<T>
  encode(value: T): Uint8Array
  decode(bytes: Uint8Array): T
}

const formats: [string, Format<never>][] = [
  ['xattrs', { values: xattrs, encode: encodeXattrs, decode: decodeXattrs } as never],
  ['dirmeta', { values: dirmeta, encode: encodeDirmeta, decode: decodeDirmeta } as never],
  ['dirtree', { values: dirtree, encode: encodeDirtree, decode: decodeDirtree } as never],
  ['commit', { values: commit, encode: encodeCommit, decode: decodeCommit } as never],
  ['commitmeta', { values: metadata, encode: encodeCommitmeta, decode: decodeCommitmeta } as never],
]

describe.each(formats)('%s', (kind, { values, encode, decode }) => {
  test('reads back as it was', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(decode(encode(value))).toEqual(value)
      }),
    )
  })

  test('cut short or with a bit flipped is refused, or is the one form of another object', () => {
    const damage = fc.tuple(values, fc.nat(), fc.nat(7), fc.boolean())
    fc.assert(
      fc.property(damage, ([value, place, bit, cut]) => {
        const whole = encode(value)
        const bytes = cut ? whole.slice(0, place % (whole.length + 1)) : whole.slice()
        if (!cut && bytes.length > 0) bytes[place % bytes.length]! ^= 1 << bit
        let decoded: never
        try {
          decoded = decode(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError)
          return
        }
        // Attributes without a value are read, but never written.
        const hasEmpty = (kind === 'xattrs' || kind === 'dirmeta') && holdsEmptyValue(decoded)
        if (!hasEmpty) expect(encode(decoded)).toEqual(bytes)
      }),
      { numRuns: 600 },
    )
  })
})

function holdsEmptyValue(decoded: unknown): boolean {
  const map = decoded instanceof Map ? decoded : (decoded as { xattrs: Map<string, Uint8Array> }).xattrs
  return [...map.values()].some((value) => value.length === 0)
}

test('a directory of 700 entries and metadata above 64 KiB are those of the real ostree', () => {
  const sha256 = (bytes: Uint8Array) => toHex(nodeRuntime.createHash('sha256').update(bytes).digest())
  const hello = '44f778e59f0a4748d6b0c90a47347212a231c4ad1e8f7ea5c5dffc7749153a6b'
  const files = new Map(Array.from({ length: 700 }, (_, index) => [`file-${index}`, hello]))
  const tree = encodeDirtree({ files, directories: new Map() })
  expect(tree.length).toBe(30_692)
  expect(sha256(tree)).toBe('c9cf0361671626cf085eb90c86d053ccff01866e2e96cab21bbaf09a52e08066')
  expect(decodeDirtree(tree).files).toEqual(files)

  const commit = {
    metadata: new Map([
      ['long', 'x'.repeat(70_000)],
      ['after', 'y'],
    ]),
    subject: '',
    body: '',
    timestamp: 0,
    tree: sha256(tree),
    meta: '446a0ef11b7cc167f3b603e585c7eeeeb675faa412d5ec73f62988eb0b6c5488',
  }
  expect(sha256(encodeCommit(commit))).toBe(
    'fd28e3f5b60077eff6542b5125855ea8ac0d48e24df30016125e883daff100c0',
  )
  expect(decodeCommit(encodeCommit(commit))).toEqual(commit)
})

test('extended attributes are sorted, and those without a value left out', () => {
  const value = Uint8Array.of(1)
  const given = new Map([
    ['user.b', value],
    ['user.empty', new Uint8Array(0)],
    ['user.a', value],
  ])
  expect([...decodeXattrs(encodeXattrs(given)).keys()]).toEqual(['user.a', 'user.b'])
  expect(() => encodeXattrs(new Map([['', value]]))).toThrow(/named ""/)
  expect(() => encodeXattrs(new Map([['a\0b', value]]))).toThrow(BootableError)
})

test('what no object may hold is refused', () => {
  const root = { tree: 'a'.repeat(64), meta: 'b'.repeat(64) }
  for (const bad of ['', '.', '..', 'a/b', 'a\0', '\ud800']) {
    expect(() => encodeDirtree({ files: new Map([[bad, root.tree]]), directories: new Map() })).toThrow(
      expect.objectContaining({ code: 'OSTREE_INVALID_NAME' }),
    )
  }
  const both = { files: new Map([['x', root.tree]]), directories: new Map([['x', root]]) }
  expect(() => decodeDirtree(encodeDirtree(both))).toThrow(/a file and a directory/)
  const commit = { metadata: new Map(), subject: 'a\0b', body: '', timestamp: 0, ...root }
  expect(() => encodeCommit(commit)).toThrow(expect.objectContaining({ code: 'OSTREE_INVALID_TEXT' }))
  const file = encodeDirmeta({ uid: 0, gid: 0, mode: 0, xattrs: new Map() })
  file[10] = 0x81
  expect(() => decodeDirmeta(file)).toThrow(/not the mode of a directory/)
})

test('metadata of other types is kept as it is', () => {
  const large: MetadataValue = { type: 't', bytes: new Uint8Array(8).fill(0xff) }
  const metadata = new Map([['large', large]])
  expect(decodeCommitmeta(encodeCommitmeta(metadata))).toEqual(metadata)
})

test('object paths', () => {
  const checksum = `ab${'0'.repeat(62)}`
  expect(objectPath(checksum, 'dirtree')).toBe(`ab/${'0'.repeat(62)}.dirtree`)
  expect(parseObjectPath(objectPath(checksum, 'commitmeta'))).toEqual({ checksum, type: 'commitmeta' })
  for (const path of ['ab/cd.file', `AB/${'0'.repeat(62)}.file`, `ab/${'0'.repeat(62)}.payload-link`]) {
    expect(parseObjectPath(path)).toBeUndefined()
  }
  expect(isChecksum(checksum)).toBe(true)
  expect(isChecksum(`${checksum}\n`)).toBe(false)
})
