import { readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { collect, memorySource, utf8 } from '@bootable/bytes'
import { blobOf, copyImage, type LayerDescriptor, memoryStore, openImage } from '@bootable/oci'
import { createLayout, openLayout } from '@bootable/oci/node'
import { describe, expect, test } from 'vitest'
import { listFiles, putBytes, putTestImage, temporaryFolder } from '../fixture.ts'

const folder = temporaryFolder()
let count = 0
const fresh = (): string => join(folder, String(count++))

describe('createLayout', () => {
  test('makes a folder a layout and keeps what is in one', async () => {
    const path = fresh()
    const descriptor = await putTestImage(await createLayout(path), 'v1')
    expect(JSON.parse(await readFile(join(path, 'oci-layout'), 'utf8'))).toEqual({
      imageLayoutVersion: '1.0.0',
    })
    const again = await createLayout(path)
    expect((await again.resolve('v1')).digest).toBe(descriptor.digest)
    await putTestImage(again, 'v2', { files: ['other'] })
    const image = await openImage(await openLayout(path), 'v1')
    for (const layer of image.layers) await collect(await image.store.openBlob(layer.descriptor))
    expect((await listFiles(path)).filter((name) => name.includes('partial'))).toEqual([])
  })

  test('a name that is given again moves; fields of others in index.json stay', async () => {
    const path = fresh()
    const store = await createLayout(path)
    await putTestImage(store, 'v1')
    const index = JSON.parse(await readFile(join(path, 'index.json'), 'utf8'))
    await writeFile(join(path, 'index.json'), JSON.stringify({ ...index, annotations: { by: 'others' } }))
    const moved = await putTestImage(store, 'v1', { files: ['other'] })
    expect((await store.resolve('v1')).digest).toBe(moved.digest)
    const after = JSON.parse(await readFile(join(path, 'index.json'), 'utf8'))
    expect(after.manifests).toHaveLength(1)
    expect(after.annotations).toEqual({ by: 'others' })
  })

  test('names put at once are all there', async () => {
    const store = await createLayout(fresh())
    const names = Array.from({ length: 10 }, (_, index) => `v${index}`)
    await Promise.all(names.map((name) => putTestImage(store, name, { files: [name] })))
    const found = []
    for await (const name of store.tags?.() ?? []) found.push(name)
    expect(found.sort()).toEqual(names)
  })
})

describe('blobs of a layout', () => {
  test('a blob whose digest is not known beforehand gets its name when it is complete', async () => {
    const path = fresh()
    const store = await createLayout(path)
    const bytes = utf8('some content')
    const descriptor = await store.putBlob(blobOf(memorySource(bytes)))
    expect(await collect(await store.openBlob(descriptor))).toEqual(bytes)
    expect((await listFiles(path)).filter((name) => name.includes('.blob'))).toEqual([])
  })

  test('a wrong blob is refused and leaves nothing behind; a cut one that lies there is replaced', async () => {
    const path = fresh()
    const store = await createLayout(path)
    const descriptor = await putBytes(memoryStore(), utf8('the right one'), 'text/plain')
    const before = await listFiles(path)
    await expect(
      store.putBlob(blobOf(memorySource(utf8('the wrong one'))), { descriptor }),
    ).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
    })
    expect(await listFiles(path)).toEqual(before)

    const file = join(path, 'blobs', 'sha256', descriptor.digest.slice('sha256:'.length))
    await writeFile(file, 'the ri')
    await expect(collect(await store.openBlob(descriptor))).rejects.toMatchObject({ code: 'SIZE_MISMATCH' })
    await store.putBlob(blobOf(memorySource(utf8('the right one'))), { descriptor })
    expect(await collect(await store.openBlob(descriptor))).toEqual(utf8('the right one'))
  })

  test('a damaged blob or manifest is noticed', async () => {
    const path = fresh()
    const store = await createLayout(path)
    const descriptor = await putTestImage(store, 'v1')
    const image = await openImage(store, 'v1')
    for (const { digest } of [descriptor, ...image.layers.map((layer) => layer.descriptor)]) {
      const file = join(path, 'blobs', 'sha256', digest.slice('sha256:'.length))
      const bytes = await readFile(file)
      bytes[20] = (bytes[20] as number) ^ 1
      await writeFile(file, bytes)
    }
    await expect(openImage(store, 'v1')).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
    await expect(copyImage(image, memoryStore(), '')).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
  })
})

test('what is no layout is refused with its name', async () => {
  await expect(openLayout(join(folder, 'nowhere'))).rejects.toMatchObject({
    name: 'FormatError',
    message: expect.stringContaining('nowhere'),
  })
  const path = fresh()
  await createLayout(path)
  await writeFile(join(path, 'oci-layout'), '{"imageLayoutVersion":"2.0.0"}')
  await expect(openLayout(path)).rejects.toHaveProperty('name', 'FormatError')
})

test('a link that leads to nothing is a missing blob', async () => {
  const path = fresh()
  const store = await createLayout(path)
  const descriptor = await putBytes(memoryStore(), utf8('x'), 'text/plain')
  await symlink('/nowhere', join(path, 'blobs', 'sha256', descriptor.digest.slice('sha256:'.length)))
  expect(await store.hasBlob(descriptor)).toBe(false)
  await expect(store.openBlob(descriptor)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
})

test('a blob that was cut short is brought again', async () => {
  const source = memoryStore()
  await putTestImage(source, 'v1')
  const path = fresh()
  const layout = await createLayout(path)
  await copyImage({ store: source, reference: 'v1' }, layout, 'v1')
  const { layers } = await openImage(layout, 'v1')
  const { descriptor } = layers[0] as LayerDescriptor
  const blob = join(path, 'blobs', descriptor.digest.replace(':', '/'))
  const whole = await readFile(blob)
  await writeFile(blob, whole.subarray(0, 5))
  expect(await layout.hasBlob(descriptor)).toBe(false)
  await copyImage({ store: source, reference: 'v1' }, layout, 'v1')
  expect(await readFile(blob)).toEqual(whole)
})
