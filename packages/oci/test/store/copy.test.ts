import { memorySource, type ProgressEvent, utf8 } from '@bootable/bytes'
import {
  blobOf,
  copyImage,
  type Descriptor,
  type ImageIndex,
  type ImageStore,
  isIndex,
  MEDIA_TYPE,
  memoryStore,
  openImage,
  type Platform,
  planCopy,
  putArtifact,
} from '@bootable/oci'
import { expect, test } from 'vitest'
import { putTestImage } from '../fixture.ts'

const AMD64: Platform = { os: 'linux', architecture: 'amd64' }
const ARM64: Platform = { os: 'linux', architecture: 'arm64', variant: 'v8' }

/** An index of two images, with an attestation of the first as BuildKit stores it. */
async function putTestIndex(store: ImageStore, reference: string): Promise<Descriptor> {
  const manifests: Descriptor[] = []
  for (const platform of [AMD64, ARM64]) {
    const image = await putTestImage(store, `single-${platform.architecture}`, {
      platform,
      files: [platform.architecture],
    })
    manifests.push({ ...image, platform })
  }
  const attestation = await putArtifact(store, { artifactType: 'application/vnd.in-toto+json' })
  manifests.push({
    ...attestation,
    platform: { os: 'unknown', architecture: 'unknown' },
    annotations: { 'vnd.docker.reference.digest': manifests[0]?.digest ?? '' },
  })
  const index: ImageIndex = { schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests }
  const raw = utf8(JSON.stringify({ ...index, annotations: { kept: 'yes' } }, undefined, 3))
  return store.putManifest(raw, { mediaType: MEDIA_TYPE.index, reference })
}

async function listOf<T>(list: AsyncIterable<T> | undefined): Promise<T[]> {
  const items: T[] = []
  for await (const each of list ?? []) items.push(each)
  return items
}

test('one platform of an index, with its attestation', async () => {
  const source = memoryStore()
  const whole = await putTestIndex(source, 'all')
  const target = memoryStore()
  const copied = await copyImage({ store: source, reference: 'all' }, target, 'amd64', {
    platforms: ['linux/amd64'],
  })
  expect(copied.digest).not.toBe(whole.digest)
  const manifest = await target.getManifest('amd64')
  if (!isIndex(manifest)) throw new Error('it should be an index')
  expect(manifest.value.manifests.map(({ platform }) => platform?.architecture)).toEqual(['amd64', 'unknown'])
  expect(manifest.value.annotations).toEqual({ kept: 'yes' })
  expect((await openImage(target, 'amd64')).platform).toMatchObject(AMD64)
  for (const entry of manifest.value.manifests) await target.getManifest(entry)
})

test('all platforms of an index leave it byte for byte as it is', async () => {
  const source = memoryStore()
  const whole = await putTestIndex(source, 'all')
  const target = memoryStore()
  const options = { platforms: ['linux/amd64', ARM64] }
  const copied = await copyImage({ store: source, reference: 'all' }, target, ['a', 'b'], options)
  expect(copied.digest).toBe(whole.digest)
  expect(await listOf(target.tags?.())).toEqual(['a', 'b'])
})

test('a platform that is not there is an error that says which are', async () => {
  const source = memoryStore()
  await putTestIndex(source, 'all')
  for (const reference of ['all', 'single-amd64']) {
    const copy = copyImage({ store: source, reference }, memoryStore(), 'x', { platforms: ['linux/s390x'] })
    await expect(copy).rejects.toMatchObject({
      code: 'PLATFORM_MISSING',
      hint: expect.stringContaining('linux/amd64'),
    })
  }
})

