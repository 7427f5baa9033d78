import { type FileTree, lookup } from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import type { LayerFile } from '../../../../tooling/layer-tar.ts'
import { createLayerTree } from '../../src/import/layer-tree.ts'
import { list, members, namedLayer, paths } from './images.ts'

function treeOf(...texts: readonly (string | LayerFile)[]): FileTree {
  return createLayerTree(namedLayer(3), members(...texts))
}

describe('the tree of a layer', () => {
  test('a layer without entries, or without parents to make, has a root of its own', async () => {
    expect(await list(treeOf())).toEqual(['0 755 /'])
    expect(await list(treeOf('7 a='))).toEqual(['0 755 /', '7 644 a='])
  })

  test('where a parent is missing the whole way gets the owner of the entry and mode 0755', async () => {
    const xattrs = new Map([['user.a', new Uint8Array([1])]])
    const tree = treeOf(
      '3 /',
      { path: 'usr', type: 'directory', uid: 5, mode: 0o700, xattrs },
      '7 usr/a/b/f=',
      '8 usr/a/g=',
    )
    expect(await list(tree)).toEqual([
      '7 755 /',
      '7 755 usr/',
      '7 755 usr/a/',
      '7 755 usr/a/b/',
      '7 644 usr/a/b/f=',
      '8 644 usr/a/g=',
    ])
    expect(lookup(tree, 'usr')?.xattrs.size).toBe(0)
  })

  test('a later entry of a directory replaces its attributes', async () => {
    expect(await list(treeOf('1 usr/x=', '2 usr/', '3 usr/', '4 /'))).toEqual([
      '4 750 /',
      '3 750 usr/',
      '1 644 usr/x=',
    ])
  })

  test('hard links are resolved at the end, also forwards, through each other and to symbolic links', () => {
    const tree = treeOf('l==f', 'k==l', 'f=old', 'f=', 's->gone', 't==s', 'l=other')
    const file = lookup(tree, 'f')
    expect(lookup(tree, 'l')).toBe(file)
    expect(lookup(tree, 'k')).toBe(file)
    expect(lookup(tree, 't')).toBe(lookup(tree, 's'))
  })

  test('symbolic links have mode 0777, whatever the layer says', () => {
    expect(lookup(treeOf({ path: 's', type: 'symlink', linkName: 'x', mode: 0o600 }), 's')?.mode).toBe(0o777)
  })

  test('whiteouts are files', () => {
    expect(paths(treeOf('a/.wh.b=', 'a/.wh..wh..opq='))).toEqual(['a/', 'a/.wh..wh..opq', 'a/.wh.b'])
  })

  test.each([
    [['d/', 'd='], 'in place of a directory'],
    [['d=', 'd/'], '/d is a file'],
    [['d=', 'd/x='], '/d is a file'],
    [['s->usr', 's/x='], '/s is a symlink'],
    [['a==b'], '/b, which is not in the same layer'],
    [['a==b', 'b==a'], 'which is not in the same layer'],
    [['a==d', 'd/'], 'the directory /d'],
    [['f=', 'd/', 'd==f'], 'in place of a directory'],
    [['a==f/x', 'f='], '/f/x, which is not in the same layer'],
    [['usr/.wh.='], 'without a name'],
    [['usr/.wh...='], 'without a name'],
    [['usr/.wh..='], 'without a name'],
  ])('%j is refused', (texts, reason) => {
    expect(() => treeOf(...texts)).toThrow(
      expect.objectContaining({
        code: 'OSTREE_INVALID_LAYER',
        message: expect.stringMatching(new RegExp(`^layer 3 \\(sha256:[0-9a-f]{64}\\): ".*${reason}`)),
      }),
    )
  })

  test.each(['character', 'block', 'fifo'])('a %s is refused', (type) => {
    expect(() => treeOf(`usr/x!${type}`)).toThrow(
      expect.objectContaining({
        code: 'OSTREE_UNSUPPORTED_FILE',
        message: expect.stringContaining(`"usr/x": ostree has no place for a ${type}`),
      }),
    )
  })

  test('a chain of links as long as a layer is no matter', () => {
    const links = Array.from({ length: 20_000 }, (_, index) => `l${index}==l${index + 1}`)
    const tree = treeOf(...links, 'l20000=')
    expect(lookup(tree, 'l0')).toBe(lookup(tree, 'l20000'))
  })
})
