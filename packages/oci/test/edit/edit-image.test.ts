import { nodeRuntime } from '@bootable/bytes/node'
import {
  baseOf,
  buildIndex,
  convertManifest,
  describeEntry,
  diffImages,
  editImage,
  editIndex,
  type Image,
  type ImageIndex,
  type ImageStore,
  memoryStore,
  openImage,
  putImage,
  rebaseImage,
  unpackImage,
  writeLayerTar,
} from '@bootable/oci'
import { createFile, createTree, putInode } from '@bootable/tree'
import { describe, expect, it } from 'vitest'
import { list } from '../unpack/layers.ts'

const layer = (path: string, content: string) => () => {
  const tree = createTree()
  putInode(tree, path, createFile(content))
  return writeLayerTar(tree)
}

/** An image of these files, one a layer, with a history of them. */
async function makeImage(
  store: ImageStore,
  files: readonly string[],
  reference: string,
  architecture = 'amd64',
): Promise<Image> {
  await putImage(
    store,
    {
      layers: [],
      platform: { architecture, os: 'linux' },
      config: { Env: ['PATH=/bin', 'A=1'], Labels: { old: 'x', kept: 'y' } },
    },
    { reference: 'empty' },
  )
  const appendLayers = files.map((name) => ({
    open: layer(name, name),
    history: { created_by: `add ${name}` },
  }))
  const changes = { appendLayers, history: [{ created_by: `ENV of ${reference}` }] }
  await editImage(await openImage(store, 'empty'), changes, store, { reference, runtime: nodeRuntime })
  return openImage(store, reference)
}

const added = ({ config }: Image) =>
  (config.value.history ?? []).map(
    ({ created_by: by, empty_layer: empty }) => `${by ?? '?'}${empty ? ' -' : ''}`,
  )

describe('editImage', () => {
  it('appends layers and changes what it is told, into another store', async () => {
    const image = await makeImage(memoryStore(), ['base'], 'base')
    const target = memoryStore()
    const descriptor = await editImage(
      image,
      {
        appendLayers: [
          { open: layer('upper', 'u'), history: { created_by: 'test' }, annotations: { a: 'b' } },
        ],
        labels: { old: null, new: 'z' },
        env: { A: '2', B: '3', PATH: null, NONE: null },
        annotations: { note: 'n' },
        created: '2025-06-15T15:06:40Z',
        platform: { architecture: 'arm64', os: 'linux', variant: 'v8' },
        config: (config) => ({ ...config, author: 'somebody' }),
      },
      target,
      { reference: 'edited', runtime: nodeRuntime },
    )
    const edited = await openImage(target, 'edited')
    expect(edited.manifest.descriptor.digest).toBe(descriptor.digest)
    expect(await list(await unpackImage(edited))).toEqual(['base=base', 'upper=u'])
    expect(edited.config.value).toMatchObject({
      architecture: 'arm64',
      variant: 'v8',
      author: 'somebody',
      created: '2025-06-15T15:06:40Z',
      config: { Env: ['A=2', 'B=3'], Labels: { kept: 'y', new: 'z' } },
    })
    expect(edited.manifest.value.annotations).toEqual({ note: 'n' })
    expect(edited.layers[1]?.descriptor.annotations).toEqual({ a: 'b' })
    expect(added(edited)).toEqual(['add base', 'ENV of base -', 'test'])
    expect(edited.layers[0]?.descriptor).toEqual(image.layers[0]?.descriptor)
  })

  it('makes the same image each time, and the very same one without changes', async () => {
    const image = await makeImage(memoryStore(), ['base'], 'base')
    const changes = { appendLayers: [{ open: layer('x', 'y'.repeat(3_000_000)) }], labels: { a: 'b' } }
    const make = async (compression: 'gzip' | 'none') =>
      (await editImage(image, changes, memoryStore(), { compression, runtime: nodeRuntime })).digest
    expect(await make('gzip')).toBe(await make('gzip'))
    expect(await make('none')).not.toBe(await make('gzip'))
    expect((await editImage(image, {}, memoryStore())).digest).toBe(image.manifest.descriptor.digest)
  })

  it('gives layers without a history entries that say nothing', async () => {
    const store = memoryStore()
    await putImage(store, { layers: [layer('a', '1'), layer('b', '2')] }, { reference: 'x' })
    const appendLayers = [{ open: layer('c', '3'), history: { created_by: 'c' } }]
    const { digest } = await editImage(await openImage(store, 'x'), { appendLayers }, store)
    expect(added(await openImage(store, digest))).toEqual(['?', '?', 'c'])
  })

  it('becomes an image of Docker and comes back', async () => {
    const store = memoryStore()
    const image = await makeImage(store, ['base'], 'base')
    const docker = await editImage(image, { mediaTypes: 'docker' }, store)
    expect(docker.mediaType).toBe('application/vnd.docker.distribution.manifest.v2+json')
    const opened = await openImage(store, docker.digest)
    expect(opened.manifest.value.layers[0]?.mediaType).toMatch(/docker/)
    expect((await editImage(opened, { mediaTypes: 'oci' }, store)).digest).toBe(
      image.manifest.descriptor.digest,
    )
    await expect(editImage(opened, { annotations: { a: 'b' } }, store)).rejects.toMatchObject({
      code: 'EDIT_INVALID',
    })
    // What is appended to a Docker image is Docker's.
    const more = await editImage(opened, { appendLayers: [{ open: layer('c', '3') }] }, store)
    const types = (await openImage(store, more.digest)).manifest.value.layers.map(
      ({ mediaType }) => mediaType,
    )
    expect(new Set(types)).toEqual(new Set(['application/vnd.docker.image.rootfs.diff.tar.gzip']))
  })

  it('refuses a configuration that is none', async () => {
    const image = await makeImage(memoryStore(), ['base'], 'base')
    const config = () => ({ architecture: 7 }) as never
    await expect(editImage(image, { config }, memoryStore())).rejects.toMatchObject({
      code: 'FORMAT_INVALID',
    })
  })

  it('passes on the error of a layer and stores no image', async () => {
    const store = memoryStore()
    const image = await makeImage(store, ['base'], 'base')
    const open = async function* (): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(512)
      throw new Error('cut')
    }
    await expect(editImage(image, { appendLayers: [{ open }] }, store, { reference: 'new' })).rejects.toThrow(
      'cut',
    )
    await expect(store.resolve('new')).rejects.toMatchObject({ code: 'REFERENCE_UNKNOWN' })
  })
})

