import { FormatError, memorySource, readAll, utf8 } from '@bootable/bytes'
import { createTarParser, indexTar, memberContent } from '@bootable/oci'
import { describe, expect, test } from 'vitest'
import { archive, header, member, only, padded, parse, pax, records } from './raw-tar.ts'

const text = async (tar: Uint8Array, index = 0): Promise<string> => {
  const found = parse(tar)[index]!
  return new TextDecoder().decode(await readAll(memberContent(memorySource(tar), found)))
}

describe('header', () => {
  test('fields of ustar', () => {
    const tar = archive(
      member({ name: 'dir/file', mode: 0o4755, uid: 1000, gid: 100, mtime: 1_700_000_000 }, 'hello'),
    )
    expect(parse(tar)).toEqual([
      {
        path: 'dir/file',
        type: 'file',
        mode: 0o4755,
        uid: 1000,
        gid: 100,
        mtime: { seconds: 1_700_000_000, nanoseconds: 0 },
        size: 5,
        linkName: '',
        major: 0,
        minor: 0,
        xattrs: new Map(),
        offset: 512,
      },
    ])
  })

  test.each(['0', '\0', '7'])('type %j is a regular file', (type) => {
    expect(only(member({ type }, 'x'))).toMatchObject({ type: 'file', size: 1 })
  })

  test.each([
    ['1', 'hardlink'],
    ['2', 'symlink'],
    ['3', 'character'],
    ['4', 'block'],
    ['5', 'directory'],
    ['6', 'fifo'],
    ['D', 'directory'],
  ])('type %s is a %s', (flag, type) => {
    const found = only(header({ type: flag, linkName: 'a/b', major: 5, minor: 0o20 }))
    expect(found.type).toBe(type)
    expect(found.linkName).toBe(type.endsWith('link') ? 'a/b' : '')
    const isDevice = type === 'character' || type === 'block'
    expect([found.major, found.minor]).toEqual(isDevice ? [5, 16] : [0, 0])
  })

  test('a Version 7 directory is a name with a slash', () => {
    expect(only(header({ name: 'dir/', type: '\0', magic: '\0\0\0\0\0\0\0\0' }))).toMatchObject({
      path: 'dir',
      type: 'directory',
    })
  })

  test('a volume label is passed over, an unknown type refused', () => {
    expect(only(header({ name: 'label', type: 'V' }), header({}))).toMatchObject({ path: 'file' })
    expect(() => parse(archive(header({ type: 'M' })))).toThrow(/unknown type "M"/)
  })

  test('prefix of POSIX, none in GNU, a short one in star', () => {
    expect(only(header({ prefix: 'some/where' })).path).toBe('some/where/file')
    expect(only(header({ prefix: 'rubbish', magic: 'ustar  \0' })).path).toBe('file')
    const star = header({
      prefix: 'p',
      extra: [
        [476, '00000000001 '],
        [508, 'tar\0'],
      ],
    })
    expect(only(star).path).toBe('p/file')
  })

  test('base 256, negative times, blanks around octal', () => {
    const huge = Uint8Array.from([0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe])
    const before = Uint8Array.from([...new Array<number>(11).fill(0xff), 0xfe])
    expect(only(header({ uid: huge, gid: '  1750 \0', mtime: before }))).toMatchObject({
      uid: 4_294_967_294,
      gid: 0o1750,
      mtime: { seconds: -2, nanoseconds: 0 },
    })
    expect(() => parse(archive(header({ uid: '12x4' })))).toThrow(/uid .*not a number/)
    expect(() =>
      parse(archive(header({ uid: Uint8Array.from([0xff, 255, 255, 255, 255, 255, 255, 255]) }))),
    ).toThrow(/-1 is out of range/)
    const all = new Uint8Array(12).fill(0x7f)
    all[0] = 0xbf
    expect(() => parse(archive(header({ size: all })))).toThrow(FormatError)
  })

  test('both sums are right, others wrong', () => {
    const name = utf8('größe')
    expect(only(header({ name })).path).toBe('größe')
    expect(only(header({ name, signedSum: true })).path).toBe('größe')
    const broken = archive(header({}))
    broken[0] = 0x67
    expect(() => parse(broken)).toThrow(/not a tar archive/)
    expect(() => parse(archive(header({}), padded('no header')))).toThrow(/no header where member 1/)
  })
})

