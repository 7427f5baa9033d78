import { utf8 } from '@bootable/bytes'
import {
  type Descriptor,
  type ImageManifest,
  type ImageStore,
  MEDIA_TYPE,
  memoryStore,
  openImage,
  parsePlatform,
} from '@bootable/oci'
import { describe, expect, test } from 'vitest'
import { putBytes, putTestImage } from '../fixture.ts'

const json = (value: unknown): Uint8Array => utf8(JSON.stringify(value))

async function putIndex(
  store: ImageStore,
  reference: string | undefined,
  manifests: readonly Descriptor[],
): Promise<Descriptor> {
  return store.putManifest(json({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests }), {
    mediaType: MEDIA_TYPE.index,
    ...(reference !== undefined && { reference }),
  })
}

async function putPlatform(store: ImageStore, text: string): Promise<Descriptor> {
  const platform = parsePlatform(text)
  return { ...(await putTestImage(store, '', { platform, files: [text] })), platform }
}

/** Puts the test image with its manifest changed. */
async function putChanged(
  store: ImageStore,
  change: (manifest: ImageManifest) => Partial<ImageManifest>,
): Promise<void> {
  const { value } = await store.getManifest(await putTestImage(store, ''))
  const raw = json({ ...value, ...change(value as ImageManifest) })
  await store.putManifest(raw, { mediaType: MEDIA_TYPE.manifest, reference: 'changed' })
}