describe('convertManifest', () => {
  it('refuses what Docker has not', async () => {
    const { value } = (await makeImage(memoryStore(), ['base'], 'base')).manifest
    const artifact = { ...value, artifactType: 'application/x' }
    expect(() => convertManifest(artifact, 'docker')).toThrow(
      expect.objectContaining({ code: 'MEDIA_TYPE_UNSUPPORTED' }),
    )
    const other = { ...value, layers: value.layers.map((each) => ({ ...each, mediaType: 'text/plain' })) }
    expect(() => convertManifest(other, 'docker')).toThrow(
      expect.objectContaining({ code: 'MEDIA_TYPE_UNSUPPORTED' }),
    )
  })
})

describe('rebaseImage', () => {
  it('moves the upper layers and merges the histories', async () => {
    const store = memoryStore()
    const oldBase = await makeImage(store, ['a', 'b'], 'old')
    const newBase = await makeImage(memoryStore(), ['a', 'c', 'd'], 'new')
    const appendLayers = [{ open: layer('app', 'app'), history: { created_by: 'add app' } }]
    const annotations = { 'org.opencontainers.image.base.name': 'example.org/base:1' }
    const changes = { appendLayers, annotations, labels: { app: 'yes' } }
    await editImage(oldBase, changes, store, { reference: 'app' })
    const image = await openImage(store, 'app')
    const target = memoryStore()
    await rebaseImage(image, oldBase, newBase, target, { reference: 'app' })
    const rebased = await openImage(target, 'app')
    expect(await list(await unpackImage(rebased))).toEqual(['a=a', 'app=app', 'c=c', 'd=d'])
    expect(rebased.config.value.config?.Labels).toMatchObject({ app: 'yes' })
    // What the old base did after its last layer is told of once more: nobody can know whose it was.
    expect(added(rebased)).toEqual(['add a', 'add c', 'add d', 'ENV of new -', 'ENV of old -', 'add app'])
    expect(baseOf(rebased)).toEqual({
      name: 'example.org/base:1',
      digest: newBase.manifest.descriptor.digest,
    })
    const named = await rebaseImage(image, oldBase, newBase, target, { baseName: 'example.org/base:2' })
    expect(baseOf(await openImage(target, named.digest)).name).toBe('example.org/base:2')
  })

  it('refuses a base that is none, and one for another machine', async () => {
    const store = memoryStore()
    const image = await makeImage(store, ['a', 'b'], 'image')
    const [other, longer] = [
      await makeImage(store, ['a', 'x'], 'x'),
      await makeImage(store, ['a', 'b', 'c'], 'y'),
    ]
    for (const oldBase of [other, longer]) {
      await expect(rebaseImage(image, oldBase, other, store)).rejects.toMatchObject({
        code: 'REBASE_IMPOSSIBLE',
        details: { layer: oldBase === other ? 1 : 2 },
      })
    }
    const arm64 = await makeImage(memoryStore(), ['a'], 'arm', 'arm64')
    await expect(rebaseImage(image, await makeImage(store, ['a'], 'a'), arm64, store)).rejects.toMatchObject({
      code: 'REBASE_IMPOSSIBLE',
      message: expect.stringContaining('linux/arm64'),
    })
  })
})

