import { gzipSync } from 'node:zlib'
import { memorySource, type ProgressEvent, utf8 } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import { blobOf, digestBytes, MEDIA_TYPE, memoryLayerCache, memoryStore, openImage } from '@bootable/oci'
import { checkoutCommit, layerRef, readCommit, verifyRepository } from '@bootable/ostree'
import { lookup } from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import type { LayerFile } from '../../../../tooling/layer-tar.ts'
import { entries, imageOf, importInto, list, paths } from './images.ts'

const BASE = entries('/', 'usr/', 'usr/lib/', 'usr/lib/a=a', 'etc/', 'etc/hosts=h', 'var/')

const CONTEXTS = [
  '/.* system_u:object_r:default_t:s0',
  '/usr/lib/.* -- system_u:object_r:lib_t:s0',
  '/usr/lib/b <<none>>',
]

/** A policy that labels, without the compiled part that only a kernel reads. */
const POLICY: readonly LayerFile[] = entries(
  'etc/selinux/config=SELINUX=permissive\nSELINUXTYPE=test\n',
  'etc/selinux/test/policy/policy.33=',
  `etc/selinux/test/contexts/files/file_contexts=${CONTEXTS.join('\n')}\n`,
)

const label = (inode: { xattrs: ReadonlyMap<string, Uint8Array> } | undefined): string | undefined => {
  const value = inode?.xattrs.get('security.selinux')
  return value && new TextDecoder().decode(value)
}

