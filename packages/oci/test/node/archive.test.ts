import { readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { collect, decodeUtf8, memorySource } from '@bootable/bytes'
import { type ImageStore, indexTar, memoryStore, openImage, putArtifact } from '@bootable/oci'
import { openDockerArchive, openOciArchive, writeDockerArchive, writeOciArchive } from '@bootable/oci/node'
import { describe, expect, test } from 'vitest'
import { listFiles, putTestImage, temporaryFolder } from '../fixture.ts'

const folder = temporaryFolder()

describe('oci-archive', () => {
  const path = join(folder, 'image.oci.tar')

  test('gives back what was written, and is the same file each time', async () => {
    const store = memoryStore()
    const descriptor = await putTestImage(store, 'latest')
    await writeOciArchive(path, [{ source: await openImage(store, 'latest'), name: 'v1' }])
    const first = await readFile(path)
    await writeOciArchive(path, [{ source: { store, reference: 'latest' }, name: 'v1' }])
    expect((await readFile(path)).equals(first)).toBe(true)

    const archive = await openOciArchive(path)
    const image = await openImage(archive, '')
    expect(image.manifest.descriptor.digest).toBe(descriptor.digest)
    for (const { descriptor } of image.layers) await collect(await archive.openBlob(descriptor))
    await expect(archive.putManifest(image.manifest.raw, image.manifest)).rejects.toMatchObject({
      code: 'STORE_READ_ONLY',
    })
    await archive.close?.()
    const members = (await indexTar(memorySource(new Uint8Array(first)))).map((member) => member.path)
    expect(members).toEqual([...members].sort())
    expect(members).toContain('oci-layout')
  })

  test('takes one platform and its referrers, and finds them again', async () => {
    const store = memoryStore()
    const image = await putTestImage(store, 'v1')
    const signature = await putArtifact(store, { artifactType: 'application/vnd.sig', subject: image })
    const images = [{ source: { store, reference: 'v1' }, name: 'v1' }]
    await writeOciArchive(path, images, { platforms: ['linux/amd64'], referrers: true })
    const archive = await openOciArchive(path)
    const found: string[] = []
    for await (const { digest } of archive.referrers?.(image) ?? []) found.push(digest)
    expect(found).toEqual([signature.digest])
    expect((await archive.resolve('')).digest).toBe(image.digest)
    await archive.close?.()
    await expect(writeOciArchive(path, images, { platforms: ['linux/arm64'] })).rejects.toMatchObject({
      code: 'PLATFORM_MISSING',
    })
  })

  test('chooses among several images by name', async () => {
    const store = memoryStore()
    const one = await putTestImage(store, 'one', { files: ['1'] })
    const two = await putTestImage(store, 'two', { files: ['2'] })
    await writeOciArchive(
      path,
      ['one', 'two'].map((name) => ({ source: { store, reference: name }, name })),
    )
    const archive = await openOciArchive(path)
    expect((await archive.resolve('one')).digest).toBe(one.digest)
    expect((await archive.resolve('two')).digest).toBe(two.digest)
    await expect(archive.resolve('')).rejects.toMatchObject({
      code: 'REFERENCE_AMBIGUOUS',
      hint: 'choose one: one, two',
    })
    await expect(archive.resolve('three')).rejects.toMatchObject({
      code: 'REFERENCE_UNKNOWN',
      hint: 'it holds one, two',
    })
    await archive.close?.()
  })

  test('a compressed archive is refused with a hint, and so is another file', async () => {
    const store = memoryStore()
    await putTestImage(store, 'latest')
    await writeOciArchive(path, [{ source: { store, reference: 'latest' }, name: '' }])
    const compressed = join(folder, 'image.tar.gz')
    await writeFile(compressed, gzipSync(await readFile(path)))
    await expect(openOciArchive(compressed)).rejects.toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
      hint: expect.stringContaining('gunzip'),
    })
    for (const content of ['', 'not an archive', 'x'.repeat(5000)]) {
      const other = join(folder, 'other')
      await writeFile(other, content)
      await expect(openOciArchive(other)).rejects.toHaveProperty('name', 'FormatError')
      await expect(openDockerArchive(other)).rejects.toHaveProperty('name', 'FormatError')
    }
    await expect(openOciArchive(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'FILE_NOT_READABLE' })
  })

  test('an archive that is cut anywhere is a FormatError', async () => {
    const store = memoryStore()
    await putTestImage(store, 'latest')
    await writeOciArchive(path, [{ source: { store, reference: 'latest' }, name: '' }])
    // The file `oci-layout` is last; the padding behind its 30 bytes and the blocks of the end are not missed.
    const size = (await readFile(path)).length - 1024 - 512 + 30
    for (let length = size - 1; length >= 0; length -= 293) {
      await truncate(path, length)
      await expect(openOciArchive(path), `cut to ${length} of ${size}`).rejects.toHaveProperty(
        'name',
        'FormatError',
      )
    }
  })

  test('leaves nothing behind when a blob is damaged or the call is cancelled', async () => {
    const store = memoryStore()
    await putTestImage(store, 'latest')
    const image = await openImage(store, 'latest')
    const damaged = {
      ...store,
      openBlob: async () =>
        (async function* () {
          yield new Uint8Array(10)
          throw new Error('the line is dead')
        })(),
    }
    const target = join(folder, 'never.tar')
    await expect(
      writeOciArchive(target, [{ source: { ...image, store: damaged }, name: '' }]),
    ).rejects.toThrow('dead')
    for (const blobsBefore of [0, 1, 2]) {
      const controller = new AbortController()
      let opened = 0
      const cancelling: ImageStore = {
        ...store,
        openBlob: (...call) => {
          if (opened++ === blobsBefore) controller.abort('enough')
          return store.openBlob(...call)
        },
      }
      const images = [{ source: { ...image, store: cancelling }, name: '' }]
      await expect(writeOciArchive(target, images, { signal: controller.signal })).rejects.toBe('enough')
    }
    expect((await listFiles(folder)).filter((name) => name.includes('never'))).toEqual([])
  })
})

