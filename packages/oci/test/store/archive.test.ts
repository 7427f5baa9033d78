import { gzipSync } from 'node:zlib'
import { BootableError, collect, memorySource, utf8 } from '@bootable/bytes'
import { digestBytes, dockerArchiveStore, MEDIA_TYPE, ociArchiveStore, openImage } from '@bootable/oci'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type TestMember, tarOf } from '../fixture.ts'

const layer = tarOf({ name: 'etc/hostname', content: 'host\n' })
const config = JSON.stringify({
  architecture: 'amd64',
  os: 'linux',
  rootfs: { type: 'layers', diff_ids: [digestBytes(layer)] },
})

/** A docker-archive whose only layer stands at `layer.tar`. */
function dockerArchive(members: readonly TestMember[], entry: object = {}): Uint8Array {
  const manifest = JSON.stringify([{ Config: 'c.json', RepoTags: ['a:b'], Layers: ['layer.tar'], ...entry }])
  return tarOf({ name: 'manifest.json', content: manifest }, { name: 'c.json', content: config }, ...members)
}

/** An OCI archive with this `index.json`. */
function ociArchive(
  members: readonly TestMember[],
  index: object = { schemaVersion: 2, manifests: [] },
): Uint8Array {
  return tarOf(
    { name: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
    { name: 'index.json', content: JSON.stringify(index) },
    ...members,
  )
}

describe('docker-archive', () => {
  const open = (archive: Uint8Array) => dockerArchiveStore(memorySource(archive))

  test('members may be written with ./ and be links to others, as docker save once wrote them', async () => {
    const archive = tarOf(
      {
        name: './manifest.json',
        content: JSON.stringify([
          { Config: './c.json', RepoTags: null, Layers: ['b/layer.tar', 'c/layer.tar'] },
        ]),
      },
      {
        name: './c.json',
        content: JSON.stringify({
          ...JSON.parse(config),
          rootfs: { type: 'layers', diff_ids: [digestBytes(layer), digestBytes(layer)] },
        }),
      },
      { name: './a/layer.tar', content: layer },
      { name: './b/layer.tar', type: '2', linkName: '../a/layer.tar' },
      { name: './c/layer.tar', type: '1', linkName: './a/layer.tar' },
    )
    const image = await openImage(await open(archive), '')
    for (const { descriptor } of image.layers) {
      expect(await collect(await image.store.openBlob(descriptor))).toEqual(layer)
    }
  })

  test('a compressed layer is known by the digest of what is stored', async () => {
    const stored = new Uint8Array(gzipSync(layer))
    const image = await openImage(await open(dockerArchive([{ name: 'layer.tar', content: stored }])), 'a:b')
    expect(image.layers).toEqual([
      {
        descriptor: { mediaType: MEDIA_TYPE.layerGzip, digest: digestBytes(stored), size: stored.length },
        diffId: digestBytes(layer),
        compression: 'gzip',
      },
    ])
  })

  test('a layer that was changed is noticed', async () => {
    const other = tarOf({ name: 'etc/hostname', content: 'evil\n' })
    const image = await openImage(await open(dockerArchive([{ name: 'layer.tar', content: other }])), '')
    const [descriptor] = image.layers.map((each) => each.descriptor)
    await expect(collect(await image.store.openBlob(descriptor as never))).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
    })
  })

  test.each<[string, Uint8Array]>([
    ['no layer', dockerArchive([])],
    ['a layer that is a folder', dockerArchive([{ name: 'layer.tar', type: '5' }])],
    [
      'a layer that is a link to itself',
      dockerArchive([{ name: 'layer.tar', type: '2', linkName: 'layer.tar' }]),
    ],
    [
      'a layer that is a link out',
      dockerArchive([{ name: 'layer.tar', type: '2', linkName: '../../etc/passwd' }]),
    ],
    ['a layer outside', dockerArchive([], { Layers: ['../layer.tar'] })],
    ['an absolute layer', dockerArchive([], { Layers: ['/etc/passwd'] })],
    [
      'more layers than diff ids',
      dockerArchive([{ name: 'layer.tar', content: layer }], { Layers: ['layer.tar', 'layer.tar'] }),
    ],
    [
      'a configuration that is none',
      dockerArchive([{ name: 'layer.tar', content: layer }], { Config: 'layer.tar' }),
    ],
    ['no manifest', tarOf({ name: 'c.json', content: config })],
    ['a manifest that is none', tarOf({ name: 'manifest.json', content: '{}' })],
  ])('%s is refused', async (_, archive) => {
    const error = await open(archive)
      .then((store) => openImage(store, ''))
      .then(
        () => undefined,
        (cause: unknown) => cause,
      )
    expect(BootableError.is(error)).toBe(true)
  })
})