describe('buildIndex', () => {
  it('has the platforms of the configurations and the images of other stores', async () => {
    const store = memoryStore()
    const [amd64, arm64] = [
      await makeImage(memoryStore(), ['a'], 'x'),
      await makeImage(store, ['b'], 'y', 'arm64'),
    ]
    const options = { reference: 'multi', annotations: { note: 'n' }, artifactType: 'application/x' }
    await buildIndex(store, [{ image: amd64 }, { image: arm64, annotations: { who: 'arm' } }], options)
    const { value } = await store.getManifest('multi')
    expect(value).toMatchObject({
      annotations: { note: 'n' },
      artifactType: 'application/x',
      manifests: [{ platform: { architecture: 'amd64', os: 'linux' } }, { annotations: { who: 'arm' } }],
    })
    expect(await list(await unpackImage(await openImage(store, 'multi', { platform: 'amd64' })))).toEqual([
      'a=a',
    ])
    expect(await list(await unpackImage(await openImage(store, 'multi', { platform: 'arm64' })))).toEqual([
      'b=b',
    ])

    const newer = await makeImage(store, ['c'], 'z')
    const index = value as ImageIndex
    await buildIndex(store, [{ image: newer }], { reference: 'multi', index })
    const replaced = (await store.getManifest('multi')).value as ImageIndex
    expect(replaced.manifests.map(({ digest }) => digest)).toEqual([
      newer.manifest.descriptor.digest,
      arm64.manifest.descriptor.digest,
    ])
    const without = editIndex(replaced, { remove: ['arm64', newer.manifest.descriptor.digest] })
    expect(without.manifests).toEqual([])
    expect(() => editIndex(without, { remove: ['s390x'] })).toThrow(
      expect.objectContaining({ code: 'EDIT_INVALID' }),
    )
  })

  it('keeps attestations apart', async () => {
    const entry = describeEntry({ image: await makeImage(memoryStore(), ['a'], 'x') })
    const unknown = { architecture: 'unknown', os: 'unknown' }
    const other = { ...entry, digest: `sha256:${'0'.repeat(64)}` as typeof entry.digest, platform: unknown }
    const index = editIndex(
      { schemaVersion: 2, manifests: [] },
      { add: [entry, { ...entry, platform: unknown }, other] },
    )
    expect(index.manifests).toHaveLength(2)
  })
})

async function collectAll<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

describe('diffImages', () => {
  it('tells layers, bytes, configuration and files', async () => {
    const store = memoryStore()
    const before = await makeImage(store, ['a', 'b'], 'before')
    const appendLayers = [{ open: layer('b', 'longer') }, { open: layer('c', 'c') }]
    const changes = { appendLayers, labels: { kept: 'w', old: null }, env: { A: '2' } }
    await editImage(before, changes, store, { reference: 'after', compression: 'none' })
    const after = await openImage(store, 'after')
    const difference = diffImages(before, after)
    expect(difference.sharedLayers.map(({ diffId }) => diffId)).toEqual(
      before.layers.map(({ diffId }) => diffId),
    )
    expect(difference.addedLayers).toEqual(after.layers.slice(2))
    expect(difference.removedLayers).toEqual([])
    const blobs = [after.manifest, after.config, ...after.layers.slice(2)]
    expect(difference.fetchSize).toBe(blobs.reduce((sum, { descriptor }) => sum + descriptor.size, 0))
    expect(difference.config).toEqual([
      { path: 'config.Env', before: ['PATH=/bin', 'A=1'], after: ['PATH=/bin', 'A=2'] },
      { path: 'config.Labels.kept', before: 'y', after: 'w' },
      { path: 'config.Labels.old', before: 'x', after: undefined },
    ])
    const files = await collectAll(difference.files({ times: false }))
    expect(files).toEqual([
      { path: 'b', change: 'changed', reasons: ['size 1 → 6'], sizeBefore: 1, sizeAfter: 6 },
      { path: 'c', change: 'added', reasons: [], sizeAfter: 1 },
    ])
    const back = await collectAll(diffImages(after, before).files())
    expect(back.map(({ path, change }) => `${change} ${path}`)).toEqual(['changed b', 'removed c'])
  })

  it('sees that a layer was only compressed in another way', async () => {
    const store = memoryStore()
    for (const compression of ['gzip', 'none'] as const) {
      await putImage(store, { layers: [layer('a', '1')] }, { reference: compression, compression })
    }
    const [before, after] = [await openImage(store, 'gzip'), await openImage(store, 'none')]
    const difference = diffImages(before, after)
    expect(difference.recompressedLayers).toEqual(after.layers)
    expect(difference.addedLayers).toEqual([])
    expect(difference.fetchSize).toBe(after.manifest.raw.length + (after.layers[0]?.descriptor.size ?? 0))
  })
})