describe('an imported image', () => {
  test('has a commit for each layer, one of all, and refs for both', async () => {
    const image = await imageOf([BASE, entries('etc/', 'etc/.wh.hosts=', 'etc/new=n', 'usr/lib/b=b')])
    const { repository, commit, tree, base, manifestDigest, warnings } = await importInto(image)
    expect(base).toBeUndefined()
    expect(warnings).toEqual([])
    expect(manifestDigest).toBe(image.manifest.descriptor.digest)
    expect(paths(tree)).toEqual([
      'usr/',
      'usr/etc/',
      'usr/etc/new',
      'usr/lib/',
      'usr/lib/a',
      'usr/lib/b',
      'var/',
    ])

    const [first, second] = image.layers.map(({ descriptor }) => layerRef(descriptor.digest)) as [
      string,
      string,
    ]
    expect([...repository.refs.keys()]).toEqual([
      first,
      second,
      'ostree/container/image/docker_3A__2F__2F_registry_2E_example_2E_com/os_3A_latest',
    ])
    expect([...repository.refs.values()][2]).toBe(commit)
    const layer = repository.refs.get(second) as string
    expect(paths(checkoutCommit(repository, layer))).toEqual([
      'usr/',
      'usr/etc/',
      'usr/etc/.wh.hosts',
      'usr/etc/new',
      'usr/lib/',
      'usr/lib/b',
    ])
    const { metadata, timestamp, parent, subject, body } = readCommit(repository, layer)
    expect([...metadata]).toEqual([['ostree.importer.version', '0.15.3']])
    expect({ timestamp, parent, subject, body }).toEqual({ timestamp: 1_767_323_045, subject: '', body: '' })
    expect((await verifyRepository(repository, { runtime: nodeRuntime })).findings).toEqual([])
  })

  test('says which manifest it is of, in the order of ostree-ext', async () => {
    const image = await imageOf([BASE], { labels: { 'containers.bootc': '1' } })
    const { repository, commit } = await importInto(image, { importerVersion: '9' })
    const { metadata, timestamp, parent } = readCommit(repository, commit)
    expect([...metadata.keys()]).toEqual([
      'ostree.container.image-config',
      'ostree.importer.version',
      'ostree.manifest',
      'ostree.manifest-digest',
    ])
    expect(JSON.parse(metadata.get('ostree.manifest') as string)).toEqual(image.manifest.value)
    expect(JSON.parse(metadata.get('ostree.container.image-config') as string)).toEqual(image.config.value)
    expect(metadata.get('ostree.manifest-digest')).toBe(image.manifest.descriptor.digest)
    expect(metadata.get('ostree.importer.version')).toBe('9')
    expect({ timestamp, parent }).toEqual({ timestamp: 1_767_323_045 })
  })

  test('shows the inodes of its objects, equal files being one', async () => {
    const { repository, tree } = await importInto(await imageOf([BASE, entries('usr/lib/copy=a')]))
    const inode = lookup(tree, 'usr/lib/a') as never
    expect(lookup(tree, 'usr/lib/copy')).toBe(inode)
    expect(repository.checksum(inode)).toMatch(/^[0-9a-f]{64}$/)
  })

  test('is the same each time', async () => {
    const image = await imageOf([BASE, entries('usr/x=1')])
    expect((await importInto(image)).commit).toBe((await importInto(image)).commit)
  })

  test('a layer that comes twice is committed once and laid down twice', async () => {
    const image = await imageOf([BASE, entries('usr/x=1'), entries('usr/.wh.x='), entries('usr/x=1')])
    const { repository, tree } = await importInto(image)
    expect(lookup(tree, 'usr/x')?.type).toBe('file')
    expect(repository.refs.size).toBe(4)
  })

  test('reads each content once', async () => {
    const data = 'x'.repeat(100_000)
    const image = await imageOf([[...BASE, ...entries(`usr/big=${data}`, 'usr/link==usr/big')], POLICY])
    const cache = memoryLayerCache()
    let read = 0
    const counting: typeof cache = {
      ...cache,
      async create(diffId) {
        const writer = await cache.create(diffId)
        return {
          ...writer,
          async commit(found) {
            const layer = await writer.commit(found)
            const content = {
              size: layer.content.size,
              async read(offset: number, target: Uint8Array) {
                read += target.length
                await layer.content.read(offset, target)
              },
            }
            return { ...layer, content }
          },
        }
      },
    }
    await importInto(image, { cache: counting })
    expect(read).toBeGreaterThan(data.length)
    expect(read).toBeLessThan(2 * data.length)
  })

  test('warns of paths that it leaves out', async () => {
    const image = await imageOf([BASE, entries('run/x=', 'run/y=', 'dev/null!character', 'opt/z=')])
    const { tree, warnings } = await importInto(image)
    expect(lookup(tree, 'opt/z')).toBeDefined()
    expect(warnings).toEqual([
      expect.objectContaining({ message: expect.stringMatching(/left out \(\/dev: 1, \/run: 2\)$/) }),
    ])
  })

  test('progress of the layers is told apart', async () => {
    const events: ProgressEvent[] = []
    const image = await imageOf([BASE, entries('usr/y=1')])
    await importInto(image, { onProgress: (event) => events.push(event) })
    const started = events.flatMap((event) => (event.type === 'start' ? [event.id] : []))
    expect(new Set(started).size).toBe(started.length)
  })

  test('a cancelled import rejects with the reason', async () => {
    const reason = new Error('enough')
    const image = await imageOf([BASE])
    await expect(importInto(image, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })
})

describe('the time of an image', () => {
  test.each([
    ['2026-01-02T03:04:05Z', 1_767_323_045],
    ['2026-01-02t03:04:05.999999999z', 1_767_323_045],
    ['2026-01-02T05:04:05+02:00', 1_767_323_045],
    ['1960-01-01T00:00:00Z', 0],
    ['yesterday', 77],
    ['2026-13-02T03:04:05Z', 77],
  ])('%s is %i', async (created, expected) => {
    const { repository, commit } = await importInto(await imageOf([BASE], { created }), { clock: 77 })
    expect(readCommit(repository, commit).timestamp).toBe(expected)
  })
})

describe('an image with an SELinux policy', () => {
  test('is labelled by path, layers and whole alike, and shares its objects with them', async () => {
    const image = await imageOf([
      [...BASE, ...POLICY],
      entries('usr/lib/b=b', 'usr/lib/c=c', 'usr/c==usr/lib/c', 'usr/lib/.wh.a=', 'proc/'),
    ])
    const { repository, tree } = await importInto(image)
    const whole = [...repository.refs.values()]
    const layer = checkoutCommit(repository, whole[1] as string)
    for (const place of [tree, layer]) {
      expect(label(lookup(place, 'usr/lib/c'))).toBe('system_u:object_r:lib_t:s0\0')
      expect(label(lookup(place, 'usr/c'))).toBe('system_u:object_r:default_t:s0\0')
      expect(label(lookup(place, 'usr/lib'))).toBe('system_u:object_r:default_t:s0\0')
      expect(label(lookup(place, 'usr/lib/b'))).toBeUndefined()
    }
    expect(label(lookup(layer, 'usr/lib/.wh.a'))).toBe('system_u:object_r:lib_t:s0\0')
    expect(lookup(tree, 'usr/lib/c')).toBe(lookup(layer, 'usr/lib/c'))
    const unlabelled = [...repository.objects()].filter(({ checksum, type }) => {
      return type === 'file' && label(repository.file(checksum)) === undefined
    })
    expect(unlabelled).toHaveLength(1)
  })

  test('keeps the labels of its layers where nobody asks for the policy', async () => {
    const { tree } = await importInto(await imageOf([[...BASE, ...POLICY]]), { policy: 'none' })
    expect(label(lookup(tree, 'usr/lib/a'))).toBeUndefined()
  })
})

describe('what cannot be deployed', () => {
  const cases: [string, string, LayerFile[], RegExp][] = [
    ['no /etc', 'OSTREE_INVALID_ETC', entries('usr/a='), /neither \/etc nor \/usr\/etc/],
    ['/etc as a link', 'OSTREE_INVALID_ETC', entries('usr/a=', 'etc->usr/a'), /usr\/etc is a symlink/],
    ['no layers at all', 'OSTREE_INVALID_ETC', [], /neither/],
    ['a device', 'OSTREE_UNSUPPORTED_FILE', entries('etc/', 'usr/null!character'), /^layer 0 .*"usr\/null"/],
    ['a link into another layer', 'OSTREE_INVALID_LAYER', entries('etc/a==usr/x'), /"usr\/etc\/a".*\/usr\/x/],
    ['a file from which /etc hangs', 'OSTREE_INVALID_LAYER', entries('usr=', 'etc/a='), /\/usr is a file/],
  ]
  test.each(cases)('%s', async (_, code, layer, message) => {
    await expect(importInto(await imageOf([layer]))).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    })
  })

  test('a reference that cannot be a ref, before anything is fetched', async () => {
    await expect(importInto(await imageOf([BASE]), { reference: '' })).rejects.toMatchObject({
      code: 'OSTREE_INVALID_REF',
    })
  })
})