describe('openImage', () => {
  test('pairs layers with their diff ids', async () => {
    const store = memoryStore()
    const descriptor = await putTestImage(store, 'latest')
    const image = await openImage(store, 'latest')
    expect(image.manifest.descriptor.digest).toBe(descriptor.digest)
    expect(image.platform).toEqual({ architecture: 'amd64', os: 'linux' })
    expect(image.layers.map(({ diffId }) => diffId)).toEqual(image.config.value.rootfs.diff_ids)
    expect(image.layers.map(({ compression }) => compression)).toEqual(['gzip', 'gzip'])
    expect((await openImage(store, descriptor.digest)).manifest.raw).toEqual(image.manifest.raw)
  })

  test('a single image is taken as it is, unless a platform is asked for', async () => {
    const store = memoryStore()
    await putTestImage(store, 'arm', { platform: { architecture: 'arm64', os: 'linux' } })
    expect((await openImage(store, 'arm')).platform.architecture).toBe('arm64')
    await expect(openImage(store, 'arm', { platform: 'linux/amd64' })).rejects.toMatchObject({
      code: 'PLATFORM_MISSING',
      message: expect.stringContaining('only for linux/arm64'),
    })
  })

  test('chooses from an index, amd64 by default', async () => {
    const store = memoryStore()
    const platforms = ['linux/arm64', 'linux/amd64', 'linux/arm/v6', 'linux/arm/v7']
    await putIndex(store, 'multi', await Promise.all(platforms.map((text) => putPlatform(store, text))))
    expect((await openImage(store, 'multi')).platform.architecture).toBe('amd64')
    expect((await openImage(store, 'multi', { platform: 'aarch64' })).platform.architecture).toBe('arm64')
    const arm = await openImage(store, 'multi', { platform: 'linux/arm/v8' })
    expect(arm.platform).toEqual({ architecture: 'arm', os: 'linux', variant: 'v7' })
    await expect(openImage(store, 'multi', { platform: 's390x' })).rejects.toMatchObject({
      details: { available: platforms },
    })
  })

  test('entries without a platform are looked into; artifacts among them are passed over', async () => {
    const store = memoryStore()
    const image = await putTestImage(store, '')
    const config = await putBytes(store, utf8('{}'), MEDIA_TYPE.empty)
    const artifact = { schemaVersion: 2, mediaType: MEDIA_TYPE.manifest, config, layers: [] }
    const signature = await store.putManifest(json(artifact), { mediaType: MEDIA_TYPE.manifest })
    const readme = await putBytes(store, utf8('# read me'), 'text/markdown')
    await putIndex(store, 'mixed', [readme, signature, await putIndex(store, undefined, [image])])
    expect((await openImage(store, 'mixed')).manifest.descriptor.digest).toBe(image.digest)

    const [amd64, attestation] = [
      await putPlatform(store, 'linux/amd64'),
      { ...signature, platform: parsePlatform('unknown/unknown') },
    ]
    await putIndex(store, 'attested', [attestation, amd64])
    await expect(openImage(store, 'attested', { platform: 'arm64' })).rejects.toMatchObject({
      details: { available: ['linux/amd64'] },
    })
  })

  test('indexes nest at most 8 deep and name at most so many documents', async () => {
    const store = memoryStore()
    const image = await putPlatform(store, 'linux/amd64')
    let entry = image
    for (let depth = 0; depth < 8; depth++) entry = await putIndex(store, `depth ${depth}`, [entry])
    expect((await openImage(store, 'depth 7')).manifest.descriptor.digest).toBe(image.digest)
    await putIndex(store, 'too deep', [entry])
    await expect(openImage(store, 'too deep')).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })

    // Each level names the one below ten times: a hundred million documents without a limit.
    let wide = await putPlatform(store, 'linux/arm64')
    for (let depth = 0; depth < 7; depth++) {
      const { mediaType, digest, size } = wide
      wide = await putIndex(store, 'wide', Array(10).fill({ mediaType, digest, size }))
    }
    await expect(openImage(store, 'wide')).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
  })

  test('refuses layers that are no filesystem layers, too many, or without a diff id', async () => {
    const store = memoryStore()
    await putChanged(store, ({ layers }) => ({
      layers: layers.map((layer) => ({ ...layer, mediaType: 'application/x-wasm' })),
    }))
    await expect(openImage(store, 'changed')).rejects.toMatchObject({
      code: 'MEDIA_TYPE_UNSUPPORTED',
      message: expect.stringContaining('application/x-wasm'),
    })
    await putChanged(store, ({ layers }) => ({ layers: layers.slice(1) }))
    await expect(openImage(store, 'changed')).rejects.toMatchObject({ code: 'FORMAT_INVALID' })
    await putChanged(store, ({ layers }) => ({ layers: [...layers, ...layers] }))
    await expect(openImage(store, 'changed')).rejects.toMatchObject({ code: 'FORMAT_INVALID' })
    await putChanged(store, ({ layers }) => ({ layers: Array(501).fill(layers[0]) }))
    await expect(openImage(store, 'changed')).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
  })

  test('refuses a configuration that is none, is missing, is absurd in size, or is not the promised one', async () => {
    const store = memoryStore()
    await putChanged(store, ({ config }) => ({
      config: { ...config, mediaType: 'application/vnd.cncf.helm.config.v1+json' },
    }))
    await expect(openImage(store, 'changed')).rejects.toMatchObject({ code: 'MEDIA_TYPE_UNSUPPORTED' })
    await putChanged(store, ({ config, layers: [layer] }) => ({
      config: { ...config, digest: (layer as Descriptor).digest },
    }))
    await expect(openImage(store, 'changed')).rejects.toMatchObject({ code: 'SIZE_MISMATCH' })
    await putChanged(store, ({ config }) => ({ config: { ...config, size: 2 ** 40 } }))
    await expect(openImage(store, 'changed')).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
    await putChanged(store, ({ config }) => ({ config: { ...config, size: config.size - 1 } }))
    await expect(openImage(store, 'changed')).rejects.toMatchObject({ code: 'SIZE_MISMATCH' })
  })

  test('a cancelled call rejects with the reason', async () => {
    const store = memoryStore()
    await putTestImage(store, 'latest')
    const reason = new Error('enough')
    await expect(openImage(store, 'latest', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })
})
