import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { collect } from '@bootable/bytes'
import { openImage, unpackImage, writeLayerTar } from '@bootable/oci'
import { openContainersStorage } from '@bootable/oci/node'
import { createFile, createTree, putInode } from '@bootable/tree'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../fixture.ts'
import { list } from '../unpack/layers.ts'
import { makeStorage, writeTarSplit } from './storage.ts'

/** A layer with these files. */
async function tar(files: Readonly<Record<string, string>>): Promise<Uint8Array> {
  const tree = createTree()
  for (const [path, content] of Object.entries(files)) putInode(tree, path, createFile(content))
  return collect(writeLayerTar(tree), 2 ** 24)
}

const folder = temporaryFolder()
let made = 0

/** A fresh storage with one image. */
async function makeOne(): Promise<{ graph: string; layer: string }> {
  const graph = join(folder, `graph${++made}`)
  await makeStorage(graph, [{ name: 'localhost/one:latest', layers: [await tar({ 'etc/motd': 'hello\n' })] }])
  const record = readdirSync(join(graph, 'overlay-layers')).find((name) => name.endsWith('.gz')) as string
  return { graph, layer: record.slice(0, record.indexOf('.')) }
}

const readImage = async (graph: string): Promise<string[]> =>
  list(await unpackImage(await openImage(await openContainersStorage({ storage: graph }), '')))

