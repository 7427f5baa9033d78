import { fromHex, utf8 } from '@bootable/bytes'
import { digestBytes, type Image } from '@bootable/oci'
import { checkoutCommit, layerRef, readCommit } from '@bootable/ostree'
import {
  createDirectory,
  createFile,
  createSymlink,
  createTree,
  type FileTree,
  lookup,
  putInode,
} from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import { type LayerFile, layerTar } from '../../../../tooling/layer-tar.ts'
import { encapsulate, REPOSITORY, type XattrsForm } from './encapsulate.ts'
import { entries, imageOf, importInto, list, paths } from './images.ts'

function baseTree(prepareRoot?: string): FileTree {
  const tree = createTree()
  const label = new Map([['security.selinux', utf8('system_u:object_r:bin_t:s0\0')]])
  putInode(tree, 'usr/bin', createDirectory({ uid: 3 }))
  putInode(tree, 'usr/bin/sudo', createFile('sudo', { mode: 0o4755, uid: 1, gid: 2, xattrs: label }))
  const capability = new Map([...label, ['security.capability', fromHex('0100000200200000')] as const])
  putInode(tree, 'usr/bin/ping', createFile('ping', { mode: 0o755, xattrs: capability }))
  putInode(tree, 'usr/bin/link', createSymlink('sudo', { xattrs: label }))
  putInode(tree, 'usr/etc/hosts', createFile('', { xattrs: label }))
  putInode(tree, 'usr/etc/hostname', createFile(''))
  if (prepareRoot !== undefined) putInode(tree, 'usr/lib/ostree/prepare-root.conf', createFile(prepareRoot))
  return tree
}

/** An image of these layers, the first `base` of which hold the commit. */
async function encapsulatedImage(layers: readonly (readonly LayerFile[])[], base: number): Promise<Image> {
  const last = new Uint8Array(layerTar(layers[base - 1] ?? []))
  return imageOf(layers, { labels: { 'ostree.final-diffid': digestBytes(last) } })
}

describe.each<XattrsForm>(['file', 'link', 'v0'])('an encapsulated image, attributes as %s', (form) => {
  test('keeps its commit as the parent of the merge, and as the ref of its layer', async () => {
    const { commit, layers } = await encapsulate(baseTree(), form)
    const image = await encapsulatedImage(layers, 2)
    const imported = await importInto(image)
    const { repository } = imported
    expect(imported.base).toBe(commit)
    expect(await list(checkoutCommit(repository, commit))).toEqual(await list(baseTree()))
    expect(lookup(imported.tree, 'usr/bin/ping')?.xattrs.size).toBe(2)
    expect(paths(imported.tree)).not.toContain('usr/etc/hostname')

    const merge = readCommit(repository, imported.commit)
    expect(merge.parent).toBe(commit)
    expect([...merge.metadata.keys()]).toHaveLength(4)
    const [first, second] = image.layers.map(({ descriptor }) =>
      repository.refs.get(layerRef(descriptor.digest)),
    )
    expect(first).toBe(commit)
    const chunk = readCommit(repository, second as string)
    expect(chunk).toMatchObject({ timestamp: 0, subject: '', body: '', metadata: new Map() })
    expect(chunk.meta).toBe('446a0ef11b7cc167f3b603e585c7eeeeb675faa412d5ec73f62988eb0b6c5488')
    const names = [...checkoutCommit(repository, second as string).root.entries]
    expect(names.length).toBeGreaterThan(1)
    for (const [name, inode] of names) expect(repository.checksum(inode as never)).toBe(name)
  })
})

describe('layers on top of an encapsulated image', () => {
  const derived = entries('usr/bin/.wh.link=', 'usr/bin/', 'usr/bin/new=n', 'etc/hosts=h', 'opt/x=')

  test.each([
    ['', false],
    ['[composefs]\nenabled = no\n', false],
    ['[composefs]\nenabled = yes\n', true],
    ['[root]\ntransient = true\n', true],
  ])('with %j other directories are kept: %s', async (configuration, expected) => {
    const { layers } = await encapsulate(baseTree(configuration))
    const { tree, warnings } = await importInto(await encapsulatedImage([...layers, derived], 2))
    expect(paths(tree).includes('opt/x')).toBe(expected)
    expect(warnings.length).toBe(expected ? 0 : 1)
    expect(paths(tree)).toContain('usr/bin/new')
    expect(paths(tree)).not.toContain('usr/bin/link')
    expect(lookup(tree, 'usr/bin')?.uid).toBe(3)
    expect(lookup(tree, 'usr/etc/hosts')).toMatchObject({ content: { size: 1 } })
  })

  test('a file that a container changed is taken out of the embedded repository', async () => {
    const { layers, repository } = await encapsulate(baseTree())
    const mtime = { seconds: 9, nanoseconds: 0 }
    const object = [...repository.objects()].find(({ type }) => type === 'file')?.checksum ?? ''
    const linkName = `${REPOSITORY}/objects/${object.slice(0, 2)}/${object.slice(2)}.file`
    const changes: LayerFile[] = [
      { path: linkName, type: 'file', data: 'changed', uid: 8, mtime },
      { path: 'usr/bin/one', type: 'hardlink', linkName, mtime },
      { path: 'usr/bin/two', type: 'hardlink', linkName, mtime },
    ]
    const { tree } = await importInto(await encapsulatedImage([...layers, changes], 2))
    expect(lookup(tree, 'usr/bin/one')).toMatchObject({ uid: 8, content: { size: 7 } })
    expect(lookup(tree, 'usr/bin/two')).toBe(lookup(tree, 'usr/bin/one'))
    expect(lookup(tree, 'sysroot')).toBeUndefined()
  })
})