test('what refers to an image comes along: to its parts, to its referrers, and only what is wanted', async () => {
  const source = memoryStore()
  const index = await putTestIndex(source, 'all')
  const child = await source.resolve('single-arm64')
  const signature = await putArtifact(source, { artifactType: 'application/vnd.sig', subject: index })
  const countersignature = await putArtifact(source, {
    artifactType: 'application/vnd.sig',
    subject: signature,
    annotations: { of: 'signature' },
  })
  const sbom = await putArtifact(source, {
    artifactType: 'application/vnd.sbom',
    subject: child,
    files: [{ content: blobOf(memorySource(utf8('{"packages":[]}'))), name: 'sbom.json' }],
  })
  const all = memoryStore()
  await copyImage({ store: source, reference: 'all' }, all, 'x', { referrers: true })
  expect(await listOf(all.referrers?.(index))).toMatchObject([{ digest: signature.digest }])
  expect(await listOf(all.referrers?.(signature))).toMatchObject([
    {
      digest: countersignature.digest,
      artifactType: 'application/vnd.sig',
      annotations: { of: 'signature' },
    },
  ])
  expect(await listOf(all.referrers?.(child))).toMatchObject([{ digest: sbom.digest }])
  expect((await openImage(all, '')).manifest.descriptor.digest).toBe(
    (await source.resolve('single-amd64')).digest,
  )

  const some = memoryStore()
  const referrers = ({ artifactType }: Descriptor): boolean => artifactType === 'application/vnd.sbom'
  await copyImage({ store: source, reference: 'all' }, some, 'x', { referrers })
  expect(await listOf(some.referrers?.(index))).toEqual([])
  expect(await listOf(some.referrers?.(child))).toHaveLength(1)
  expect(await listOf(some.referrers?.(child, { artifactType: 'application/vnd.sig' }))).toEqual([])
})

test('a plan says what would move, and moves nothing', async () => {
  const source = memoryStore()
  await putTestImage(source, 'one', { files: ['a', 'b'] })
  const target = memoryStore()
  const image = await openImage(source, 'one')
  const empty = await planCopy(image, target)
  const sizes = [image.config, ...image.layers].map(({ descriptor }) => descriptor.size)
  const blobBytes = sizes.reduce((sum, size) => sum + size, 0)
  expect(empty.bytes).toBe(blobBytes + image.manifest.raw.length)
  expect(await listOf(target.tags?.())).toEqual([])

  await putTestImage(target, 'other', { files: ['a'] })
  const partly = await planCopy(image, target)
  expect(partly.blobs.map(({ action }) => action)).toEqual(['copy', 'present', 'copy'])
  expect(partly.bytes).toBe(empty.bytes - (image.layers[0]?.descriptor.size ?? 0))

  await copyImage(image, target, 'one')
  expect(await planCopy(image, target)).toMatchObject({
    bytes: 0,
    mountable: 0,
    root: { digest: empty.root.digest },
  })
})

test('a plan between two repositories of one registry counts what may be mounted', async () => {
  const source = memoryStore()
  await putTestImage(source, 'one')
  const repository = { host: 'registry.example', repository: 'a' }
  const at = (name: string, store: ImageStore): ImageStore => ({
    ...store,
    repository: { ...repository, repository: name },
  })
  const from = { store: at('a', source), reference: 'one' }
  const plan = await planCopy(from, at('b', memoryStore()))
  expect(plan.blobs.every(({ action }) => action === 'mount')).toBe(true)
  expect(plan.bytes).toBe(plan.root.size)
  expect(plan.mountable).toBe(plan.blobs.reduce((sum, { descriptor }) => sum + descriptor.size, 0))
  const sibling = await planCopy(from, at('a', memoryStore()))
  expect(sibling.blobs.every(({ action }) => action === 'copy')).toBe(true)
})

test('blobs that are there are skipped', async () => {
  const source = memoryStore()
  await putTestImage(source, 'one')
  const target = memoryStore()
  await copyImage({ store: source, reference: 'one' }, target, 'one')
  const events: ProgressEvent[] = []
  await copyImage({ store: source, reference: 'one' }, target, 'two', {
    onProgress: (event) => events.push(event),
  })
  expect(events.map(({ type }) => type)).toEqual(['skip', 'skip', 'skip'])
})
