import { memorySource } from '@bootable/bytes'
import type { TarMember } from '@bootable/oci'
import { createTree, lookup } from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import { DEFAULT_LAYER_LIMITS } from '../../src/layer/limits.ts'
import { createLayeredTree } from '../../src/unpack/apply-layer.ts'
import { archive, header, parse, pax } from '../layer/raw-tar.ts'
import { dump, layer, list, unpack } from './layers.ts'

/** Cases on which the common engines disagree: lower layer, upper layer, what a container sees. */
const cases: readonly [name: string, lower: string[], upper: string[], expected: string[]][] = [
  [
    'a whiteout before its successor',
    ['d/', 'd/foo=old', 'd/keep=k'],
    ['d/.wh.foo', 'd/foo=new'],
    ['d/', 'd/foo=new', 'd/keep=k'],
  ],
  [
    'a whiteout after its successor',
    ['d/', 'd/foo=old', 'd/keep=k'],
    ['d/foo=new', 'd/.wh.foo'],
    ['d/', 'd/foo=new', 'd/keep=k'],
  ],
  ['a directory removed and made again', ['x/', 'x/old=o'], ['.wh.x', 'x/', 'x/new=n'], ['x/', 'x/new=n']],
  ['the same, told last', ['x/', 'x/old=o'], ['x/', 'x/new=n', '.wh.x'], ['x/', 'x/new=n']],
  [
    'an opaque marker first',
    ['a/', 'a/b/', 'a/b/bar=o'],
    ['a/b/.wh..wh..opq', 'a/b/foo=n'],
    ['a/', 'a/b/', 'a/b/foo=n'],
  ],
  [
    'an opaque marker last',
    ['a/', 'a/b/', 'a/b/bar=o'],
    ['a/b/', 'a/b/foo=n', 'a/b/.wh..wh..opq'],
    ['a/', 'a/b/', 'a/b/foo=n'],
  ],
  [
    'an opaque marker over whole subtrees',
    ['a/', 'a/b/', 'a/b/c/', 'a/b/c/d=o', 'a/e/', 'a/e/f=o'],
    ['a/b/c/g=n', 'a/.wh..wh..opq'],
    ['a/', 'a/b/', 'a/b/c/', 'a/b/c/g=n'],
  ],
  ['an opaque root', ['a=1', 'b/', 'b/c=2'], ['d=3', '.wh..wh..opq'], ['d=3']],
  [
    'an opaque marker in a directory that is new',
    ['a=1'],
    ['n/', 'n/.wh..wh..opq', 'n/x=1'],
    ['a=1', 'n/', 'n/x=1'],
  ],
  [
    'one name of a linked group replaced',
    ['t1=old', 't2==t1', 't3==t1'],
    ['t1=new'],
    ['t1=new', 't2=old', 't3==t2'],
  ],
  ['a hard link into a lower layer', ['t1=one'], ['t2==t1'], ['t1=one', 't2==t1']],
  ['one name of a linked group removed', ['t1=one', 't2==t1'], ['.wh.t1'], ['t2=one']],
  ['a lower name linked and removed', ['t1=one'], ['t2==t1', '.wh.t1'], ['t2=one']],
  ['a hard link to a symbolic link', ['s->t', 't=1'], ['h==s'], ['h->t', 's==h', 't=1']],
  [
    'a file below a symbolic link',
    ['usr/', 'usr/lib/', 'lib->usr/lib'],
    ['lib/x=1'],
    ['lib->usr/lib', 'usr/', 'usr/lib/', 'usr/lib/x=1'],
  ],
  [
    'a whiteout below a symbolic link',
    ['usr/', 'usr/lib/', 'usr/lib/x=1', 'lib->/usr/lib'],
    ['lib/.wh.x'],
    ['lib->/usr/lib', 'usr/', 'usr/lib/'],
  ],
  [
    'a link that leads out and back in',
    ['a/', 'a/l->../../../b', 'b/'],
    ['a/l/x=1'],
    ['a/', 'a/l->../../../b', 'b/', 'b/x=1'],
  ],
  [
    'a link to a directory that is not there',
    ['l->some/where'],
    ['l/x=1'],
    ['l->some/where', 'some/', 'some/where/', 'some/where/x=1'],
  ],
  [
    'a directory over a symbolic link',
    ['usr/', 'usr/lib/', 'usr/lib/y=1', 'lib->usr/lib'],
    ['lib/', 'lib/x=1'],
    ['lib/', 'lib/x=1', 'usr/', 'usr/lib/', 'usr/lib/y=1'],
  ],
  ['a directory becomes a file', ['d/', 'd/x=1'], ['d=file'], ['d=file']],
  ['a file becomes a directory', ['f=1'], ['f/', 'f/x=1'], ['f/', 'f/x=1']],
  ['a symbolic link becomes a file', ['s->t', 't=1'], ['s=2'], ['s=2', 't=1']],
  ['one path twice in a layer', [], ['f=first', 'f=last'], ['f=last']],
  ['parents without entries', [], ['a/b/c=1'], ['a/', 'a/b/', 'a/b/c=1']],
  ['a whiteout of what is not there', ['a=1'], ['.wh.b', 'c/.wh.d', 'a/.wh.e'], ['a=1']],
  [
    'what AUFS left behind',
    ['a=1'],
    ['.wh..wh.aufs', '.wh..wh.plnk/', '.wh..wh.plnk/1.2=x', 'b/.wh..wh.orph/', 'c=1'],
    ['a=1', 'c=1'],
  ],
  ['names in which .wh. is not at the start', [], ['a.wh.b=1', 'x.wh./'], ['a.wh.b=1', 'x.wh./']],
]

