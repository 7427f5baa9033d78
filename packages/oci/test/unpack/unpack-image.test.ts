import { gzipSync } from 'node:zlib'
import { concatBytes, memorySource, type ProgressEvent, portableRuntime } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import {
  blobOf,
  digestBytes,
  type Image,
  type LayerCache,
  MEDIA_TYPE,
  memoryLayerCache,
  memoryStore,
  unpackImage,
  verifyBlob,
} from '@bootable/oci'
import { describe, expect, test } from 'vitest'
import { header, member } from '../layer/raw-tar.ts'
import { imageOf, layer, list } from './layers.ts'

const lower = layer('a=lower', 'b=lower')
const upper = layer('b=upper')

/** A cache that tells how its writers ended. */
function watchedCache(): LayerCache & { readonly ended: string[] } {
  const cache = memoryLayerCache()
  const ended: string[] = []
  return {
    ...cache,
    ended,
    async create(diffId) {
      const writer = await cache.create(diffId)
      return {
        write: writer.write,
        commit(members) {
          ended.push('commit')
          return writer.commit(members)
        },
        abort() {
          ended.push('abort')
          return writer.abort()
        },
      }
    },
  }
}

/** An image whose store passes other chunks for one layer, as a damaged copy would. */
function tamper(image: Image, index: number, change: (blob: Uint8Array) => Uint8Array): Image {
  const { store } = image
  const { digest } = image.layers[index]!.descriptor
  const openBlob: typeof store.openBlob = async (descriptor, options) => {
    const chunks: Uint8Array[] = []
    for await (const chunk of await store.openBlob(descriptor, options)) chunks.push(chunk)
    const blob = concatBytes(chunks)
    const changed = descriptor.digest === digest ? change(blob) : blob
    return verifyBlob(await blobOf(memorySource(changed)).open(), descriptor)
  }
  return { ...image, store: { ...store, openBlob } }
}

describe('unpackImage', () => {
  test('fetches one layer at a time where none at once are allowed', async () => {
    expect(await list(await unpackImage(await imageOf([lower]), { concurrency: 0 }))).toHaveLength(2)
  })

  test('knows the compression of a layer that comes byte by byte', async () => {
    const image = await imageOf([lower])
    const { store } = image
    const openBlob: typeof store.openBlob = async (descriptor) =>
      (async function* () {
        for await (const chunk of await store.openBlob(descriptor)) {
          for (let at = 0; at < chunk.length; at++) yield chunk.subarray(at, at + 1)
        }
      })()
    expect(await list(await unpackImage({ ...image, store: { ...store, openBlob } }))).toEqual([
      'a=lower',
      'b=lower',
    ])
  })

  test.each([
    ['gzip', MEDIA_TYPE.layerGzip, (tar: Uint8Array) => new Uint8Array(gzipSync(tar))],
    ['none', MEDIA_TYPE.layer, (tar: Uint8Array) => tar],
    ['gzip that its media type denies', MEDIA_TYPE.layer, (tar: Uint8Array) => new Uint8Array(gzipSync(tar))],
    ['none where gzip is promised', MEDIA_TYPE.dockerLayerGzip, (tar: Uint8Array) => tar],
    [
      'gzip of several members',
      MEDIA_TYPE.layerGzip,
      (tar: Uint8Array) => concatBytes([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))]),
    ],
  ])('takes layers: %s', async (_, mediaType, compress) => {
    for (const runtime of [portableRuntime, nodeRuntime]) {
      const image = await imageOf([lower, upper], { mediaType, compress })
      expect(await list(await unpackImage(image, { runtime }))).toEqual(['a=lower', 'b=upper'])
    }
  })

  test('tells progress in compressed bytes, and skips what the cache holds', async () => {
    const image = await imageOf([lower, upper, lower])
    const cache = memoryLayerCache()
    const events: ProgressEvent[] = []
    const onProgress = (event: ProgressEvent): void => void events.push(event)
    await unpackImage(image, { cache, onProgress })
    for (const { descriptor } of image.layers.slice(0, 2)) {
      const own = events.filter((event) => 'id' in event && event.id === descriptor.digest)
      expect(own.map(({ type }) => type)).toEqual(['start', 'advance', 'end'])
      expect(own[1]).toMatchObject({ done: descriptor.size, total: descriptor.size })
    }
    events.length = 0
    const closed: Image = {
      ...image,
      store: {
        ...image.store,
        openBlob: () => Promise.reject(new Error('a layer was opened')),
      },
    }
    const tree = await unpackImage(closed, { cache, onProgress })
    expect(await list(tree)).toEqual(['a=lower', 'b=lower'])
    expect(events.map(({ type }) => type)).toEqual(['skip', 'skip'])
  })

  test('two trees from one cache are independent', async () => {
    const image = await imageOf([lower])
    const cache = memoryLayerCache()
    const one = await unpackImage(image, { cache })
    one.root.entries.get('a')!.xattrs.set('user.a', new Uint8Array(1))
    one.root.entries.delete('b')
    const other = await unpackImage(image, { cache })
    expect(other.root.entries.get('a')!.xattrs.size).toBe(0)
    expect(other.root.entries.size).toBe(2)
  })

  test('warns of what follows the archive', async () => {
    const events: ProgressEvent[] = []
    const image = await imageOf([concatBytes([lower, upper])])
    const tree = await unpackImage(image, { onProgress: (event) => events.push(event) })
    expect(await list(tree)).toEqual(['a=lower', 'b=lower'])
    expect(events).toContainEqual(expect.objectContaining({ type: 'warning' }))
  })
})

