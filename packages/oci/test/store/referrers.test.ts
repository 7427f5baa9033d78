import { mkdtempSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { memorySource, utf8 } from '@bootable/bytes'
import {
  blobOf,
  copyImage,
  digestBytes,
  type ImageManifest,
  type ImageStore,
  MEDIA_TYPE,
  memoryStore,
  openImage,
  putArtifact,
  referrersTag,
} from '@bootable/oci'
import { createLayout } from '@bootable/oci/node'
import { describe, expect, test } from 'vitest'
import { putTestImage, temporaryFolder } from '../fixture.ts'

const folder = temporaryFolder()

async function listOf<T>(list: AsyncIterable<T> | undefined): Promise<T[]> {
  const items: T[] = []
  for await (const each of list ?? []) items.push(each)
  return items
}

// distribution-spec, "Referrers Tag Schema", has these two as its examples' shapes.
test('the tag of referrers is cut to what a tag may be', () => {
  const sha256 = digestBytes(utf8('x'))
  expect(referrersTag(sha256)).toBe(sha256.replace(':', '-'))
  const sha512 = digestBytes(utf8('x'), { algorithm: 'sha512' })
  expect(referrersTag(sha512)).toBe(sha512.replace(':', '-').slice(0, 'sha512-'.length + 64))
})

describe.each<[string, () => Promise<ImageStore>]>([
  ['memory', async () => memoryStore()],
  ['a layout', () => createLayout(mkdtempSync(join(folder, 'layout-')))],
])('%s', (_, create) => {
  test('what refers to an image is found, and does not make it two images', async () => {
    const store = await create()
    const image = await putTestImage(store, 'v1')
    const signature = await putArtifact(store, { artifactType: 'application/vnd.sig', subject: image })
    expect(await listOf(store.referrers?.(image))).toEqual([
      { ...signature, artifactType: 'application/vnd.sig' },
    ])
    expect(await listOf(store.referrers?.(signature))).toEqual([])
    expect((await openImage(store, '')).manifest.descriptor.digest).toBe(image.digest)
    expect(await listOf(store.tags?.())).toEqual(['v1'])
    await store.delete?.(signature)
    expect(await listOf(store.referrers?.(image))).toEqual([])
  })

  test('a list under the referrers tag is read, and believed for what its entries say', async () => {
    const store = await create()
    const image = await putTestImage(store, 'v1')
    const other = await putTestImage(store, 'v2', { files: ['other'] })
    const scratch = memoryStore()
    const artifact = await putArtifact(scratch, { artifactType: 'application/vnd.sig', subject: image })
    const { raw } = await scratch.getManifest(artifact.digest)
    // As regctl writes it: the artifact is a blob that only the list names.
    await store.putBlob(blobOf(memorySource(raw)), { descriptor: artifact })
    const list = utf8(
      JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: [artifact, other] }),
    )
    await store.putManifest(list, { mediaType: MEDIA_TYPE.index, reference: referrersTag(image.digest) })
    expect((await listOf(store.referrers?.(image))).map(({ digest }) => digest)).toEqual([artifact.digest])
  })

  test('a name is forgotten; a manifest is deleted with its names', async () => {
    const store = await create()
    const image = await putTestImage(store, 'v1')
    const { raw, mediaType } = await store.getManifest('v1')
    await store.putManifest(raw, { mediaType, reference: ['v2', 'v3'] })
    await store.delete?.('v2')
    expect((await listOf(store.tags?.())).sort()).toEqual(['v1', 'v3'])
    await expect(store.delete?.('v2')).rejects.toMatchObject({ code: 'REFERENCE_UNKNOWN' })
    await store.delete?.(image.digest)
    expect(await listOf(store.tags?.())).toEqual([])
    await expect(store.getManifest(image)).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' })
    await expect(store.delete?.(image)).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' })
  })

  test('an artifact as image-spec 1.1 wants it', async () => {
    const store = await create()
    const subject = await putTestImage(store, 'v1')
    const bare = await putArtifact(
      store,
      { artifactType: 'application/vnd.bare', subject, annotations: { why: 'test' } },
      { reference: ['bare', 'again'] },
    )
    const empty = { mediaType: MEDIA_TYPE.empty, digest: digestBytes(utf8('{}')), size: 2 }
    const { mediaType, digest, size } = subject
    expect((await store.getManifest('again')).value).toEqual({
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.manifest,
      artifactType: 'application/vnd.bare',
      config: empty,
      layers: [empty],
      subject: { mediaType, digest, size },
      annotations: { why: 'test' },
    })
    const files = [
      { content: blobOf(memorySource(utf8('text'))), name: 'a.txt', mediaType: 'text/plain' },
      { content: blobOf(memorySource(utf8('more'))) },
    ]
    await putArtifact(store, { artifactType: 'application/vnd.files', files }, { reference: 'files' })
    expect(((await store.getManifest('files')).value as ImageManifest).layers).toEqual([
      {
        mediaType: 'text/plain',
        digest: digestBytes(utf8('text')),
        size: 4,
        annotations: { 'org.opencontainers.image.title': 'a.txt' },
      },
      { mediaType: 'application/octet-stream', digest: digestBytes(utf8('more')), size: 4 },
    ])
    expect((await store.resolve('bare')).digest).toBe(bare.digest)
  })
})

test('a layout lists what refers to an image without a name, so that other tools keep it', async () => {
  const path = mkdtempSync(join(folder, 'layout-'))
  const layout = await createLayout(path)
  const memory = memoryStore()
  const image = await putTestImage(memory, 'v1')
  const signature = await putArtifact(memory, { artifactType: 'application/vnd.sig', subject: image })
  await copyImage({ store: memory, reference: 'v1' }, layout, 'v1', { referrers: true })
  const index = JSON.parse(await readFile(join(path, 'index.json'), 'utf8'))
  expect(index.manifests).toMatchObject([{ digest: signature.digest }, { digest: image.digest }])
  expect(index.manifests[0].annotations).toBeUndefined()
  // Names with the same digest twice are one entry.
  await copyImage({ store: memory, reference: 'v1' }, layout, 'v1', { referrers: true })
  expect(JSON.parse(await readFile(join(path, 'index.json'), 'utf8')).manifests).toHaveLength(2)
})
