import { collect, memorySource, type ProgressEvent, utf8 } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import {
  blobOf,
  contentStore,
  copyImage,
  type Descriptor,
  digestBytes,
  type ImageStore,
  MEDIA_TYPE,
  memoryStore,
  openImage,
  verifyBlob,
} from '@bootable/oci'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { putTestImage } from '../fixture.ts'

async function* chunked(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

const describeBytes = (bytes: Uint8Array): Descriptor => ({
  mediaType: 'application/octet-stream',
  digest: digestBytes(bytes),
  size: bytes.length,
})

describe('verifyBlob', () => {
  test('passes on what is right and refuses every change', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 200 }),
        fc.nat(),
        fc.constantFrom('flip', 'cut', 'add'),
        fc.integer({ min: 1, max: 50 }),
        async (bytes, at, damage, size) => {
          const descriptor = describeBytes(bytes)
          expect(await collect(verifyBlob(chunked(bytes, size), descriptor))).toEqual(bytes)
          let bad = bytes.slice()
          if (damage === 'flip') bad[at % bytes.length] = (bad[at % bytes.length] as number) ^ 1
          if (damage === 'cut') bad = bad.slice(0, at % bytes.length)
          if (damage === 'add') bad = new Uint8Array([...bytes, 0])
          const code = damage === 'flip' ? 'DIGEST_MISMATCH' : 'SIZE_MISMATCH'
          await expect(collect(verifyBlob(chunked(bad, size), descriptor))).rejects.toMatchObject({ code })
        },
      ),
    )
  })

  test('stops at the first byte too many instead of waiting for the end', async () => {
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      for (;;) yield new Uint8Array(1000)
    }
    const seen: number[] = []
    const read = async (): Promise<void> => {
      for await (const chunk of verifyBlob(endless(), { ...describeBytes(new Uint8Array()), size: 2500 }))
        seen.push(chunk.length)
    }
    await expect(read()).rejects.toMatchObject({ code: 'SIZE_MISMATCH' })
    expect(seen).toEqual([1000, 1000])
  })

  test('tells how far it is, and checks sha512 as well', async () => {
    const bytes = utf8('some content')
    const digest = digestBytes(bytes, { algorithm: 'sha512', runtime: nodeRuntime })
    const events: ProgressEvent[] = []
    const options = { onProgress: (event: ProgressEvent) => void events.push(event) }
    await collect(verifyBlob(chunked(bytes, 5), { ...describeBytes(bytes), digest }, options))
    expect(events.map((event) => (event.type === 'advance' ? event.done : event.type))).toEqual([
      'start',
      5,
      10,
      12,
      'end',
    ])
  })

  test('from an offset on the length is checked', async () => {
    const bytes = utf8('some content')
    const rest = bytes.subarray(5)
    expect(await collect(verifyBlob(chunked(rest, 3), describeBytes(bytes), { offset: 5 }))).toEqual(rest)
    await expect(
      collect(verifyBlob(chunked(rest.subarray(1), 3), describeBytes(bytes), { offset: 5 })),
    ).rejects.toMatchObject({ code: 'SIZE_MISMATCH' })
  })
})

describe('memoryStore', () => {
  test('takes a blob in, refuses one that is not what it should be', async () => {
    const store = memoryStore()
    const bytes = utf8('content')
    const descriptor = await store.putBlob(blobOf(memorySource(bytes)))
    expect(descriptor).toEqual(describeBytes(bytes))
    expect(await store.hasBlob(descriptor)).toBe(true)
    expect(await collect(await store.openBlob(descriptor, { offset: 3 }))).toEqual(utf8('tent'))
    const other = describeBytes(utf8('another'))
    await expect(store.putBlob(blobOf(memorySource(bytes)), { descriptor: other })).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
    })
    expect(await store.hasBlob(other)).toBe(false)
    await expect(store.openBlob(other)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
    await expect(store.getManifest(other)).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' })
  })

  test('lists its names', async () => {
    const store = memoryStore()
    for (const name of ['one', 'two', '']) await putTestImage(store, name)
    const names = []
    for await (const name of store.tags?.() ?? []) names.push(name)
    expect(names).toEqual(['one', 'two'])
    expect((await store.resolve('')).size).toBeGreaterThan(0) // all of them are one image
  })
})