describe('an encapsulated image that is not whole', () => {
  const object = (layer: readonly LayerFile[], suffix: string): LayerFile =>
    layer.find(({ path }) => path.endsWith(suffix)) as LayerFile

  async function refused(
    change: (first: LayerFile[], second: LayerFile[]) => unknown,
    form: XattrsForm = 'file',
  ): Promise<{ code: string; message: string; details: Record<string, unknown> }> {
    const { layers } = await encapsulate(baseTree(), form)
    change(...layers)
    const image = await encapsulatedImage(layers, 2)
    return importInto(image).then(
      () => {
        throw new Error('it was taken')
      },
      (error) => error,
    )
  }

  test.each(['.commit', '.dirtree', '.dirmeta', '.file'])(
    'with other bytes in a %s object',
    async (suffix) => {
      const error = await refused((first) => {
        const found = first.find(
          ({ path, type, data }) => path.endsWith(suffix) && type === 'file' && data?.length,
        )
        const bytes = Uint8Array.from(found?.data as Uint8Array)
        bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1
        first[first.indexOf(found as LayerFile)] = { ...(found as LayerFile), data: bytes }
      })
      expect(error.code).toBe('OSTREE_CHECKSUM_MISMATCH')
      expect(error.message).toMatch(
        /^layer 0 \(sha256:.*the object is named ([0-9a-f]{64}) but hashes to [0-9a-f]{64}$/,
      )
      expect(error.details).toMatchObject({
        layer: 0,
        expected: expect.any(String),
        actual: expect.any(String),
      })
    },
  )

  test.each<[string, (entry: LayerFile) => LayerFile]>([
    ['owner', (entry) => ({ ...entry, uid: 99 })],
    ['mode', (entry) => ({ ...entry, mode: 0o777 })],
  ])('with another %s of a file object', async (_, change) => {
    const error = await refused((first, second) => {
      for (const layer of [first, second]) {
        for (const [index, entry] of layer.entries()) {
          if (entry.path.endsWith('.file') && entry.type === 'file') layer[index] = change(entry)
        }
      }
    })
    expect(error.code).toBe('OSTREE_CHECKSUM_MISMATCH')
  })

  test('with other extended attributes', async () => {
    const error = await refused((first, second) => {
      for (const layer of [first, second]) {
        for (const [index, entry] of layer.entries()) {
          if (entry.path.endsWith('-xattrs-link')) layer[index] = { ...entry, data: new Uint8Array(0) }
        }
      }
    })
    expect(error.code).toBe('OSTREE_CHECKSUM_MISMATCH')
  })

  test.each<[string, RegExp, (first: LayerFile[], second: LayerFile[]) => unknown, XattrsForm?]>([
    ['without a file object', /do not hold all of the commit .*file object/, (_, second) => second.splice(0)],
    [
      'without a tree',
      /the dirtree object/,
      (first) => first.splice(first.indexOf(object(first, '.dirtree')), 1),
    ],
    ['without a commit', /0 commits/, (first) => first.splice(first.indexOf(object(first, '.commit')), 1)],
    ['with metadata in a chunk', /belongs into/, (first, second) => second.push(object(first, '.dirmeta'))],
    [
      'with an object of an unknown kind',
      /no object of a repository/,
      (first) => first.push({ path: `${REPOSITORY}/objects/aa/bb.file`, type: 'file' }),
    ],
    [
      'with a device as an object',
      /a character cannot be/,
      (first) => first.push({ ...object(first, '.file'), type: 'character' }),
    ],
    [
      'with malformed attributes',
      /GVariant: a\(ayay\)/,
      (first) => first.push({ ...object(first, '.file-xattrs-link'), data: new Uint8Array([1, 2, 3]) }),
    ],
    [
      'with a tree that is far too large',
      /are the most/,
      (first) => first.push({ ...object(first, '.dirtree'), data: new Uint8Array(11 * 1024 ** 2) }),
    ],
    [
      'with attributes that are elsewhere',
      /are not in the layer/,
      (first) => first.splice(0, first.length, ...first.filter(({ path }) => !path.endsWith('.file-xattrs'))),
      'link',
    ],
    [
      'with attributes that link to anything',
      /holds no attributes/,
      (first) => first.push({ ...object(first, '.file-xattrs-link'), linkName: 'usr/bin/sh' }),
      'link',
    ],
  ])('%s', async (_, message, change, form) => {
    const error = await refused(change, form)
    expect(error.code).toBe('OSTREE_INVALID_ENCAPSULATION')
    expect(error.message).toMatch(message)
  })

  test('whose label names none of its layers', async () => {
    const image = await imageOf([entries('etc/')], {
      labels: { 'ostree.final-diffid': `sha256:${'0'.repeat(64)}` },
    })
    await expect(importInto(image)).rejects.toMatchObject({ code: 'OSTREE_INVALID_ENCAPSULATION' })
  })

  test('whose label names a layer too early', async () => {
    const { layers } = await encapsulate(baseTree())
    await expect(importInto(await encapsulatedImage(layers, 1))).rejects.toMatchObject({
      code: 'OSTREE_INVALID_ENCAPSULATION',
      hint: expect.stringContaining('ostree.final-diffid'),
    })
  })

  test('whose commit has both /etc and /usr/etc', async () => {
    const tree = baseTree()
    putInode(tree, 'etc/passwd', createFile('x'))
    const { layers } = await encapsulate(tree)
    await expect(importInto(await encapsulatedImage(layers, 2))).rejects.toMatchObject({
      code: 'OSTREE_INVALID_ETC',
      message: expect.stringContaining('both in /etc and in /usr/etc'),
    })
  })
})
