import { collect, equalBytes, memorySource, readAll, utf8 } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import { containerDisk, copyImage, DISK_ARTIFACT_TYPE, diskArtifact, openImage } from '@bootable/core'
import { type Digest, fetchLayers, type ImageManifest, memoryStore } from '@bootable/oci'
import { describe, expect, it } from 'vitest'
import { findContainerDisk } from '../../src/images/container-disk.ts'
import { composeImage } from '../../src/images/stream-store.ts'

const runtime = nodeRuntime
const DISK = Uint8Array.from({ length: 3_000_000 }, (_, index) => (index * index) % 255)

describe('containerDisk', () => {
  it('is an image with the disk in its only layer, for the user of QEMU', async () => {
    const composed = await containerDisk(memorySource(DISK), {
      runtime,
      architecture: 'arm64',
      clock: 1_700_000_000,
      labels: { a: 'b' },
    })
    const store = memoryStore({ runtime })
    await copyImage(composed, store, 'vm')
    const image = await openImage(store, 'vm')
    expect(image.platform).toEqual({ architecture: 'arm64', os: 'linux' })
    expect(image.config.value).toMatchObject({
      created: '2023-11-14T22:13:20Z',
      config: { Labels: { a: 'b' } },
    })
    const layers = await fetchLayers(image, { runtime })
    expect(layers[0]?.members.map(({ path, type, mode, uid, gid }) => [path, type, mode, uid, gid])).toEqual([
      ['disk', 'directory', 0o755, 107, 107],
      ['disk/disk.qcow2', 'file', 0o440, 107, 107],
    ])
    const content = findContainerDisk(layers)
    expect(content && equalBytes(await readAll(content), DISK)).toBe(true)
  })

  it('is the same image every time', async () => {
    const references = await Promise.all([1, 2].map(() => containerDisk(memorySource(DISK), { runtime })))
    expect(references[0]?.reference).toBe(references[1]?.reference)
  })

  it('is made anew from where a download broke', async () => {
    const { store, reference } = await containerDisk(memorySource(DISK), { runtime })
    const { layers } = (await store.getManifest(reference)).value as ImageManifest
    const [layer] = layers as [ImageManifest['layers'][number]]
    const all = await collect(await store.openBlob(layer))
    const rest = await collect(await store.openBlob(layer, { offset: 1_234_567 }))
    expect(equalBytes(rest, all.subarray(1_234_567))).toBe(true)
  })
})

describe('diskArtifact', () => {
  it('has a layer for each file, which is named, and no configuration', async () => {
    const files = [
      { name: 'disk.qcow2', format: 'qcow2', content: memorySource(DISK) },
      { name: 'disk.raw.zst', format: 'raw', compression: 'zst', content: memorySource(utf8('x')) },
    ] as const
    const store = memoryStore({ runtime })
    const composed = await diskArtifact(files, { runtime, annotations: { note: 'hello' } })
    await copyImage(composed, store, 'disk')
    const manifest = (await store.getManifest('disk')).value as ImageManifest
    expect(manifest).toMatchObject({
      artifactType: DISK_ARTIFACT_TYPE,
      config: { mediaType: 'application/vnd.oci.empty.v1+json', size: 2 },
      annotations: { note: 'hello', 'org.opencontainers.image.created': '1970-01-01T00:00:00Z' },
      layers: [
        {
          mediaType: 'application/x-qemu-disk',
          annotations: { 'org.opencontainers.image.title': 'disk.qcow2' },
        },
        {
          mediaType: 'application/zstd',
          annotations: { 'org.opencontainers.image.title': 'disk.raw.zst' },
        },
      ],
    })
    const [layer] = manifest.layers as [ImageManifest['layers'][number]]
    expect(equalBytes(await collect(await store.openBlob(layer)), DISK)).toBe(true)
  })
})

it('a composed image refuses what it does not hold, and content that changed', async () => {
  let content = utf8('one')
  const composer = composeImage('test', { runtime })
  const layer = await composer.add('text/plain', async function* () {
    yield content
  })
  const { store } = composer.finish({ schemaVersion: 2, config: layer, layers: [layer] })
  content = utf8('two')
  await expect(collect(await store.openBlob(layer))).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
  const digest = `sha256:${'0'.repeat(64)}` as Digest
  const unknown = { mediaType: layer.mediaType, size: layer.size, digest }
  await expect(store.openBlob(unknown)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
  await expect(store.putManifest(content, { mediaType: 'x' })).rejects.toMatchObject({
    code: 'STORE_READ_ONLY',
  })
})