describe('names', () => {
  test.each([
    ['./usr/bin', 'usr/bin'],
    ['/usr//bin/', 'usr/bin'],
    ['././a/./b', 'a/b'],
    ['..a/b..', '..a/b..'],
    ['a.', 'a.'],
  ])('%s is %s', (name, path) => {
    expect(only(header({ name })).path).toBe(path)
  })

  test.each(['./', '/', '.'])('%s is the root', (name) => {
    expect(only(header({ name, type: '5' }))).toMatchObject({ path: '', type: 'directory' })
    expect(() => parse(archive(header({ name })))).toThrow(/a file cannot be the root/)
  })

  test.each(['../x', 'a/../b', 'a/..', '..'])('%s is refused', (name) => {
    expect(() => parse(archive(header({ name })))).toThrow(/leads out with \.\./)
    expect(() => parse(archive(header({ type: '1', linkName: name })))).toThrow(/link target.*leads out/)
    // A symbolic link may point anywhere: it is followed inside the tree.
    expect(only(header({ type: '2', linkName: name })).linkName).toBe(name)
  })

  test('bytes that are not UTF-8, NULs and empty targets are refused with the place', () => {
    const bad = archive(header({}), header({ name: Uint8Array.from([0x61, 0xff]) }))
    expect(() => parse(bad)).toThrow('tar: member 1, path at byte 512: the bytes 61ff are not UTF-8')
    expect(() => parse(archive(pax([['path', 'a\0b']]), header({})))).toThrow(/holds a NUL/)
    expect(() => parse(archive(header({ type: '2' })))).toThrow(/a symlink to nothing/)
    expect(() => parse(archive(header({ type: '1', linkName: './' })))).toThrow(/a hardlink to nothing/)
  })

  test('GNU long names', () => {
    const long = `${'d/'.repeat(200)}x`
    const tar = archive(
      member({ name: '././@LongLink', type: 'K', magic: 'ustar  \0' }, `${long}y\0`),
      member({ name: '././@LongLink', type: 'L', magic: 'ustar  \0' }, `${long}\0`),
      header({ name: long.slice(0, 100), type: '2', magic: 'ustar  \0' }),
      header({ name: 'next', magic: 'ustar  \0' }),
    )
    expect(parse(tar, 100).map(({ path, linkName }) => [path, linkName])).toEqual([
      [long, `${long}y`],
      ['next', ''],
    ])
  })
})