describe('openContainersStorage', () => {
  it('reads images that share a layer', async () => {
    const graph = join(folder, 'shared')
    const base = await tar({ 'etc/motd': 'hello\n', 'usr/big': 'x'.repeat(3_000_000) })
    const upper = await tar({ 'etc/.wh.motd': '', 'etc/hostname': 'machine\n' })
    await makeStorage(graph, [
      { name: 'localhost/base:latest', layers: [base] },
      { name: 'quay.io/example/os:42', layers: [base, upper] },
    ])
    const store = await openContainersStorage({ storage: `overlay@${graph}+/run/x` })
    const [a, b] = [await openImage(store, 'base'), await openImage(store, 'quay.io/example/os:42')]
    expect(a.layers).toEqual(b.layers.slice(0, 1))
    expect(await list(await unpackImage(b))).toEqual([
      'etc/',
      'etc/hostname=machine\n',
      'usr/',
      `usr/big=${'x'.repeat(3_000_000)}`,
    ])
    await expect(store.putManifest(new Uint8Array(), { mediaType: 'x/y' })).rejects.toMatchObject({
      code: 'STORE_READ_ONLY',
    })
  })

  it('presents an image the same way each time', async () => {
    const { graph } = await makeOne()
    const first = await (await openContainersStorage({ storage: graph })).resolve('one')
    const again = await openContainersStorage({ storage: graph })
    // By the digest of the manifest that is made here, also before the image was asked for by name.
    expect((await again.getManifest(first)).descriptor.digest).toBe(first.digest)
    expect((await again.resolve(first.digest)).digest).toBe(first.digest)
  })

  it.each([
    ['a path that leads out', { type: 1, name: '../../../secret', size: 6 }, 'LAYER_UNAVAILABLE'],
    ['a folder in place of a file', { type: 1, name: 'etc', size: 6 }, 'LAYER_UNAVAILABLE'],
    ['a file that is not there', { type: 1, name: 'etc/none', size: 6 }, 'LAYER_UNAVAILABLE'],
    ['no type', { name: 'etc/motd' }, 'FORMAT_INVALID'],
    ['a negative size', { type: 1, name: 'etc/motd', size: -1 }, 'FORMAT_INVALID'],
    ['a number in place of bytes', { type: 2, payload: 7 }, 'FORMAT_INVALID'],
    ['a file without a name', { type: 1, size: 5 }, 'FORMAT_INVALID'],
  ])('refuses a tar-split with %s', async (_, line, code) => {
    const { graph, layer } = await makeOne()
    writeFileSync(join(graph, 'secret'), 'secret')
    writeTarSplit(graph, layer, [line])
    await expect(readImage(graph)).rejects.toMatchObject({ code })
  })

  it('says so when the bytes are not those of the digest', async () => {
    const { graph, layer } = await makeOne()
    writeFileSync(join(graph, 'overlay', layer, 'diff/etc/motd'), 'HELLO\n')
    await expect(readImage(graph)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
  })

  it('says which layer is missing', async () => {
    const { graph } = await makeOne()
    writeFileSync(join(graph, 'overlay-layers/layers.json'), '[]')
    await expect(readImage(graph)).rejects.toMatchObject({
      code: 'LAYER_UNAVAILABLE',
      hint: expect.stringContaining('try again'),
    })
  })

  it('says so of a layer whose digest is not known', async () => {
    const { graph, layer } = await makeOne()
    writeFileSync(join(graph, 'overlay-layers/layers.json'), JSON.stringify([{ id: layer }]))
    await expect(readImage(graph)).rejects.toMatchObject({
      code: 'LAYER_UNAVAILABLE',
      hint: expect.stringContaining('zstd:chunked'),
    })
  })

  it.each(['[{"id":"../../x"}]', '[{"id":"ab","layer":"/etc"}]', '{}', '[', '[{"id":7}]'])(
    'refuses images.json of %s',
    async (text) => {
      const { graph } = await makeOne()
      writeFileSync(join(graph, 'overlay-images/images.json'), text)
      await expect(readImage(graph)).rejects.toMatchObject({ code: 'FORMAT_INVALID' })
    },
  )

  it.each([
    ['/nowhere/at/all', 'STORAGE_UNAVAILABLE'],
    ['relative/path', 'STORAGE_UNAVAILABLE'],
    ['btrfs@/var/lib/containers/storage', 'STORAGE_UNAVAILABLE'],
  ])('refuses the storage %s', async (storage, code) => {
    await expect(openContainersStorage({ storage })).rejects.toMatchObject({ code })
  })
})

describe('the storage of a host', () => {
  const text = (graph: string): string => `[storage]\ndriver = "overlay"\ngraphroot = "${graph}"\n`

  it('is the one of CONTAINERS_STORAGE_CONF, with additional ones and without an own one', async () => {
    const { graph } = await makeOne()
    const conf = join(folder, 'storage.conf')
    const main = join(folder, 'main')
    await makeStorage(main, [{ name: 'localhost/main:latest', layers: [] }])
    writeFileSync(conf, `${text(main)}[storage.options]\nadditionalimagestores = ["${graph}", ""]\n`)
    const store = await openContainersStorage({ host: { env: { CONTAINERS_STORAGE_CONF: conf } } })
    const names: string[] = []
    for await (const name of store.tags?.() ?? []) names.push(name)
    expect(names).toEqual(['localhost/main:latest', 'localhost/one:latest'])
    expect(await list(await unpackImage(await openImage(store, 'one')))).toEqual(['etc/', 'etc/motd=hello\n'])
  })

  it('of root is below /var/lib, or where /etc says, before /usr/share', async () => {
    const systemRoot = join(folder, 'system')
    const host = { env: {}, rootful: true, systemRoot }
    const tag = async (): Promise<string | undefined> => {
      for await (const name of (await openContainersStorage({ host })).tags?.() ?? []) return name
      return undefined
    }
    const graph = join(systemRoot, 'var/lib/containers/storage')
    await makeStorage(graph, [{ name: 'default', layers: [] }])
    expect(await tag()).toBe('default')
    for (const place of ['usr/share', 'etc']) {
      const other = join(systemRoot, place, 'graph')
      await makeStorage(other, [{ name: place, layers: [] }])
      mkdirSync(join(systemRoot, place, 'containers'), { recursive: true })
      writeFileSync(join(systemRoot, place, 'containers/storage.conf'), text(other))
      expect(await tag()).toBe(place)
    }
  })

  it('of a user is in the home, or where rootless_storage_path of the system says', async () => {
    const systemRoot = join(folder, 'rootless')
    const home = join(systemRoot, 'home')
    const host = { env: { HOME: home }, rootful: false, systemRoot }
    const tag = async (): Promise<string | undefined> => {
      for await (const name of (await openContainersStorage({ host })).tags?.() ?? []) return name
      return undefined
    }
    await makeStorage(join(home, '.local/share/containers/storage'), [{ name: 'home', layers: [] }])
    mkdirSync(join(systemRoot, 'etc/containers'), { recursive: true })
    // The graphroot of the system is not the user's.
    writeFileSync(join(systemRoot, 'etc/containers/storage.conf'), text('/var/lib/elsewhere'))
    expect(await tag()).toBe('home')
    await makeStorage(join(home, 'path'), [{ name: 'path', layers: [] }])
    const rootless = `${text('/var/lib/elsewhere')}rootless_storage_path = "$HOME/path"\n`
    writeFileSync(join(systemRoot, 'etc/containers/storage.conf'), rootless)
    expect(await tag()).toBe('path')
    await makeStorage(join(home, 'own'), [{ name: 'own', layers: [] }])
    mkdirSync(join(home, '.config/containers'), { recursive: true })
    writeFileSync(join(home, '.config/containers/storage.conf'), text(join(home, 'own')))
    expect(await tag()).toBe('own')
  })

  it('is not guessed when its configuration is broken or missing', async () => {
    const conf = join(folder, 'broken.conf')
    for (const env of [{ CONTAINERS_STORAGE_CONF: `${conf}.none` }, { CONTAINERS_STORAGE_CONF: conf }]) {
      writeFileSync(conf, '[storage\n')
      await expect(openContainersStorage({ host: { env } })).rejects.toMatchObject({
        code: 'STORAGE_UNAVAILABLE',
      })
    }
  })
})
