import type { FileTree } from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import { createLayerTree } from '../../src/import/layer-tree.ts'
import { removeInjected, unionTrees } from '../../src/import/union.ts'
import { list, members, namedLayer, paths } from './images.ts'

const tree = (...texts: readonly string[]): FileTree => createLayerTree(namedLayer(), members(...texts))
const union = (...layers: readonly FileTree[]): FileTree => unionTrees(undefined, layers) as FileTree

describe('layers laid over each other', () => {
  test('files replace files, links and whole directories; directories replace files and links', () => {
    const below = tree('a=', 'b->x', 'c/', 'c/x=', 'd=', 'e->c')
    const above = tree('a->y', 'b=', 'c=', 'd/', 'd/z=', 'e/', 'e/n=')
    expect(paths(union(below, above))).toEqual(['a', 'b', 'c', 'd/', 'd/z', 'e/', 'e/n'])
  })

  test('a directory that is there keeps its attributes, the root too', async () => {
    const below = tree('1 /', '2 d/', '3 e/')
    const above = tree('7 /', '8 d/', '8 d/sub/', '9 .wh.e=', '9 e/')
    expect(await list(union(below, above))).toEqual(['1 750 /', '2 750 d/', '8 750 d/sub/', '9 750 e/'])
  })

  test('whiteouts remove, whether or not there is something; links of that name are links', () => {
    const below = tree('a=', 'b/', 'b/c=', 's=')
    const above = tree('.wh.a=', '.wh.b=', '.wh.none=', '.wh.s->x')
    expect(paths(union(below, above))).toEqual(['.wh.s', 's'])
  })

  test('whiteouts act in the order of the names, before directories', () => {
    const above = tree('-f=', '.wh.-f=', '.wh.z=', 'z=', '.wh.-d=', '-d/', '-d/x=')
    expect(paths(union(tree('-f=', 'z='), above))).toEqual(['-d/', '-d/x', 'z'])
  })

  test('an opaque directory starts anew, with the attributes of its layer', async () => {
    const below = tree('1 d/', 'd/old=', 'd/sub/', 'd/sub/x=')
    const above = tree('5 d/', 'd/.wh..wh..opq=', 'd/new=')
    expect(await list(union(below, above))).toEqual(['0 755 /', '5 750 d/', '0 644 d/new='])
    expect(paths(union(below, tree('.wh..wh..opq=', 'n=')))).toEqual(['n'])
  })

  test('names of a base that look like whiteouts are its own', () => {
    const base = tree('a=', '.wh.a=', 'd/', 'd/.wh..wh..opq=')
    expect(paths(unionTrees(base, [tree('b=')]) as FileTree)).toEqual([
      '.wh.a',
      'a',
      'b',
      'd/',
      'd/.wh..wh..opq',
    ])
  })

  test('the trees themselves stay as they are', () => {
    const [below, above] = [tree('d/', 'd/a='), tree('d/', 'd/.wh.a=', 'd/b=')]
    union(below, above)
    expect([paths(below), paths(above)]).toEqual([
      ['d/', 'd/a'],
      ['d/', 'd/.wh.a', 'd/b'],
    ])
    expect(unionTrees(undefined, [])).toBeUndefined()
  })
})

test('empty files that engines put there go, others stay', () => {
  const merged = tree('usr/etc/hostname=', 'usr/etc/resolv.conf->../run/resolv.conf', 'usr/etc/hosts=')
  removeInjected(merged)
  expect(paths(merged)).toEqual(['usr/', 'usr/etc/', 'usr/etc/hosts', 'usr/etc/resolv.conf'])
})
