import { memorySource, utf8 } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import {
  buildDisk,
  checkDiskUpdate,
  type ImageStore,
  inspectDisk,
  type LayoutName,
  memoryOutput,
  openImage,
} from '@bootable/core'
import { blobOf, type ImageConfig, MEDIA_TYPE } from '@bootable/oci'
import { beforeAll, describe, expect, it } from 'vitest'
import { createSampleImage, SAMPLE_REFERENCE } from '../../../../tooling/sample/sample-image.ts'

const runtime = nodeRuntime
const TARGET = 'quay.io/example/os:latest'

let store: ImageStore
let disk: Awaited<ReturnType<typeof build>>
beforeAll(async () => {
  store = await createSampleImage()
  disk = await build('ostree')
})

async function build(layout: LayoutName): Promise<ReturnType<ReturnType<typeof memoryOutput>['device']>> {
  const image = await openImage(store, SAMPLE_REFERENCE)
  const output = memoryOutput('raw')
  const bootloader = layout === 'ostree' ? 'none' : 'auto'
  const size = 'minimum'
  const targetReference = TARGET
  await buildDisk({ image, layout, targetReference, bootloader, size, outputs: [output], runtime })
  return output.device()
}

/** The next version: the same layers under another configuration. */
async function publish(version: string): Promise<void> {
  const { manifest, config } = await openImage(store, SAMPLE_REFERENCE)
  const next: ImageConfig = {
    ...config.value,
    config: { ...config.value.config, Labels: { 'org.opencontainers.image.version': version } },
  }
  const content = blobOf(memorySource(utf8(JSON.stringify(next))))
  const descriptor = { ...(await store.putBlob(content)), mediaType: MEDIA_TYPE.config }
  const raw = utf8(JSON.stringify({ ...manifest.value, config: descriptor }))
  await store.putManifest(raw, { mediaType: MEDIA_TYPE.manifest, reference: SAMPLE_REFERENCE })
}

describe('a disk in the ostree layout', () => {
  it('is shown with its deployment', async () => {
    const { manifest, config, layers } = await openImage(store, SAMPLE_REFERENCE)
    const { system } = await inspectDisk(disk, { runtime })
    expect(system).toMatchObject({ layout: 'ostree', findings: [] })
    expect(system?.kernels).toHaveLength(1)
    expect(system?.osRelease.ID).toBeTruthy()
    expect(system?.deployments).toMatchObject([
      {
        stateroot: 'default',
        serial: 0,
        isDefault: true,
        kernelVersion: system?.kernels[0],
        origin: { image: { transport: 'docker', name: TARGET, signature: { type: 'unverified' } } },
        image: {
          manifestDigest: manifest.descriptor.digest,
          configDigest: config.descriptor.digest,
          layers: layers.map(({ descriptor: { digest }, diffId }) => ({ digest, diffId, stored: true })),
        },
        findings: [],
      },
    ])
    expect(system?.deployments[0]?.kernelArguments.at(-1)).toMatch(/^ostree=\/ostree\/boot\.1\/default\//)
  })

  it('is compared with what its reference stands for now', async () => {
    const asked: unknown[] = []
    const openStore = async (source: unknown): Promise<ImageStore> => {
      asked.push(source)
      return store
    }
    expect(await checkDiskUpdate(disk, { runtime, openStore })).toMatchObject({
      reference: `docker://${TARGET}`,
      changed: false,
    })
    expect(asked).toEqual([{ transport: 'docker', reference: TARGET }])

    await publish('2')
    expect(await checkDiskUpdate(disk, { runtime, openStore })).toMatchObject({
      deployed: { version: '1' },
      available: { version: '2' },
      changed: true,
      layers: { total: 3, missing: 0 },
      bytes: 0,
    })
    const image = `oci:elsewhere:${SAMPLE_REFERENCE}`
    expect(await checkDiskUpdate(disk, { runtime, openStore, image })).toMatchObject({ reference: image })
    await expect(checkDiskUpdate(disk, { runtime, image })).rejects.toMatchObject({
      code: 'SOURCE_UNSUPPORTED',
    })
  })
})

describe('a disk in the plain layout', () => {
  it('has no updates to check', async () => {
    const plain = await build('plain')
    expect((await inspectDisk(plain, { runtime })).system).toMatchObject({ layout: 'plain', deployments: [] })
    await expect(checkDiskUpdate(plain, { runtime })).rejects.toMatchObject({ code: 'UPDATE_UNAVAILABLE' })
  })
})