describe('PAX', () => {
  test('records override the header, for one member', () => {
    const extended = pax([
      ['path', 'ö/very'],
      ['uid', '4294000000'],
      ['gid', '3000000000'],
      ['mtime', '1700000000.123456789987'],
      ['atime', '1.5'],
      ['comment', 'with\nnewline=and equals'],
    ])
    const [first, second] = parse(archive(extended, header({}), header({})), 7)
    expect(first).toMatchObject({
      path: 'ö/very',
      uid: 4_294_000_000,
      gid: 3_000_000_000,
      mtime: { seconds: 1_700_000_000, nanoseconds: 123_456_789 },
    })
    expect(second).toMatchObject({ path: 'file', uid: 0 })
  })

  test.each([
    ['-1.25', -2, 750_000_000],
    ['-3', -3, 0],
    ['-0.000000001', -1, 999_999_999],
    ['0.5', 0, 500_000_000],
    ['7.', 7, 0],
  ])('mtime %s', (value, seconds, nanoseconds) => {
    expect(only(pax([['mtime', value]]), header({})).mtime).toEqual({ seconds, nanoseconds })
  })

  test('size overrides the header for the content and for the way to the next one', async () => {
    // CVE-2025-62518: the header says nothing follows, and what follows looks like another header.
    const hidden = member({ name: 'hidden' }, 'x')
    const tar = archive(
      pax([['size', String(hidden.length)]]),
      header({ size: 0 }),
      hidden,
      member({ name: 'b' }),
    )
    expect(parse(tar).map(({ path, size }) => [path, size])).toEqual([
      ['file', hidden.length],
      ['b', 0],
    ])
    // The header of a long name in between is not what the record is about.
    const between = archive(
      pax([['size', '3']]),
      member({ type: 'L', name: '././@LongLink' }, 'long\0'),
      header({ size: 0 }),
      padded('abc'),
    )
    expect(parse(between)).toMatchObject([{ path: 'long', size: 3 }])
    expect(await text(between)).toBe('abc')
  })

  test('global records hold until they are deleted', () => {
    const tar = archive(
      pax(
        [
          ['uid', '7'],
          ['gid', '8'],
        ],
        'g',
      ),
      header({ name: 'a' }),
      pax([['uid', '9']]),
      header({ name: 'b' }),
      pax([['uid', '']], 'g'),
      header({ name: 'c', uid: 1 }),
      pax([['gid', '']]),
      header({ name: 'd' }),
    )
    expect(parse(tar).map(({ uid, gid }) => [uid, gid])).toEqual([
      [7, 8],
      [9, 8],
      [1, 8],
      [0, 0],
    ])
    expect(() => parse(archive(pax([['SCHILY.xattr.user.a', 'b']], 'g')))).toThrow(/for all members/)
  })

  test('xattrs are bytes, and an empty one is there', () => {
    const value = Uint8Array.from([0, 255, 10, 61, 128])
    const found = only(
      pax([
        ['SCHILY.xattr.security.capability', value],
        ['SCHILY.xattr.user.empty', ''],
        ['LIBARCHIVE.xattr.user.a%3Db%20c', 'AP8KPYA'],
      ]),
      header({}),
    )
    expect([...found.xattrs]).toEqual([
      ['security.capability', value],
      ['user.empty', new Uint8Array(0)],
      ['user.a=b c', value],
    ])
    expect(() => parse(archive(pax([['LIBARCHIVE.xattr.a', '!']]), header({})))).toThrow(/base64/)
    expect(() => parse(archive(pax([['SCHILY.xattr.', '']]), header({})))).toThrow(/cannot be the name/)
  })

  test('records of unknown vendors may hold anything', () => {
    const odd = Uint8Array.from([0, 255, 254, 10, 61])
    const key = utf8('XVENDOR.')
    const raw = records([['XVENDOR.k', odd]])
    raw[raw.indexOf(key[7]!) + 1] = 0xff // a key that is not UTF-8
    expect(only(member({ type: 'x' }, raw), pax([['V.a', odd]]), header({})).path).toBe('file')
  })

  test.each([
    ['no length', 'path=a\n'],
    ['a length beyond the end', '99 path=a\n'],
    ['a length that is too short', '5 path=a\n'],
    ['no newline', '9 path=ab'],
    ['no key', '5 =a\n'],
    ['no equals sign', '7 path\n'],
    ['nothing but a length', '3\n'],
    ['zero', '0 a=b\n'],
    ['a sign', '+9 a=bcd\n'],
  ])('%s is an error, not a record to skip', (_, data) => {
    expect(() => parse(archive(member({ type: 'x' }, data), header({})))).toThrow(FormatError)
  })

  test.each([
    ['size', '-1'],
    ['size', '0x10'],
    ['uid', '4294967295'],
    ['mtime', 'now'],
    ['mtime', '1e9'],
    ['size', '99999999999999999999'],
  ])('%s=%s is an error', (key, value) => {
    expect(() => parse(archive(pax([[key, value]]), header({})))).toThrow(FormatError)
  })
})