describe('applying a changeset', () => {
  test.each(cases)('%s', async (_, lower, upper, expected) => {
    expect(await list(await unpack(layer(...lower), layer(...upper)))).toEqual(expected)
  })

  test.each([
    ['a bare whiteout', ['.wh.'], /a whiteout without a name/],
    ['a whiteout of .', ['d/.wh..'], /a whiteout without a name/],
    ['something below a whiteout', ['.wh.a/b=1'], /hold nothing/],
    ['a hard link to nothing', ['b==a'], /hard link to "a", which is not there/],
    ['a hard link to what the same layer removed', ['.wh.f', 'b==f'], /not there/],
    ['a hard link to a directory', ['b==d'], /which is a directory/],
    ['a file for a parent', ['f/x=1'], /"f" on the way is a file/],
    ['links in a circle', ['l1->l2', 'l2->l1', 'l1/x=1'], /more than 40 symbolic links/],
  ])('%s is an error that names the layer', async (_, upper, message) => {
    const failing = unpack(layer('f=1', 'd/'), layer(...upper))
    await expect(failing).rejects.toMatchObject({
      code: 'LAYER_INVALID',
      message: expect.stringMatching(message),
      details: { layer: 1 },
    })
    await expect(failing).rejects.toThrow(/^layer 1 \(sha256:/)
  })
})

describe('attributes', () => {
  const directory = (name: string, uid: number, xattrs: Record<string, string> = {}): Uint8Array[] => [
    pax(Object.entries(xattrs).map(([key, value]) => [`SCHILY.xattr.${key}`, value] as const)),
    header({ name, type: '5', mode: 0o1777, uid, gid: 5, mtime: 100 }),
  ]

  test('of a directory are replaced, its children stay, xattrs do not merge', async () => {
    const tree = await unpack(
      layer(...directory('d/', 1, { 'user.a': '1' }), 'd/x=1'),
      layer(...directory('d/', 2, { 'user.b': '2' })),
    )
    expect(await list(tree)).toEqual(['d/', 'd/x=1'])
    const inode = lookup(tree, 'd')
    expect(inode).toMatchObject({ mode: 0o1777, uid: 2, gid: 5, mtime: { seconds: 100 } })
    expect([...(inode?.xattrs.keys() ?? [])]).toEqual(['user.b'])
  })

  test('of the root come from its entry', async () => {
    const tree = await unpack(layer(...directory('./', 3, { 'user.r': '1' })))
    expect(tree.root).toMatchObject({ mode: 0o1777, uid: 3 })
    expect(tree.root.xattrs.size).toBe(1)
    expect(await dump(await unpack(layer()))).toBe(await dump(createTree()))
  })

  test('of a parent without an entry are 0755, root and the epoch', async () => {
    const expected = { mode: 0o755, uid: 0, gid: 0, mtime: { seconds: 0, nanoseconds: 0 } }
    expect(lookup(await unpack(layer('p/x=1')), 'p')).toMatchObject(expected)
    // Removed below and made again by implication: nothing of the old one shines through.
    const again = await unpack(layer(...directory('p/', 9, { 'user.a': '1' })), layer('p/x=1', '.wh.p'))
    expect(lookup(again, 'p')).toMatchObject({ ...expected, xattrs: new Map() })
  })

  test('marks of overlayfs are left out, others kept; two trees share none of them', async () => {
    const tar = layer(
      ...directory('d/', 0, {
        'trusted.overlay.opaque': 'y',
        'user.overlay.origin': '',
        'user.overlayish': '1',
        'security.selinux': 'label\0',
      }),
    )
    const tree = await unpack(tar)
    expect([...(lookup(tree, 'd')?.xattrs.keys() ?? [])]).toEqual(['user.overlayish', 'security.selinux'])
  })

  test('devices, also 0:0, and fifos are kept', async () => {
    const tree = await unpack(
      layer(
        header({ name: 'null', type: '3', major: 0, minor: 0 }),
        header({ name: 'sda', type: '4', major: 8, minor: 1 }),
        header({ name: 'fifo', type: '6' }),
      ),
    )
    expect(lookup(tree, 'null')).toMatchObject({ type: 'device', kind: 'character', major: 0, minor: 0 })
    expect(lookup(tree, 'sda')).toMatchObject({ type: 'device', kind: 'block', major: 8, minor: 1 })
    expect(lookup(tree, 'fifo')).toMatchObject({ type: 'fifo' })
  })

  test('hard links share one inode, whose attributes are those of its first entry', async () => {
    const tree = await unpack(
      layer('a=1'),
      layer(header({ name: 'b', type: '1', linkName: '/a', uid: 7, mode: 0 })),
    )
    expect(lookup(tree, 'b')).toBe(lookup(tree, 'a'))
    expect(lookup(tree, 'a')).toMatchObject({ uid: 0, mode: 0o644 })
  })
})

describe('hostile layers', () => {
  test('a tree that deepens itself through links is bounded', async () => {
    const deep = Array.from({ length: 300 }, () => 'd').join('/')
    const at = (path: string): Uint8Array[] => [pax([['path', path]]), header({})]
    const link = [pax([['linkpath', deep]]), header({ name: 'l', type: '2' })]
    const layers = [layer(...at(`${deep}/x`), ...link), layer(...at(`l/${deep}/y`))]
    await expect(unpack(...layers)).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
      details: { limit: 'depth' },
    })
  })

  test.each([
    ['walk back and forth', (next: string) => `${'d/../'.repeat(800)}${next}`],
    ['pile up what is left to do', (next: string) => `${next}/${'d/'.repeat(2000)}`],
  ])('links that %s are not followed for every file anew', async (_, target) => {
    const links = Array.from({ length: 39 }, (_, index) => [
      pax([['linkpath', target(`l${index + 1}`)]]),
      header({ name: `l${index}`, type: '2' }),
    ]).flat()
    const files = Array.from({ length: 2000 }, (_, index) => `l0/f${index}=`)
    await expect(unpack(layer('d/', ...links, 'l39->d', ...files))).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
    })
  })

  test('thousands of markers for one large directory cost no more than one', async () => {
    const [plain] = parse(archive(header({})))
    const at = (path: string): TarMember => ({ ...(plain as TarMember), path })
    const files = Array.from({ length: 30_000 }, (_, index) => at(`d/f${index}`))
    const markers = files.map(() => at('d/.wh..wh..opq'))
    const layered = createLayeredTree(DEFAULT_LAYER_LIMITS)
    const started = performance.now()
    await layered.apply({ content: memorySource(new Uint8Array(512)), members: [...files, ...markers] })
    // Far below a second when nothing else runs; a second look at each file for each marker takes minutes.
    expect(performance.now() - started).toBeLessThan(15_000)
    expect(lookup(layered.tree, 'd')).toMatchObject({ entries: { size: 30_000 } })
  })
})
