import { describe, expect, test } from 'vitest'
import type { LayerFile } from '../../../../tooling/layer-tar.ts'
import { filterLayer } from '../../src/import/layer-filter.ts'
import { members } from './images.ts'

/** What is kept, links with their targets, and what was dropped. */
function filter(texts: readonly (string | LayerFile)[], keepOthers = true) {
  const { members: kept, dropped } = filterLayer(members(...texts), { keepOthers })
  const names = kept.map(({ path, linkName }) => (linkName === '' ? path : `${path} ${linkName}`))
  return { kept: names, dropped: Object.fromEntries(dropped) }
}

const OBJECT = 'sysroot/ostree/repo/objects/aa/bb.file'
const mtime = { seconds: 5, nanoseconds: 0 }
const changed: LayerFile = { path: OBJECT, type: 'file', mtime, uid: 7 }
const link = (path: string): LayerFile => ({ path, type: 'hardlink', linkName: OBJECT, mtime })

describe('the members of a layer that are committed', () => {
  test('/etc becomes /usr/etc, also as the target of a hard link, not of a symbolic one', () => {
    expect(filter(['etc/', 'etc/a=', 'etcetera=', 'usr/b==etc/a', 'c->etc/a', 'etc/.wh.d='])).toEqual({
      kept: ['usr/etc', 'usr/etc/a', 'etcetera', 'usr/b usr/etc/a', 'c etc/a', 'usr/etc/.wh.d'],
      dropped: {},
    })
  })

  test('of what is mounted over at boot only the directory stays, whatever it is', () => {
    expect(
      filter([
        'run/',
        'run/a=',
        'tmp->var/tmp',
        'proc/',
        'proc/x/y=',
        'sys/',
        'dev/',
        'dev/null!character',
        'running=',
      ]),
    ).toEqual({
      kept: ['run', 'tmp var/tmp', 'proc', 'sys', 'dev', 'running'],
      dropped: { run: 1, proc: 1, dev: 1 },
    })
  })

  test('over a root that is no overlay nothing but usr, etc and var is kept', () => {
    expect(
      filter(
        ['/', 'usr/a=', 'var/b=', 'etc/c=', 'opt/', 'opt/d=', 'boot/e=', 'run/', '.wh.opt=', 'usrlocal='],
        false,
      ),
    ).toEqual({
      kept: ['', 'usr/a', 'var/b', 'usr/etc/c', 'run'],
      dropped: { opt: 2, boot: 1, '.wh.opt': 1, usrlocal: 1 },
    })
  })

  test('the first link to a changed object of the embedded repository becomes the file', () => {
    const { members: kept } = filterLayer(members(changed, link('usr/bin/a'), link('etc/b'), link('usr/c')), {
      keepOthers: true,
    })
    expect(kept.map(({ path, type, linkName, uid }) => ({ path, type, linkName, uid }))).toEqual([
      { path: 'usr/bin/a', type: 'file', linkName: '', uid: 7 },
      { path: 'usr/etc/b', type: 'hardlink', linkName: 'usr/bin/a', uid: 0 },
      { path: 'usr/c', type: 'hardlink', linkName: 'usr/bin/a', uid: 0 },
    ])
  })

  test('a changed object goes to the first link that is kept', () => {
    expect(filter([changed, link('opt/a'), link('usr/b')], false)).toEqual({
      kept: ['usr/b'],
      dropped: { opt: 1 },
    })
  })

  test('links to objects that the layer does not have are left out, as are objects without links', () => {
    expect(filter([link('usr/a')])).toEqual({ kept: [], dropped: { sysroot: 1 } })
    expect(filter([changed])).toEqual({ kept: [], dropped: {} })
  })

  test('what an exporter put there, at time 0, is a file like any other', () => {
    expect(filter([{ ...changed, mtime: { seconds: 0, nanoseconds: 0 } }]).kept).toEqual([OBJECT])
  })
})