describe('refused, the layer named and nothing left in the cache:', () => {
  const refused = async (image: Image, code: string, index = 1): Promise<void> => {
    for (const runtime of [portableRuntime, nodeRuntime]) {
      const cache = watchedCache()
      const { digest } = image.layers[index]!.descriptor
      await expect(unpackImage(image, { cache, runtime })).rejects.toMatchObject({
        code,
        message: expect.stringContaining(`layer ${index} (${digest}): `),
        details: expect.objectContaining({ layer: index, digest }),
      })
      expect(cache.ended).toContain('abort')
      expect(await cache.open(image.layers[index]!.diffId)).toBeUndefined()
    }
  }

  test('a diff id that the layer has not', async () => {
    const wrong = digestBytes(new Uint8Array(1))
    await refused(await imageOf([lower, upper], { diffIds: [digestBytes(lower), wrong] }), 'DIGEST_MISMATCH')
  })

  test('a flipped bit: the digest is told, not the nonsense that came of it', async () => {
    for (const at of [12, 40, 60]) {
      const flip = (blob: Uint8Array): Uint8Array =>
        blob.map((byte, index) => (index === at ? byte ^ 4 : byte))
      await refused(tamper(await imageOf([lower, upper]), 1, flip), 'DIGEST_MISMATCH')
    }
  })

  test('a blob that was cut', async () => {
    const cut = (blob: Uint8Array): Uint8Array => blob.subarray(0, 50)
    await refused(tamper(await imageOf([lower, upper]), 1, cut), 'SIZE_MISMATCH')
    await refused(
      tamper(await imageOf([lower, upper]), 1, () => new Uint8Array(0)),
      'SIZE_MISMATCH',
    )
  })

  test('a layer that was cut before it was hashed', async () => {
    const compress = (tar: Uint8Array, index: number): Uint8Array =>
      new Uint8Array(gzipSync(tar)).subarray(0, index === 1 ? 60 : undefined)
    await refused(await imageOf([lower, upper], { compress }), 'FORMAT_TRUNCATED')
    await refused(await imageOf([lower, upper.subarray(0, 514)]), 'FORMAT_TRUNCATED')
  })

  test('something that is no tar', async () => {
    await refused(await imageOf([lower, new Uint8Array(2000).fill(0x61)]), 'FORMAT_CHECKSUM')
  })

  test('a path that leads out', async () => {
    await refused(await imageOf([lower, layer('../../etc/passwd=x')]), 'FORMAT_INVALID')
  })

  test('a bomb', async () => {
    const zeros = member({ name: 'zeros' }, new Uint8Array(40 * 1024 * 1024))
    const image = await imageOf([lower, layer(zeros)])
    for (const limits of [{ ratio: 100 }, { uncompressedSize: 1024 * 1024 }]) {
      for (const runtime of [portableRuntime, nodeRuntime]) {
        const cache = watchedCache()
        await expect(unpackImage(image, { cache, runtime, limits })).rejects.toMatchObject({
          code: 'LIMIT_EXCEEDED',
          message: expect.stringContaining('layer 1 '),
        })
        expect(await cache.open(image.layers[1]!.diffId)).toBeUndefined()
      }
    }
  })

  test('too many layers, too many members in all', async () => {
    const image = await imageOf([lower, upper])
    const limits = [{ layers: 1 }, { entries: 2 }]
    for (const limit of limits) {
      await expect(unpackImage(image, { limits: limit })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
    }
    const cache = memoryLayerCache()
    await unpackImage(image, { cache })
    await expect(unpackImage(image, { cache, limits: { entries: 2 } })).rejects.toThrow(
      /members of all layers/,
    )
  })

  test('a layer that the store has not', async () => {
    const image = await imageOf([lower, upper])
    await expect(unpackImage({ ...image, store: memoryStore() })).rejects.toMatchObject({
      code: 'BLOB_UNKNOWN',
    })
  })
})

describe('a cancelled call', () => {
  test('rejects with the reason and ends its writers', async () => {
    const image = await imageOf([layer(member({ name: 'big' }, new Uint8Array(8_000_000))), upper])
    const controller = new AbortController()
    const cache = watchedCache()
    const reason = new Error('enough')
    const call = unpackImage(image, {
      cache,
      runtime: nodeRuntime,
      signal: controller.signal,
      onProgress: () => controller.abort(reason),
    })
    await expect(call).rejects.toBe(reason)
    expect(cache.ended).not.toContain('commit')
  })

  test('was cancelled before it began', async () => {
    const image = await imageOf([lower])
    const signal = AbortSignal.abort('no')
    await expect(unpackImage(image, { signal })).rejects.toBe('no')
  })
})

test('a layer without members is one', async () => {
  expect(await list(await unpackImage(await imageOf([layer(), layer(header({}))])))).toEqual(['file='])
})