describe('docker-archive', () => {
  const path = join(folder, 'image.docker.tar')

  test.each(['gzip', 'none'] as const)(
    'gives back the layers of an image with compression %s',
    async (compression) => {
      const store = memoryStore()
      await putTestImage(store, 'latest', { compression })
      const image = await openImage(store, 'latest')
      await writeDockerArchive(path, [{ image, tags: ['debian:13', 'example.org/a:b'] }])

      const archive = await openDockerArchive(path)
      for (const name of ['', 'debian:13', 'docker.io/library/debian:13', 'example.org/a:b']) {
        const read = await openImage(archive, name)
        expect(read.config.raw).toEqual(image.config.raw)
        expect(read.layers.map(({ diffId }) => diffId)).toEqual(image.layers.map(({ diffId }) => diffId))
        for (const { descriptor } of read.layers) {
          expect(decodeUtf8((await collect(await archive.openBlob(descriptor))).subarray(0, 4))).toBe('file')
        }
      }
      await expect(archive.resolve('debian')).rejects.toMatchObject({ code: 'REFERENCE_UNKNOWN' })
      await archive.close?.()
    },
  )

  test('a layer that is not what its diff id says is not written', async () => {
    const store = memoryStore()
    await putTestImage(store, 'latest')
    const image = await openImage(store, 'latest')
    const [lower, upper] = image.layers
    const swapped = [lower, upper].map((layer, index) => ({
      ...layer,
      diffId: [upper, lower][index]?.diffId,
    }))
    const lying = { ...image, layers: swapped as typeof image.layers }
    await expect(
      writeDockerArchive(join(folder, 'lie.tar'), [{ image: lying, tags: [] }]),
    ).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
    })
    expect((await listFiles(folder)).filter((name) => name.includes('lie'))).toEqual([])
  })
})
