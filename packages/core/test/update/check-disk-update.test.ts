import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BlockDevice } from '@bootable/bytes'
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
import { openLayout } from '@bootable/oci/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MINIMAL_MACHINE, tarOf, writeLayout } from '../../../../tooling/images.ts'

const runtime = nodeRuntime
const TARGET = 'quay.io/example/os:latest'

const folder = mkdtempSync(join(tmpdir(), 'bootable-update-'))
afterAll(() => rm(folder, { recursive: true }))

let stores: readonly ImageStore[]
let disk: BlockDevice
beforeAll(async () => {
  stores = await Promise.all(['1', '2'].map(publish))
  disk = await build('ostree')
})

/** A version of an image with a base that stays and an application that does not. */
async function publish(version: string): Promise<ImageStore> {
  const app = { name: 'usr/bin/app', data: `application ${version}` }
  writeLayout(join(folder, version), {
    layers: [{ tar: tarOf(MINIMAL_MACHINE) }, { tar: tarOf([app]) }],
    labels: { 'containers.bootc': '1', 'org.opencontainers.image.version': version },
  })
  return openLayout(join(folder, version))
}

async function build(layout: LayoutName): Promise<BlockDevice> {
  const image = await openImage(stores[0] as ImageStore, 'latest')
  const output = memoryOutput('raw')
  const options = { layout, targetReference: TARGET, bootloader: 'none', size: 'minimum' } as const
  await buildDisk({ image, ...options, outputs: [output], runtime })
  return output.device()
}

describe('a disk in the ostree layout', () => {
  it('is shown with its deployment', async () => {
    const { manifest, config, layers } = await openImage(stores[0] as ImageStore, 'latest')
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
      return { ...(stores[asked.length - 1] as ImageStore), close: async () => {} }
    }
    const image = 'oci:elsewhere'
    expect(await checkDiskUpdate(disk, { runtime, openStore })).toMatchObject({
      reference: `docker://${TARGET}`,
      changed: false,
    })
    const { layers } = await openImage(stores[1] as ImageStore, 'latest')
    expect(await checkDiskUpdate(disk, { runtime, openStore })).toMatchObject({
      reference: `docker://${TARGET}`,
      deployed: { version: '1' },
      available: { version: '2' },
      changed: true,
      layers: { total: 2, missing: 1 },
      bytes: layers[1]?.descriptor.size,
    })
    expect(asked).toEqual([
      { transport: 'docker', reference: TARGET },
      { transport: 'docker', reference: TARGET },
    ])
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