describe('hard links', () => {
  test('a size without a body, as old tars write it', () => {
    const link = header({ name: 'b', type: '1', linkName: './a', size: 700 })
    const tar = archive(member({ name: 'a' }, 'x'), link, member({ name: 'c' }, 'y'))
    expect(parse(tar).map(({ path }) => path)).toEqual(['a', 'b', 'c'])
    expect(parse(archive(link)).map(({ path, linkName }) => [path, linkName])).toEqual([['b', 'a']])
  })

  test('a body, as pax -o linkdata writes it', () => {
    const body = 'z'.repeat(700)
    const tar = archive(
      pax([['size', '700']]),
      member({ name: 'b', type: '1', linkName: 'a' }, body),
      member({ name: 'c' }, 'y'),
    )
    expect(parse(tar, 300).map(({ path, size }) => [path, size])).toEqual([
      ['b', 0],
      ['c', 1],
    ])
  })

  test.each(['2', '3', '4', '5', '6'])('a size in a header of type %s means nothing', (type) => {
    const tar = archive(header({ type, linkName: 'x', size: 512 }), header({ name: 'next' }))
    expect(parse(tar)[1]).toMatchObject({ path: 'next' })
  })
})

describe('sparse files', () => {
  const octal = (value: number): string => `${value.toString(8).padStart(11, '0')}\0`
  const pairs = (offset: number, ...values: number[]): (readonly [number, string])[] =>
    values.map((value, index) => [offset + index * 12, octal(value)] as const)

  test('the old GNU format, its map in two blocks', async () => {
    const first = pairs(386, 0, 1, 600, 2, 1200, 1, 1800, 1)
    const extension = new Uint8Array(512)
    for (const [offset, data] of pairs(0, 2400, 1, 3000, 0)) extension.set(utf8(data), offset)
    const tar = archive(
      header({
        type: 'S',
        size: 6,
        magic: 'ustar  \0',
        extra: [...first, [482, '\x01'], [483, octal(3000)]],
      }),
      extension,
      padded('abcdef'),
      header({ name: 'next' }),
    )
    const found = parse(tar, 500)
    expect(found[0]).toMatchObject({ size: 3000, offset: 1024 })
    expect(found[1]).toMatchObject({ path: 'next' })
    const content = (await text(tar)).replaceAll('\0', '')
    expect(content).toBe('abcdef')
    expect((await text(tar)).indexOf('b')).toBe(600)
  })

  const data = padded('abc')
  const expected = [
    { offset: 100, length: 1, position: expect.any(Number) },
    { offset: 2000, length: 2, position: expect.any(Number) },
  ]

  test('PAX formats 0.0, 0.1 and 1.0', async () => {
    const sparse = (...entries: (readonly [string, string])[]): (readonly [string, string])[] =>
      entries.map(([key, value]) => [`GNU.sparse.${key}`, value] as const)
    const tars = [
      archive(
        pax(
          sparse(
            ['size', '4000'],
            ['numblocks', '2'],
            ['offset', '100'],
            ['numbytes', '1'],
            ['offset', '2000'],
            ['numbytes', '2'],
          ),
        ),
        header({ name: 'name', size: 3 }),
        data,
      ),
      archive(
        pax(sparse(['size', '4000'], ['numblocks', '2'], ['map', '100,1,2000,2'], ['name', 'name'])),
        header({ name: 'GNUSparseFile.1/name', size: 3 }),
        data,
      ),
      archive(
        pax(sparse(['major', '1'], ['minor', '0'], ['name', 'name'], ['realsize', '4000'])),
        header({ name: 'GNUSparseFile.1/name', size: 515 }),
        padded('2\n100\n1\n2000\n2\n'),
        data,
      ),
    ]
    for (const tar of tars) {
      expect(parse(tar, 99)).toMatchObject([{ path: 'name', size: 4000, sparse: expected }])
      const content = await text(tar)
      expect([content[100], content.slice(2000, 2002), content.length]).toEqual(['a', 'bc', 4000])
    }
  })

  test.each([
    ['overlapping stretches', '0,10,5,1'],
    ['a stretch past the end', '3999,2'],
    ['more than is stored', '0,4'],
    ['an odd list', '0,1,2'],
    ['words', 'a,b'],
  ])('%s are refused', (_, map) => {
    const tar = archive(
      pax([
        ['GNU.sparse.size', '4000'],
        ['GNU.sparse.map', map],
      ]),
      header({ size: 3 }),
      data,
    )
    expect(() => parse(tar)).toThrow(FormatError)
  })

  test('a map that goes on past its data, or asks for the impossible', () => {
    const tar = (map: string, size: number): Uint8Array =>
      archive(
        pax([
          ['GNU.sparse.major', '1'],
          ['GNU.sparse.minor', '0'],
          ['GNU.sparse.realsize', '9'],
        ]),
        header({ size }),
        padded(map),
      )
    expect(() => parse(tar(`999\n${'0\n'.repeat(1998)}`, 512), 400)).toThrow(FormatError)
    expect(() => parse(tar('x', 512))).toThrow(FormatError)
    expect(() => parse(tar('9999999999999\n', 512))).toThrow(/is the most/)
    expect(() => parse(archive(pax([['GNU.sparse.major', '2']]), header({})))).toThrow(FormatError)
  })
})

