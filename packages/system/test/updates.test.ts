import { createFile, lookup, putInode, resolvePath } from '@bootable/tree'
import { describe, expect, it } from 'vitest'
import { customizeUpdates, deployPlain, UPDATES_TIMER } from '../src/index.ts'
import { bootableImage, CLOCK, LABELS, MTIME, treeOf } from './image.ts'

const UNIT = `usr/lib/systemd/system/${UPDATES_TIMER}`
const DECISION = `etc/systemd/system/${UPDATES_TIMER}`
const WANTED = `etc/systemd/system/timers.target.wants/${UPDATES_TIMER}`
const TIMER = '[Timer]\nOnBootSec=1h\nWantedBy=nobody\n[Install]\nWantedBy=timers.target\n'

const targetOf = (tree: ReturnType<typeof treeOf>, path: string): string | undefined => {
  const inode = lookup(tree, path)
  return inode?.type === 'symlink' ? inode.target : undefined
}

describe('customizeUpdates', () => {
  it('leaves an image alone that nobody has an opinion on', async () => {
    const tree = treeOf({ [UNIT]: TIMER })
    await customizeUpdates(tree, undefined, { mtime: MTIME })
    expect(lookup(tree, 'etc')).toBeUndefined()
  })

  it('masks as systemctl does, also a timer that only a later image brings', async () => {
    for (const tree of [treeOf({ [UNIT]: TIMER }), treeOf({})]) {
      await customizeUpdates(tree, false, { mtime: MTIME })
      expect(lookup(tree, DECISION)).toMatchObject({ target: '/dev/null', uid: 0, gid: 0, mtime: MTIME })
    }
  })

  it('enables by a link to the unit, taking a mask away', async () => {
    const tree = treeOf({ [UNIT]: TIMER, [DECISION]: '->/dev/null' })
    await customizeUpdates(tree, true, { mtime: MTIME })
    expect(lookup(tree, DECISION)).toBeUndefined()
    expect(targetOf(tree, WANTED)).toBe(`/${UNIT}`)
    expect(resolvePath(tree, WANTED)?.path).toBe(UNIT)
    expect(lookup(tree, 'etc/systemd/system/nobody.wants')).toBeUndefined()
  })

  it('takes an empty file for a mask', async () => {
    const tree = treeOf({ [UNIT]: TIMER, [DECISION]: '' })
    await customizeUpdates(tree, true, { mtime: MTIME })
    expect(lookup(tree, DECISION)).toBeUndefined()
  })

  it("prefers the administrator's version of the unit", async () => {
    const tree = treeOf({ [UNIT]: TIMER, [DECISION]: '[Install]\nWantedBy=a.target\n' })
    await customizeUpdates(tree, true, { mtime: MTIME })
    expect(targetOf(tree, `etc/systemd/system/a.target.wants/${UPDATES_TIMER}`)).toBe(`/${DECISION}`)
  })

  it.each([
    ['[Install]\nWantedBy=a.target b.target\nWantedBy = c.target\n', ['a.target', 'b.target', 'c.target']],
    ['[Install]\nWantedBy=a.target\nWantedBy=\nWantedBy=b.target\n', ['b.target']],
    ['[Timer]\nOnBootSec=1h\n', ['timers.target']],
    ['[Install]\nWantedBy=../../../evil.target /x.target\n', ['timers.target']],
  ])('reads who wants it from %j', async (text, targets) => {
    const tree = treeOf({ [UNIT]: text })
    await customizeUpdates(tree, true, { mtime: MTIME })
    const folder = lookup(tree, 'etc/systemd/system')
    const names = folder?.type === 'directory' ? [...folder.entries.keys()] : []
    expect(names).toEqual(targets.map((target) => `${target}.wants`))
  })

  it('cannot enable what the image has not', async () => {
    await expect(customizeUpdates(treeOf({}), true, { mtime: MTIME })).rejects.toMatchObject({
      code: 'UPDATES_MISSING',
      message: `the image has no ${UPDATES_TIMER} to enable`,
    })
  })
})

it('is part of a deployment', async () => {
  const tree = bootableImage()
  putInode(tree, UNIT, createFile(TIMER))
  const blueprint = { customizations: { updates: { enabled: false } } }
  const options = { blueprint, labels: LABELS, architecture: 'amd64', seed: 's', clock: CLOCK }
  const { root } = await deployPlain(tree, options)
  expect(targetOf(root, DECISION)).toBe('/dev/null')
})

it('is of no use in the plain layout, which says so', async () => {
  const tree = bootableImage()
  putInode(tree, UNIT, createFile(TIMER))
  const blueprint = { customizations: { updates: { enabled: true } } }
  const options = { blueprint, labels: LABELS, architecture: 'amd64', seed: 's', clock: CLOCK }
  const { warnings } = await deployPlain(tree, options)
  expect(warnings).toMatchObject([{ message: expect.stringMatching(/cannot be updated/) }])
})
