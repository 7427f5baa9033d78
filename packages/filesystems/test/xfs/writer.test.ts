import { GiB, MiB, memoryDevice, TiB } from '@bootable/bytes'
import {
  createDevice,
  createDirectory,
  createFile,
  createSymlink,
  createTree,
  type FileTree,
  type Inode,
  putInode,
} from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import { measureXfs, readXfs, writeXfs } from '../../src/xfs/index.ts'
import { layoutGeometry } from '../../src/xfs/layout.ts'

const UUID = '6f1c2a9e-3b47-4c1d-9a55-0d2f4e8b7c10'

function treeWith(inode: Inode, path = 'directory/odd'): FileTree {
  const tree = createTree()
  putInode(tree, path, inode)
  return tree
}

describe('refuses, by name and before anything is written', () => {
  const xattr = (name: string, size = 4): Inode =>
    createFile('', { xattrs: new Map([[name, new Uint8Array(size)]]) })
  const cases: [what: string, tree: FileTree, code: string, message: RegExp][] = [
    ['a long name', treeWith(createFile(''), 'n'.repeat(256)), 'XFS_NAME_INVALID', /256 bytes/],
    ['a long link', treeWith(createSymlink('t'.repeat(1024))), 'XFS_SYMLINK_INVALID', /1 to 1023/],
    ['an empty link', treeWith(createSymlink('')), 'XFS_SYMLINK_INVALID', /has 0 bytes/],
    ['a large major', treeWith(createDevice('block', 512, 0)), 'XFS_DEVICE_NUMBER', /512:0/],
    ['a large minor', treeWith(createDevice('block', 8, 2 ** 18)), 'XFS_DEVICE_NUMBER', /8:262144/],
    ['a foreign attribute', treeWith(xattr('system.data')), 'XFS_XATTR_INVALID', /no place/],
    ['the stored access list', treeWith(xattr('trusted.SGI_ACL_FILE')), 'XFS_XATTR_INVALID', /no place/],
    ['no access list', treeWith(xattr('system.posix_acl_access')), 'XFS_XATTR_INVALID', /not a POSIX ACL/],
    ['an attribute without a name', treeWith(xattr('user.')), 'XFS_XATTR_INVALID', /1 to 255/],
    ['a large value', treeWith(xattr('user.x', 65_537)), 'XFS_XATTR_NO_SPACE', /65537/],
    [
      'a large file',
      treeWith(createFile({ size: 2 ** 53, read: async () => {} })),
      'XFS_FILE_TOO_LARGE',
      /2\^53/,
    ],
  ]
  test.each(cases)('%s', async (_, tree, code, message) => {
    expect(() => measureXfs(tree)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    )
    const device = { ...memoryDevice(GiB), write: () => Promise.reject(new Error('written')) }
    await expect(writeXfs(tree, device, { uuid: UUID })).rejects.toMatchObject({ code })
  })

  test('a directory under two names', () => {
    const tree = createTree()
    const directory = createDirectory()
    putInode(tree, 'one', directory)
    putInode(tree, 'two', directory)
    expect(() => measureXfs(tree)).toThrow(expect.objectContaining({ code: 'XFS_NAME_INVALID' }))
  })

  test.each([
    [{ uuid: 'none' }, /uuid/],
    [{ label: 'thirteen byte' }, /at most 12 bytes/],
    [{ time: 0.5 }, /whole seconds/],
    [{ sectorSize: 1024 as 512 }, /512 or 4096/],
    [{ agCount: 1 }, /from 2/],
    [{ agCount: 100 }, /between 65 MiB and 1 TiB/],
  ])('options %o', async (options, message) => {
    const call = writeXfs(createTree(), memoryDevice(GiB), { uuid: UUID, ...options })
    await expect(call).rejects.toMatchObject({
      code: 'XFS_OPTION_INVALID',
      message: expect.stringMatching(message),
    })
  })
})

describe('what a tree needs', () => {
  test('is 300 MiB at least, and enough for it', async () => {
    expect(measureXfs(createTree()).minimumSize).toBe(300 * MiB)
    for (const [megabytes, options] of [
      [150, {}],
      [230, {}],
      [400, { agCount: 3 }],
      [700, { sectorSize: 4096 }],
    ] as const) {
      const content = { size: megabytes * MiB, read: async () => {} }
      const tree = treeWith(createFile(content))
      const { minimumSize } = measureXfs(tree, options)
      const device = memoryDevice(minimumSize)
      const { freeBlocks } = await writeXfs(
        tree,
        { ...device, write: async () => {} },
        { uuid: UUID, ...options },
      )
      expect(freeBlocks * 4096).toBeLessThan(Math.max(minimumSize * 0.02, 310 * MiB - megabytes * MiB))
    }
  })
})

describe('geometry', () => {
  test.each([
    [300 * MiB, 4, 16_384],
    [4 * TiB - 4096, 4, 521_728],
    [4 * TiB, 4, 521_728],
    [20 * TiB, 20, 521_728],
  ])('%d bytes: %d groups, a log of %d blocks', (size, agCount, logBlocks) => {
    expect(layoutGeometry(size, 512, undefined)).toMatchObject({ agCount, logBlocks })
  })
})

test('the facts that are told are those of the superblock; progress ends where it said', async () => {
  const tree = treeWith(createFile('content'), 'etc/hostname')
  const device = memoryDevice(310 * MiB)
  const events: { type: string; done?: number; total?: number }[] = []
  const onProgress = (event: (typeof events)[number]): void => void events.push(event)
  const layout = await writeXfs(tree, device, { uuid: UUID, label: 'label', agCount: 3, onProgress })
  const { blockSize, blockCount, freeBlocks, agCount, inodeCount, freeInodes } = layout
  expect(await readXfs(device)).toMatchObject({
    ...{ blockSize, blockCount, freeBlocks, agCount, inodeCount, freeInodes },
    ...{ uuid: UUID, label: 'label', sectorSize: 512 },
  })
  expect(inodeCount - freeInodes).toBe(5)
  const last = events.filter(({ type }) => type === 'advance').pop()
  expect(events.map(({ type }) => type)).toEqual(expect.arrayContaining(['start', 'end']))
  expect(last?.done).toBeLessThanOrEqual(last?.total ?? 0)
})
