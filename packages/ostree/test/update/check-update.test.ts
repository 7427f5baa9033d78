import { utf8 } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import {
  createManifest,
  type Descriptor,
  type ImageManifest,
  type ImageStore,
  MEDIA_TYPE,
  memoryStore,
  openImage,
  putImage,
  writeLayerTar,
} from '@bootable/oci'
import { createFile, createTree, putInode } from '@bootable/tree'
import { beforeEach, describe, expect, it } from 'vitest'
import { checkUpdate, type DeployedImage, type Deployment, readDeployments } from '../../src/index.ts'
import { imageMetadata, makeSysroot, sum } from '../inspect/make-sysroot.ts'

const layer = (text: string) => () => {
  const tree = createTree()
  putInode(tree, 'file', createFile(text))
  return writeLayerTar(tree)
}

async function push(
  store: ImageStore,
  reference: string,
  texts: readonly string[],
  version: string,
): Promise<void> {
  const config = { Labels: { 'org.opencontainers.image.version': version } }
  const parts = { layers: texts.map(layer), created: '2025-06-15T14:26:40Z', config }
  await putImage(store, parts, { reference, runtime: nodeRuntime })
}

/** What a machine knows that was made from an image of a store. */
async function deploy(store: ImageStore, reference: string): Promise<DeployedImage> {
  const { manifest, config, layers, platform } = await openImage(store, reference)
  return {
    reference: `docker://quay.io/example/os:${reference}`,
    manifestDigest: manifest.descriptor.digest,
    configDigest: config.descriptor.digest,
    platform,
    version: '1',
    layers: layers.map(({ descriptor: { digest }, diffId }) => ({ digest, diffId })),
  }
}

let store: ImageStore
let deployed: DeployedImage
beforeEach(async () => {
  store = memoryStore({ runtime: nodeRuntime })
  await push(store, 'latest', ['base', 'app'], '1')
  deployed = await deploy(store, 'latest')
})

describe('checkUpdate', () => {
  it('finds nothing to do while the digest is the same', async () => {
    expect(await checkUpdate(deployed, store)).toEqual({
      reference: 'docker://quay.io/example/os:latest',
      deployed: { digest: deployed.manifestDigest, version: '1' },
      available: { digest: deployed.manifestDigest, version: '1', created: '2025-06-15T14:26:40Z' },
      changed: false,
      layers: { total: 2, missing: 0 },
      bytes: 0,
    })
  })

  it('counts what a new image has that the machine has not, each layer once', async () => {
    await push(store, 'latest', ['base', 'new app', 'new app'], '2')
    const { manifest, layers } = await openImage(store, 'latest')
    expect(await checkUpdate(deployed, store)).toMatchObject({
      available: { digest: manifest.descriptor.digest, version: '2' },
      changed: true,
      layers: { total: 3, missing: 1 },
      bytes: layers[1]?.descriptor.size,
    })
  })

  it('heeds further layers that the machine holds', async () => {
    await push(store, 'latest', ['base', 'new app'], '2')
    const { layers } = await openImage(store, 'latest')
    const storedLayers = [layers[1]?.descriptor.digest as Descriptor['digest']]
    expect(await checkUpdate(deployed, store, { storedLayers })).toMatchObject({
      changed: true,
      layers: { total: 2, missing: 0 },
      bytes: 0,
    })
  })

  it('knows a layer that was compressed anew by its diff id', async () => {
    const parts = { layers: [layer('base'), layer('other')], created: '2025-06-15T14:26:40Z' }
    await putImage(store, parts, { reference: 'plain', compression: 'none', runtime: nodeRuntime })
    expect(await checkUpdate(deployed, store, { reference: 'plain' })).toMatchObject({
      changed: true,
      layers: { total: 2, missing: 1 },
    })
  })

  it('takes another manifest of the same configuration for the same image', async () => {
    const { value } = (await openImage(store, 'latest')).manifest
    const raw = utf8(JSON.stringify({ ...value, annotations: { pushed: 'again' } } satisfies ImageManifest))
    await store.putManifest(raw, { mediaType: MEDIA_TYPE.manifest, reference: 'latest' })
    const check = await checkUpdate(deployed, store)
    expect(check.available.digest).not.toBe(check.deployed.digest)
    expect(check).toMatchObject({ changed: false, layers: { missing: 0 }, bytes: 0 })
  })

  it('compares with the manifest of the platform, not with the index', async () => {
    await putImage(
      store,
      { layers: [layer('arm')], platform: { architecture: 'arm64', os: 'linux' } },
      { reference: 'arm', runtime: nodeRuntime },
    )
    const entries = await Promise.all(
      ['arm', 'latest'].map(async (reference) => {
        const { manifest, platform } = await openImage(store, reference)
        return { ...manifest.descriptor, platform }
      }),
    )
    const raw = utf8(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: entries }))
    expect(createManifest(raw).mediaType).toBe(MEDIA_TYPE.index)
    await store.putManifest(raw, { mediaType: MEDIA_TYPE.index, reference: 'index' })
    expect(await checkUpdate(deployed, store, { reference: 'index' })).toMatchObject({ changed: false })
    const platform = 'linux/arm64'
    expect(await checkUpdate(deployed, store, { reference: 'index', platform })).toMatchObject({
      changed: true,
      layers: { total: 1, missing: 1 },
    })
    await expect(checkUpdate(deployed, store, { reference: 'arm' })).rejects.toMatchObject({
      code: 'PLATFORM_MISSING',
    })
  })

  it('rejects with the reason of a cancelled call', async () => {
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(checkUpdate(deployed, store, { signal })).rejects.toThrow('enough')
  })
})

describe('checkUpdate of a deployment', () => {
  const read = async (origin: string, metadata = imageMetadata('1', ['one', 'two'])): Promise<Deployment> => {
    const blobs = [`sha256:${sum('one')}`]
    const [deployment] = await readDeployments(makeSysroot([{ name: '1', origin, metadata, blobs }]))
    return deployment as Deployment
  }
  const FOLLOWS = '[origin]\ncontainer-image-reference=ostree-unverified-registry:quay.io/example/os:latest\n'

  it('compares its image with what the store has', async () => {
    expect(await checkUpdate(await read(FOLLOWS), store)).toMatchObject({
      reference: 'docker://quay.io/example/os:latest',
      deployed: { digest: `sha256:${sum('manifest 1')}`, version: '1' },
      changed: true,
      layers: { total: 2, missing: 2 },
    })
  })

  it.each<[what: string, origin: string, metadata?: ReturnType<typeof imageMetadata>]>([
    ['follows a branch of ostree', '[origin]\nrefspec=fixture/x86_64\n'],
    ['was not made from an image', FOLLOWS, new Map()],
  ])('refuses one that %s', async (_, origin, metadata) => {
    await expect(checkUpdate(await read(origin, metadata), store)).rejects.toMatchObject({
      code: 'OSTREE_NO_IMAGE',
    })
  })
})
