import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeRuntime } from '@bootable/bytes/node'
import { digestBytes, type Image, type LayerCache, unpackImage } from '@bootable/oci'
import { folderLayerCache, temporaryLayerCache } from '@bootable/oci/node'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { header, member, pax } from '../layer/raw-tar.ts'
import { dump, imageOf, layer } from '../unpack/layers.ts'

const runtime = nodeRuntime
const everyKind = layer(
  'd/',
  'd/f=content',
  'd/h==d/f',
  's->d',
  pax([
    ['SCHILY.xattr.user.b', Uint8Array.from([0, 255, 10])],
    ['mtime', '-1.5'],
    ['path', 'größe'],
  ]),
  header({ mode: 0o4711, uid: 7, gid: 8 }),
  header({ name: 'null', type: '3', major: 1, minor: 3 }),
  pax([
    ['GNU.sparse.size', '9000'],
    ['GNU.sparse.map', '4096,3'],
  ]),
  member({ name: 'sparse' }, 'abc'),
)

let folder: string
const caches: LayerCache[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bootable-cache-'))
})
afterEach(async () => {
  await Promise.all(caches.splice(0).map((cache) => cache.close()))
  rmSync(folder, { recursive: true })
})

const open = (): LayerCache => {
  const cache = folderLayerCache(folder)
  caches.push(cache)
  return cache
}
const files = (): string[] => readdirSync(join(folder, 'sha256')).sort()
/** Which layers were opened in the store. */
const watch = (image: Image): { image: Image; opened: string[] } => {
  const opened: string[] = []
  const openBlob: typeof image.store.openBlob = (descriptor, options) => {
    opened.push(descriptor.digest)
    return image.store.openBlob(descriptor, options)
  }
  return { image: { ...image, store: { ...image.store, openBlob } }, opened }
}

describe('folderLayerCache', () => {
  test('keeps every kind of member from one process to the next', async () => {
    const { image, opened } = watch(await imageOf([everyKind]))
    const first = await dump(await unpackImage(image, { cache: open(), runtime }))
    const second = await dump(await unpackImage(image, { cache: open(), runtime }))
    expect(second).toBe(first)
    expect(first).toBe(await dump(await unpackImage(image)))
    expect(opened).toHaveLength(2) // the folder's first, and the one in memory
    const digits = digestBytes(everyKind).slice('sha256:'.length)
    expect(files()).toEqual([`${digits}.index`, `${digits}.tar`])
    expect(readFileSync(join(folder, 'sha256', `${digits}.tar`))).toEqual(Buffer.from(everyKind))
  })

  test.each([
    ['a tar that was cut', '.tar', (path: string) => truncateSync(path, 700)],
    ['a tar that is gone', '.tar', (path: string) => rmSync(path)],
    ['an index that was cut', '.index', (path: string) => truncateSync(path, statSync(path).size - 9)],
    ['an index without a line', '.index', (path: string) => truncateSync(path, 0)],
    ['an index that is gone', '.index', (path: string) => rmSync(path)],
    [
      'an index in which a byte was changed',
      '.index',
      (path: string) =>
        writeFileSync(path, readFileSync(path, 'utf8').replace('content', 'c0ntent').replace('d/f', 'd/g')),
    ],
    [
      'an index of another version',
      '.index',
      (path: string) => writeFileSync(path, readFileSync(path, 'utf8').replace('"version":1', '"version":2')),
    ],
  ])('fetches again after %s', async (_, extension, damage) => {
    const { image, opened } = watch(await imageOf([everyKind]))
    const whole = await dump(await unpackImage(image, { cache: open(), runtime }))
    damage(join(folder, 'sha256', `${digestBytes(everyKind).slice('sha256:'.length)}${extension}`))
    expect(await dump(await unpackImage(image, { cache: open(), runtime }))).toBe(whole)
    expect(opened).toHaveLength(2)
    expect(await dump(await unpackImage(image, { cache: open(), runtime }))).toBe(whole)
    expect(opened).toHaveLength(2)
  })

  test('keeps nothing of a layer that failed, and the one that was complete', async () => {
    const good = layer('a=1')
    const image = await imageOf([good, everyKind], {
      diffIds: [digestBytes(good), digestBytes(new Uint8Array(9))],
    })
    const failing = unpackImage(image, { cache: open(), runtime, concurrency: 1 })
    await expect(failing).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
    expect(files().filter((name) => !name.startsWith(digestBytes(good).slice('sha256:'.length)))).toEqual([])
  })

  test('two builds at once share a folder', async () => {
    const image = await imageOf([everyKind, layer(member({ name: 'big' }, new Uint8Array(3_000_000)))])
    const builds = [open(), open(), open()].map((cache) => unpackImage(image, { cache, runtime }))
    const dumps = await Promise.all((await Promise.all(builds)).map(dump))
    expect(new Set(dumps).size).toBe(1)
    expect(files()).toHaveLength(4)
  })

  test('clears away what a killed process left long ago', async () => {
    mkdirSync(join(folder, 'sha256'))
    for (const name of ['old.partial', 'new.partial']) writeFileSync(join(folder, 'sha256', name), 'x')
    utimesSync(join(folder, 'sha256', 'old.partial'), 1, 1)
    await unpackImage(await imageOf([everyKind]), { cache: open(), runtime })
    expect(files().filter((name) => name.endsWith('.partial'))).toEqual(['new.partial'])
  })

  test('a folder that cannot be made is an error', async () => {
    writeFileSync(join(folder, 'file'), '')
    const cache = folderLayerCache(join(folder, 'file'))
    await expect(unpackImage(await imageOf([everyKind]), { cache, runtime })).rejects.toThrow(
      /ENOTDIR|EEXIST/,
    )
  })
})

describe('temporaryLayerCache', () => {
  test('has no names on the disk, and is readable until it is closed', async () => {
    const cache = temporaryLayerCache({ folder })
    const image = await imageOf([everyKind])
    const tree = await unpackImage(image, { cache, runtime })
    expect(readdirSync(folder)).toEqual([])
    expect(await dump(tree)).toBe(await dump(await unpackImage(image)))
    await cache.close()
    await expect(dump(tree)).rejects.toThrow()
  })

  test('leaves nothing of a failure', async () => {
    const cache = temporaryLayerCache({ folder })
    const image = await imageOf([everyKind], { diffIds: [digestBytes(new Uint8Array(9))] })
    await expect(unpackImage(image, { cache, runtime })).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
    expect(readdirSync(folder)).toEqual([])
    await cache.close()
  })
})
