import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { memorySource, utf8 } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import {
  blobOf,
  copyImage,
  type Descriptor,
  digestBytes,
  type Image,
  type ImageConfig,
  type ImageManifest,
  type ImageStore,
  MEDIA_TYPE,
  memoryStore,
  openImage,
} from '@bootable/oci'
import {
  createLayout,
  openDockerArchive,
  openLayout,
  openOciArchive,
  writeDockerArchive,
  writeOciArchive,
} from '@bootable/oci/node'
import { beforeAll, describe, expect, test } from 'vitest'
import { oracle, requireTool, runOk, temporaryFolder } from '../../tooling/oracles.ts'

/** skopeo wants a policy; none of ours is a signature. */
const skopeo = (...args: string[]): Promise<{ stdout: string }> =>
  runOk('skopeo', ['--insecure-policy', ...args])

interface Inspected {
  readonly Digest: string
  readonly Architecture: string
  readonly Layers: readonly string[]
}
const inspect = async (where: string, ...options: string[]): Promise<Inspected> =>
  JSON.parse((await skopeo(...options, 'inspect', where)).stdout) as Inspected

const json = (value: unknown): Uint8Array => utf8(JSON.stringify(value))

async function put(store: ImageStore, bytes: Uint8Array, mediaType: string): Promise<Descriptor> {
  const descriptor = { mediaType, digest: digestBytes(bytes), size: bytes.length }
  return store.putBlob(blobOf(memorySource(bytes)), { descriptor })
}