// Each of them would be read and hashed again, 4 MiB at a time, for a few bytes in `manifest.json`.
describe('a docker-archive of many images', () => {
  test('reads what several of them share once', async () => {
    const stored = new Uint8Array(gzipSync(new Uint8Array(100_000)))
    const shared = JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: [digestBytes(layer)] },
    })
    const entries = Array.from({ length: 500 }, (_, index) => ({
      Config: 'c.json',
      RepoTags: [`a:${index}`],
      Layers: ['layer.tar'],
    }))
    const source = memorySource(
      tarOf(
        { name: 'manifest.json', content: JSON.stringify(entries) },
        { name: 'c.json', content: shared },
        { name: 'layer.tar', content: stored },
      ),
    )
    let bytes = 0
    const store = await dockerArchiveStore({
      size: source.size,
      read(offset, target) {
        bytes += target.length
        return source.read(offset, target)
      },
    })
    await openImage(store, 'a:499')
    expect(bytes).toBeLessThan(2 * source.size + 128 * 1024)
  })

  test('is refused when there are too many', async () => {
    const entries = Array.from({ length: 1001 }, () => ({ Config: 'c.json', Layers: [] }))
    const archive = tarOf({ name: 'manifest.json', content: JSON.stringify(entries) })
    await expect(dockerArchiveStore(memorySource(archive))).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
  })
})

describe('oci-archive', () => {
  const open = (archive: Uint8Array) => ociArchiveStore(memorySource(archive))

  test('a member that leads out is refused', async () => {
    for (const name of ['../evil', 'blobs/../../evil']) {
      await expect(open(ociArchive([{ name, content: 'x' }]))).rejects.toHaveProperty('name', 'FormatError')
    }
  })

  test('a member that claims more than there is is refused', async () => {
    await expect(open(ociArchive([{ name: 'blobs/sha256/x', size: 8 ** 11 - 1 }]))).rejects.toMatchObject({
      code: 'FORMAT_TRUNCATED',
    })
  })

  test('of members with one name the last counts, and must be right', async () => {
    const manifest = utf8('{"schemaVersion":2}')
    const digest = digestBytes(manifest)
    const name = `blobs/sha256/${digest.slice('sha256:'.length)}`
    const root = { mediaType: MEDIA_TYPE.manifest, digest, size: manifest.length }
    const index = { schemaVersion: 2, manifests: [root] }
    const [right, wrong] = [
      { name, content: manifest },
      { name, content: '{"schemaVersion":3}' },
    ]
    await expect(openImage(await open(ociArchive([right, wrong], index)), '')).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
    })
    // The right one is what it says it is, but no manifest.
    await expect(openImage(await open(ociArchive([wrong, right], index)), '')).rejects.toMatchObject({
      code: 'FORMAT_INVALID',
    })
  })

  test('documents of absurd size are not read', async () => {
    const large = { name: 'index.json', content: new Uint8Array(5 * 1024 * 1024) }
    await expect(open(ociArchive([large]))).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
  })

  test('damage anywhere ends in an error of ours, or is not noticed because nothing was read there', async () => {
    const whole = dockerArchive([{ name: 'layer.tar', content: layer }])
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const damaged = whole.slice()
        damaged[at] = (damaged[at] as number) ^ change
        try {
          const store = await dockerArchiveStore(memorySource(damaged))
          const image = await openImage(store, '')
          for (const { descriptor } of image.layers) await collect(await store.openBlob(descriptor))
        } catch (error) {
          expect(BootableError.is(error), String(error)).toBe(true)
        }
      }),
      { numRuns: 500 },
    )
  })
})
