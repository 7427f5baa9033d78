import { MEDIA_TYPE, openImage } from '@bootable/oci'
import { expect, test } from 'vitest'
import { openTestStore, overEachTransport } from '../support/client.ts'
import { CONFIG, digestOf, MANIFEST, scriptedServer, sendManifest } from '../support/server.ts'

overEachTransport((transport) => {
  test('an image is opened: manifest by tag, configuration by digest', async () => {
    const server = await scriptedServer(({ path }, response) => {
      if (path.includes('/manifests/')) return sendManifest(response)
      response.end(CONFIG)
    })
    const { store } = openTestStore(server.host, { transport })
    const image = await openImage(store, 'stable')
    expect(image.manifest.descriptor.digest).toBe(digestOf(MANIFEST))
    expect(image.manifest.mediaType).toBe(MEDIA_TYPE.manifest)
    expect(server.seen.map(({ path }) => path)).toEqual([
      '/v2/lab/image/manifests/stable',
      `/v2/lab/image/blobs/${digestOf(CONFIG)}`,
    ])
  })

  // docker-registry answers 404 for an OCI manifest without it.
  test('all four kinds of manifests are asked for in one header', async () => {
    const server = await scriptedServer((_, response) => sendManifest(response))
    await openTestStore(server.host, { transport }).store.getManifest('stable')
    const accept = server.seen[0]?.headers.accept ?? ''
    expect(accept.split(', ')).toEqual([
      MEDIA_TYPE.index,
      MEDIA_TYPE.manifest,
      MEDIA_TYPE.dockerManifestList,
      MEDIA_TYPE.dockerManifest,
    ])
  })

  test('a body that breaks off is fetched again', async () => {
    const server = await scriptedServer((_, response, seen) => {
      if (seen.length > 1) return sendManifest(response)
      response.writeHead(200, { 'Content-Type': MEDIA_TYPE.manifest, 'Content-Length': 999 })
      response.write(MANIFEST.slice(0, 20), () => response.destroy())
    })
    const { store, events } = openTestStore(server.host, { transport })
    expect((await store.getManifest('stable')).descriptor.digest).toBe(digestOf(MANIFEST))
    expect(events).toMatchObject([{ type: 'retry', code: 'NETWORK', attempt: 1 }])
  })
})

// Docker Hub and others have been wrong for years (distribution#2395).
test('a wrong digest header is a warning', async () => {
  const wrong = digestOf('something else')
  const server = await scriptedServer((_, response) => {
    response
      .writeHead(200, { 'Content-Type': MEDIA_TYPE.manifest, 'Docker-Content-Digest': wrong })
      .end(MANIFEST)
  })
  const { store, events } = openTestStore(server.host)
  expect((await store.getManifest('stable')).descriptor.digest).toBe(digestOf(MANIFEST))
  expect(events).toMatchObject([{ type: 'warning', message: expect.stringContaining(wrong) }])
})

// GHSA-qv35-3gw6-8q4j: a header must not stand in for the digest that was asked for.
test('a digest that was asked for is what the content must have', async () => {
  const asked = digestOf('something else')
  const server = await scriptedServer((_, response) => {
    response
      .writeHead(200, { 'Content-Type': MEDIA_TYPE.manifest, 'Docker-Content-Digest': asked })
      .end(MANIFEST)
  })
  const { store } = openTestStore(server.host)
  await expect(store.getManifest(asked)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
})

test.each([{}, { 'Content-Type': 'text/plain' }])(
  'an index without a media type of its own is known by its shape, by tag and by digest (%j)',
  async (headers) => {
    const index = JSON.stringify({ schemaVersion: 2, manifests: [] })
    const server = await scriptedServer((_, response) => {
      response.writeHead(200, headers).end(index)
    })
    const { store } = openTestStore(server.host)
    for (const reference of ['stable', digestOf(index)]) {
      const { mediaType, descriptor } = await store.getManifest(reference)
      expect({ mediaType, digest: descriptor.digest }).toEqual({
        mediaType: MEDIA_TYPE.index,
        digest: digestOf(index),
      })
    }
  },
)

test.each([
  ['the digest is missing', 200, {}],
  ['the digest is not one', 200, { 'Docker-Content-Digest': 'sha256:../../etc' }],
  ['HEAD is refused', 403, {}],
  ['HEAD is unknown', 405, {}],
])('resolve asks with GET where %s', async (_, status, headers) => {
  const server = await scriptedServer(({ method }, response) => {
    if (method === 'GET') return sendManifest(response)
    response.writeHead(status, { 'Content-Type': MEDIA_TYPE.manifest, ...headers }).end()
  })
  const { digest, size } = await openTestStore(server.host).store.resolve('stable')
  expect({ digest, size }).toEqual({ digest: digestOf(MANIFEST), size: MANIFEST.length })
  expect(server.seen.map(({ method }) => method)).toEqual(['HEAD', 'GET'])
})

test('resolve needs HEAD alone from a server that answers it well', async () => {
  const server = await scriptedServer((_, response) => sendManifest(response))
  const descriptor = await openTestStore(server.host).store.resolve('')
  expect(descriptor).toEqual({
    mediaType: MEDIA_TYPE.manifest,
    digest: digestOf(MANIFEST),
    size: MANIFEST.length,
  })
  expect(server.seen.map(({ method, path }) => `${method} ${path}`)).toEqual([
    'HEAD /v2/lab/image/manifests/latest',
  ])
})

test('what is not there has the codes of every store', async () => {
  const server = await scriptedServer((_, response) => {
    const errors = [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown\u001b[2J' }]
    response.writeHead(404, { 'Content-Type': 'application/json' }).end(JSON.stringify({ errors }))
  })
  const { store } = openTestStore(server.host)
  await expect(store.getManifest(digestOf('x'))).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' })
  await expect(store.resolve('stable')).rejects.toMatchObject({ code: 'REFERENCE_UNKNOWN' })
  // Escapes that would steer a terminal do not get through.
  await expect(store.getManifest('stable')).rejects.toMatchObject({
    code: 'REFERENCE_UNKNOWN',
    message: `GET http://${server.host}/v2/lab/image/manifests/stable answered 404: MANIFEST_UNKNOWN (manifest unknown [2J)`,
    details: {
      status: 404,
      method: 'GET',
      retryable: false,
      errors: [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown [2J' }],
    },
  })
})

test('a manifest without end is refused', async () => {
  const server = await scriptedServer((_, response) => {
    response.writeHead(200, { 'Content-Type': MEDIA_TYPE.manifest })
    const piece = Buffer.alloc(1024 * 1024, ' ')
    const more = (): void => void response.write(piece, (error) => !error && more())
    more()
  })
  const { store } = openTestStore(server.host)
  await expect(store.getManifest('stable')).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
})

test('a reference that is neither tag nor digest never gets into a URL', async () => {
  const server = await scriptedServer((_, response) => sendManifest(response))
  const { store } = openTestStore(server.host)
  await expect(store.getManifest('../../other/manifests/x')).rejects.toMatchObject({
    code: 'REFERENCE_INVALID',
  })
  expect(server.seen).toEqual([])
})