oracle(['skopeo', 'tar', 'gzip'], () => {
  const folder = temporaryFolder()
  const store = memoryStore({ runtime: nodeRuntime })
  let image: Image

  /** Two layers by GNU tar and gzip, the second with a name longer than a header holds. */
  beforeAll(async () => {
    const layers: Descriptor[] = []
    const diffIds = []
    for (const [index, name] of ['etc/hostname', `usr/${'long/'.repeat(40)}file`].entries()) {
      const root = join(folder, `layer${index}`)
      mkdirSync(join(root, name, '..'), { recursive: true })
      writeFileSync(join(root, name), `content ${index}\n`.repeat(1000))
      const tar = await runOk('tar', ['-C', root, '--owner=0', '--group=0', '--mtime=@1750000000', '-c', '.'])
      const gzip = await runOk('gzip', ['-n', '-c'], { input: tar.bytes })
      diffIds.push(digestBytes(tar.bytes))
      layers.push(await put(store, new Uint8Array(gzip.bytes), MEDIA_TYPE.layerGzip))
    }
    const config: ImageConfig = {
      created: '2025-06-15T15:06:40Z',
      architecture: 'amd64',
      os: 'linux',
      config: { Cmd: ['/sbin/init'] },
      rootfs: { type: 'layers', diff_ids: diffIds },
    }
    const manifest: ImageManifest = {
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.manifest,
      config: await put(store, json(config), MEDIA_TYPE.config),
      layers,
    }
    await store.putManifest(json(manifest), { mediaType: MEDIA_TYPE.manifest, reference: 'latest' })
    image = await openImage(store, 'latest')
  })

  const layerDigests = (): string[] => image.layers.map(({ descriptor }) => descriptor.digest)
  const diffIds = (): string[] => image.layers.map(({ diffId }) => diffId)

  describe('what we write', () => {
    test('a layout', async () => {
      const path = join(folder, 'written')
      await copyImage(image, await createLayout(path), 'v1')
      const seen = await inspect(`oci:${path}:v1`)
      expect(seen.Digest).toBe(image.manifest.descriptor.digest)
      expect(seen.Layers).toEqual(layerDigests())
      // A copy reads every blob and checks it.
      await skopeo('copy', `oci:${path}:v1`, `dir:${join(folder, 'from-layout')}`)
      if (requireTool('umoci')) {
        await runOk('umoci', ['unpack', '--rootless', '--image', `${path}:v1`, join(folder, 'bundle')])
      }
    })

    test('an oci-archive', async () => {
      const path = join(folder, 'written.oci.tar')
      await writeOciArchive(path, [{ source: image, name: 'v1' }])
      const seen = await inspect(`oci-archive:${path}:v1`)
      expect(seen.Digest).toBe(image.manifest.descriptor.digest)
      await skopeo('copy', `oci-archive:${path}`, `dir:${join(folder, 'from-oci-archive')}`)
      const tar = await runOk('tar', ['--list', '--verbose', '--file', path])
      expect(tar.stderr).toBe('')
    })

    test('a docker-archive', async () => {
      const path = join(folder, 'written.docker.tar')
      await writeDockerArchive(path, [{ image, tags: ['example.org/a/b:v1'] }])
      const seen = await inspect(`docker-archive:${path}`)
      expect(seen.Layers).toEqual(diffIds())
      const layout = join(folder, 'from-docker-archive')
      await skopeo('copy', `docker-archive:${path}:example.org/a/b:v1`, `oci:${layout}:x`)
      const back = await openImage(await openLayout(layout), 'x')
      expect(back.layers.map(({ diffId }) => diffId)).toEqual(diffIds())
    })
  })

  describe('what skopeo writes', () => {
    let source: string
    beforeAll(async () => {
      const path = join(folder, 'source')
      await copyImage(image, await createLayout(path), 'v1')
      source = `oci:${path}:v1`
    })

    /** Opens an image and reads every blob of it, which checks the digests. */
    async function readBack(from: ImageStore, reference: string): Promise<Image> {
      const read = await openImage(from, reference)
      await copyImage(read, memoryStore({ runtime: nodeRuntime }), 'copy')
      await from.close?.()
      return read
    }

    test('a layout', async () => {
      const path = join(folder, 'theirs')
      await skopeo('copy', source, `oci:${path}:v2`)
      const read = await readBack(await openLayout(path), 'v2')
      expect(read.manifest.raw).toEqual(image.manifest.raw)
    })

    test('an oci-archive', async () => {
      const path = join(folder, 'theirs.oci.tar')
      await skopeo('copy', source, `oci-archive:${path}:v2`)
      const read = await readBack(await openOciArchive(path), 'v2')
      expect(read.manifest.descriptor.digest).toBe(image.manifest.descriptor.digest)
    })

    test('a docker-archive', async () => {
      const path = join(folder, 'theirs.docker.tar')
      await skopeo('copy', source, `docker-archive:${path}:debian:13`)
      const read = await readBack(await openDockerArchive(path), 'docker.io/library/debian:13')
      expect(read.layers.map(({ diffId }) => diffId)).toEqual(diffIds())
      expect(read.config.value.config?.Cmd).toEqual(['/sbin/init'])
    })

    test('a docker-archive with compressed layers', async () => {
      const path = join(folder, 'compressed')
      await skopeo('copy', source, `docker-archive:${path}.tar:a/b:1`)
      // What a shell user makes of one: the layers of the archive through gzip, under the same names.
      mkdirSync(path)
      await runOk('tar', ['-C', path, '-xf', `${path}.tar`])
      for (const diffId of diffIds()) {
        const layer = join(path, `${diffId.slice('sha256:'.length)}.tar`)
        await runOk('gzip', ['-n', layer])
        renameSync(`${layer}.gz`, layer)
      }
      await runOk('tar', ['-C', path, '-cf', `${path}.tar`, '.'])
      const read = await readBack(await openDockerArchive(`${path}.tar`), '')
      expect(read.layers.map(({ compression }) => compression)).toEqual(['gzip', 'gzip'])
      expect(read.layers.map(({ descriptor }) => descriptor.digest)).toEqual(layerDigests())
    })
  })

  test('an index of several platforms means the same to both', async () => {
    const arm64 = { ...image.config.value, architecture: 'arm64', variant: 'v8' }
    const manifest = { ...image.manifest.value, config: await put(store, json(arm64), MEDIA_TYPE.config) }
    const other = await store.putManifest(json(manifest), { mediaType: MEDIA_TYPE.manifest })
    const { mediaType, digest, size } = image.manifest.descriptor
    const manifests = [
      { mediaType, digest, size, platform: { architecture: 'amd64', os: 'linux' } },
      { ...other, platform: { architecture: 'arm64', os: 'linux', variant: 'v8' } },
    ]
    const index = json({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests })
    const root = await store.putManifest(index, { mediaType: MEDIA_TYPE.index, reference: 'multi' })

    const [ours, theirs] = [join(folder, 'multi'), join(folder, 'multi-theirs')]
    await copyImage({ store, reference: 'multi' }, await createLayout(ours), 'multi')
    await skopeo('copy', '--all', `oci:${ours}:multi`, `oci:${theirs}:multi`)
    const read = await openLayout(theirs)
    expect((await read.resolve('multi')).digest).toBe(root.digest)
    for (const [platform, expected] of [
      ['amd64', digest],
      ['arm64', other.digest],
    ] as const) {
      const seen = await inspect(`oci:${ours}:multi`, '--override-arch', platform)
      expect(seen.Architecture).toBe(platform)
      expect((await openImage(read, 'multi', { platform })).manifest.descriptor.digest).toBe(expected)
    }
  })
})