test('an image of Docker is described as OCI has it, the digest being the one that is served', async () => {
  const source = await imageOf([BASE])
  const store = memoryStore()
  const tar = await source.store.openBlob(source.layers[0]?.descriptor as never)
  const chunks: Uint8Array[] = []
  for await (const chunk of tar) chunks.push(chunk)
  const blob = new Uint8Array(gzipSync(Buffer.concat(chunks)))
  const config = {
    ...source.config.value,
    container_config: { Cmd: ['x'] },
    docker_version: '1',
    config: { Hostname: 'h', Env: ['A=b'], Volumes: null, Labels: { z: '1', a: '2' } },
  }
  const put = async (bytes: Uint8Array, mediaType: string) => {
    const descriptor = { mediaType, digest: digestBytes(bytes), size: bytes.length }
    return store.putBlob(blobOf(memorySource(bytes)), { descriptor })
  }
  const manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.dockerManifest,
    config: await put(utf8(JSON.stringify(config)), MEDIA_TYPE.dockerConfig),
    layers: [await put(blob, MEDIA_TYPE.dockerLayerGzip)],
  }
  const raw = utf8(JSON.stringify(manifest))
  await store.putManifest(raw, { mediaType: MEDIA_TYPE.dockerManifest, reference: 'docker' })
  const { repository, commit } = await importInto(await openImage(store, 'docker'))
  const { metadata } = readCommit(repository, commit)
  expect(metadata.get('ostree.manifest-digest')).toBe(digestBytes(raw))
  expect(metadata.get('ostree.manifest')).toBe(
    `{"config":{"digest":"${manifest.config.digest}","mediaType":"${MEDIA_TYPE.config}","size":${manifest.config.size}},` +
      `"layers":[{"digest":"${digestBytes(blob)}","mediaType":"${MEDIA_TYPE.layerGzip}","size":${blob.length}}],` +
      `"mediaType":"${MEDIA_TYPE.manifest}","schemaVersion":2}`,
  )
  expect(metadata.get('ostree.container.image-config')).toBe(
    `{"architecture":"amd64","config":{"Env":["A=b"],"Labels":{"a":"2","z":"1"}},"created":"2026-01-02T03:04:05Z",` +
      `"os":"linux","rootfs":{"diff_ids":["${source.layers[0]?.diffId}"],"type":"layers"}}`,
  )
})

test('the tree is listed with its owners', async () => {
  const { tree } = await importInto(await imageOf([entries('5 /', '6 etc/', '7 usr/')]))
  expect(await list(tree)).toEqual(['6 755 /', '7 750 usr/', '6 750 usr/etc/'])
})