describe('copyImage', () => {
  test('copies what is missing, manifests byte for byte', async () => {
    const source = memoryStore()
    const descriptor = await putTestImage(source, 'latest')
    const image = await openImage(source, 'latest')
    const target = memoryStore()
    const skipped: string[] = []
    const onProgress = (event: ProgressEvent): void => {
      if (event.type === 'skip') skipped.push(event.id)
    }
    expect((await copyImage(image, target, 'copy', { onProgress })).digest).toBe(descriptor.digest)
    expect(skipped).toEqual([])
    expect((await openImage(target, 'copy')).manifest.raw).toEqual(image.manifest.raw)
    await copyImage({ store: source, reference: 'latest' }, target, 'again', { onProgress })
    expect(skipped).toHaveLength(3)
  })

  test('a failing blob rejects, gives no name, and nothing goes on behind', async () => {
    const source = memoryStore()
    await putTestImage(source, 'latest', { files: Array.from({ length: 20 }, (_, index) => `file ${index}`) })
    const image = await openImage(source, 'latest')
    const target = memoryStore()
    let opened = 0
    const failing: ImageStore = {
      ...source,
      openBlob: async () => {
        opened++
        throw new Error('the line is dead')
      },
    }
    await expect(copyImage({ ...image, store: failing }, target, 'copy', { concurrency: 3 })).rejects.toThrow(
      'dead',
    )
    expect(opened).toBeLessThanOrEqual(3)
    await expect(target.resolve('copy')).rejects.toMatchObject({ code: 'REFERENCE_UNKNOWN' })
  })
})

/** A store in which every manifest is an index of `width` others, and those of more, for ever. */
function endlessStore(width: number, raw: Uint8Array): ImageStore {
  let made = 0
  const entry = (): Descriptor => ({
    mediaType: MEDIA_TYPE.index,
    digest: digestBytes(utf8(`${made++}`)),
    size: raw.length,
  })
  return {
    ...memoryStore(),
    async getManifest(target) {
      const descriptor = typeof target === 'string' ? entry() : target
      const manifests = Array.from({ length: made === 1 || width === 1 ? width : 0 }, entry)
      return { raw, mediaType: MEDIA_TYPE.index, descriptor, value: { schemaVersion: 2, manifests } }
    },
  }
}

test.each([
  ['levels of indexes', 1, 10],
  ['1000 manifests', 1001, 10],
  ['256 MiB of manifests', 20, 16 * 1024 * 1024],
])('what is copied has an end: %s', async (message, width, size) => {
  const store = endlessStore(width, new Uint8Array(size))
  const copy = copyImage({ store, reference: 'x' }, memoryStore(), 'x')
  await expect(copy).rejects.toMatchObject({
    code: 'LIMIT_EXCEEDED',
    message: expect.stringContaining(message),
  })
})

describe('putImage', () => {
  test('equal parts give an equal image, compressed or not', async () => {
    for (const compression of ['gzip', 'none'] as const) {
      const [one, two] = [memoryStore(), memoryStore()]
      const descriptor = await putTestImage(one, 'v1', { compression })
      expect(await putTestImage(two, 'v1', { compression })).toEqual(descriptor)
      const { layers } = await openImage(one, 'v1')
      for (const layer of layers) {
        expect(layer.compression).toBe(compression)
        const tar = nodeRuntime.decompress(compression, await one.openBlob(layer.descriptor))
        expect(digestBytes(await collect(tar))).toBe(layer.diffId)
      }
    }
  })
})

test('what lies under a digest is checked also when it is found by that digest alone', async () => {
  const source = memoryStore()
  const { digest } = await putTestImage(source, 'v1')
  const { raw } = await source.getManifest(digest)
  const lying = contentStore({
    name: 'liar',
    open: async () => memorySource(new Uint8Array([...raw, 0x20])),
    has: async () => true,
    roots: async () => [],
  })
  await expect(lying.resolve(digest)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
  await expect(lying.getManifest(digest)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
})