describe('the end', () => {
  test('what follows two zero blocks is counted and not read', () => {
    const members: string[] = []
    const parser = createTarParser({ onMember: ({ path }) => members.push(path) })
    parser.push(archive(header({ name: 'a' })))
    expect(parser.ended).toBe(true)
    parser.push(new Uint8Array(10_240))
    expect(parser.trailing).toBe(0)
    parser.push(archive(header({ name: 'b' })))
    parser.end()
    expect(members).toEqual(['a'])
    expect(parser.trailing).toBe(1536)
  })

  test('the end may be missing, and so may the last padding; nothing else', () => {
    const tar = member({}, 'x'.repeat(600))
    expect(parse(tar)).toHaveLength(1)
    expect(parse(tar.subarray(0, 512 + 600))).toHaveLength(1)
    expect(parse(new Uint8Array(0))).toEqual([])
    expect(() => parse(tar.subarray(0, 512 + 599))).toThrow(/ends within member 0/)
    expect(() => parse(tar.subarray(0, 100))).toThrow(/ends within member 0/)
    expect(() => parse(pax([['path', 'a']]))).toThrow(/ends within member 0/)
    expect(() => parse(archive(pax([['path', 'a']])))).toThrow(/between a header and its member/)
    expect(() => parse(archive(new Uint8Array(512), header({})))).toThrow(/single zero block/)
  })
})

describe('limits', () => {
  const parseWith = (limits: object, ...parts: Uint8Array[]): void => {
    const parser = createTarParser({ onMember() {}, limits })
    parser.push(archive(...parts))
  }

  test.each([
    ['entries', { entries: 1 }, [header({}), header({})]],
    ['pathLength', { pathLength: 3 }, [header({})]],
    ['depth', { depth: 2 }, [header({ name: 'a/b/c' })]],
    ['extendedHeader', { extendedHeader: 5 }, [pax([['path', 'a']]), header({})]],
    ['xattrSize', { xattrSize: 1 }, [pax([['SCHILY.xattr.user.a', 'bb']]), header({})]],
    ['metadata', { metadata: 7 }, [header({}), header({})]],
  ])('%s', (name, limits, parts) => {
    expect(() => parseWith(limits, ...parts)).toThrow(
      expect.objectContaining({ code: 'LIMIT_EXCEEDED', details: expect.objectContaining({ limit: name }) }),
    )
  })

  test('a header that announces gigabytes of names takes no memory', () => {
    expect(() => parseWith({}, header({ type: 'L', size: 2 ** 32 }))).toThrow(/1 MiB is the most/)
  })
})

describe('indexTar', () => {
  test('hops over contents', async () => {
    const tar = archive(member({ name: 'a' }, new Uint8Array(300_000)), member({ name: 'b' }, 'x'))
    let read = 0
    const source = memorySource(tar)
    const members = await indexTar({
      ...source,
      read(offset, target) {
        read += target.length
        return source.read(offset, target)
      },
    })
    expect(members).toEqual(parse(tar))
    expect(read).toBeLessThan(140_000)
  })

  test('refuses an archive that was cut inside a content', async () => {
    const tar = member({ name: 'a' }, new Uint8Array(300_000))
    await expect(indexTar(memorySource(tar.subarray(0, 200_000)))).rejects.toThrow(/ends within member 0/)
  })
})
