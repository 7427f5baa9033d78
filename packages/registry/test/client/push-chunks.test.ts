import type { BlobSource, Descriptor } from '@bootable/oci'
import { expect, test } from 'vitest'
import { openTestStore, overEachTransport, type TestStore } from '../support/client.ts'
import { describeBlob } from '../support/server.ts'
import { type Intercept, type UploadServer, uploadServer } from '../support/upload.ts'

const MiB = 1024 * 1024
const CONTENT = Array.from({ length: MiB / 16 }, (_, index) => `line ${index}\n`.padEnd(16)).join('')
const BLOB = describeBlob(CONTENT)

function sourceOf(content: string): BlobSource {
  return {
    open: async () =>
      (async function* () {
        for (let offset = 0; offset < content.length; offset += 100_000) {
          yield Buffer.from(content.slice(offset, offset + 100_000))
        }
      })(),
  }
}

/** The answer to POST that asks for chunks of a quarter of the blob. */
const inQuarters: Intercept = ({ method, path }, response, { uploads }) => {
  if (method !== 'POST') return false
  const id = `${uploads.size + 1}`
  uploads.set(id, '')
  response
    .writeHead(202, {
      Location: `${path}${id}?state=0%20opaque~`,
      'OCI-Chunk-Min-Length': MiB / 4,
    })
    .end()
  return true
}

/** Several looks, the first that answers ends it. */
const first =
  (...each: Intercept[]): Intercept =>
  (...request) =>
    each.some((intercept) => intercept(...request))

async function push(
  intercept: Intercept,
  descriptor: Descriptor | null = BLOB,
): Promise<TestStore & { server: UploadServer; pushed: Descriptor }> {
  const server = await uploadServer(intercept)
  const opened = openTestStore(server.host)
  const pushed = await opened.store.putBlob(sourceOf(CONTENT), descriptor ? { descriptor } : {})
  expect(server.blobs.get(BLOB.digest)).toBe(CONTENT)
  return { ...opened, server, pushed }
}

/** Answers the n-th PATCH. */
function onPatch(number: number, answer: Intercept): Intercept {
  let count = 0
  return (request, response, server) =>
    request.method === 'PATCH' && ++count === number ? (answer(request, response, server) ?? true) : false
}

const proceed = (status: number, range: string | undefined): Intercept => {
  return ({ path, body }, response, { uploads }) => {
    const url = new URL(path, 'http://registry')
    const id = url.pathname.split('/').at(-1) ?? ''
    const content = (uploads.get(id) ?? '') + body
    uploads.set(id, content)
    const location = `${url.pathname}?state=${content.length}%20opaque~`
    response.writeHead(status, { Location: location, ...(range !== undefined && { Range: range }) }).end()
    return true
  }
}

overEachTransport((transport) => {
  test('a blob whose digest nobody knows goes in chunks, its digest at the end', async () => {
    const server = await uploadServer()
    const { store } = openTestStore(server.host, { transport })
    expect(await store.putBlob(sourceOf(CONTENT))).toMatchObject({ digest: BLOB.digest, size: BLOB.size })
    expect(server.asked()).toEqual(['POST', `PATCH 0-${MiB - 1}`, 'PUT digest'])
    expect(server.seen.at(-1)?.headers['content-length']).toBe('0')
  })
})

test('OCI-Chunk-Min-Length: chunks of at least that, always to the latest Location', async () => {
  // 20 MiB, of which the registry wants 9 at a time.
  const large = CONTENT.repeat(20)
  const descriptor = describeBlob(large)
  const server = await uploadServer((request, response, all) => {
    if (request.method !== 'POST') return false
    all.uploads.set('1', '')
    const location = `${request.path}1?state=0%20opaque~`
    response.writeHead(202, { Location: location, 'OCI-Chunk-Min-Length': 9 * MiB }).end()
    return true
  })
  const { store } = openTestStore(server.host)
  await store.putBlob(sourceOf(large), { descriptor })
  expect(server.blobs.get(descriptor.digest)?.length).toBe(20 * MiB)
  const lengths = server.seen.filter(({ method }) => method === 'PATCH').map(({ body }) => body.length)
  expect(lengths).toEqual([9 * MiB, 11 * MiB])
})

test('OCI-Chunk-Min-Length beyond what memory is spent on: one PUT', async () => {
  const { server } = await push(({ method, path }, response, { uploads }) => {
    if (method !== 'POST') return false
    uploads.set('1', '')
    const location = `${path}1?state=0%20opaque~`
    response.writeHead(202, { Location: location, 'OCI-Chunk-Min-Length': 1e12 }).end()
    return true
  })
  expect(server.asked()).toEqual(['HEAD', 'POST', 'PUT digest'])
})

/** Makes chunks of 256 KiB: a larger body is refused. */
const quarters =
  (status: number): Intercept =>
  ({ method, body }, response) => {
    if ((method !== 'PUT' && method !== 'PATCH') || body.length <= MiB / 4) return false
    response.writeHead(status).end()
    return true
  }

test.each([
  ['a proxy in front of the registry', 413],
  ['GHCR', 416],
])('%s says %i to a large body: chunks, smaller until they are taken', async (_, status) => {
  const { server } = await push(quarters(status))
  const sizes = server.seen.filter(({ method }) => method === 'PATCH').map(({ body }) => body.length)
  expect(sizes).toEqual([MiB / 2, MiB / 4, MiB / 4, MiB / 4, MiB / 4])
})

test('what was learned of a registry serves the next blob', async () => {
  const server = await uploadServer(quarters(413))
  const { store } = openTestStore(server.host)
  await store.putBlob(sourceOf(CONTENT), { descriptor: BLOB })
  server.seen.length = 0
  const next = CONTENT.replaceAll('line', 'LINE')
  await store.putBlob(sourceOf(next), { descriptor: describeBlob(next) })
  expect(server.asked()[2]).toBe(`PATCH 0-${MiB / 4 - 1}`)
})

test('a registry that refuses whatever the size is given up', async () => {
  const server = await uploadServer(({ method }, response) => {
    if (method !== 'PUT' && method !== 'PATCH') return false
    response.writeHead(413).end()
    return true
  })
  const { store } = openTestStore(server.host)
  await expect(store.putBlob(sourceOf(CONTENT), { descriptor: BLOB })).rejects.toMatchObject({
    details: { status: 413 },
  })
  expect(server.seen.length).toBeLessThan(30)
})

test('chunks grow as long as they are taken: some registries count requests', async () => {
  const large = CONTENT.repeat(60)
  const server = await uploadServer()
  const { store } = openTestStore(server.host)
  await store.putBlob(sourceOf(large))
  const sizes = server.seen.filter(({ method }) => method === 'PATCH').map(({ body }) => body.length / MiB)
  expect(sizes.map(Math.round)).toEqual([8, 16, 32, 4])
})

test('docker-registry: after a chunk that was cut the upload is lost, and a fresh one is opened', async () => {
  const { server, events } = await push(
    first(
      inQuarters,
      onPatch(1, (_, response, { uploads }) => {
        // Some bytes have arrived, and its state does not fit them any more.
        uploads.set('1', CONTENT.slice(0, 1000))
        response.destroy()
        return true
      }),
    ),
  )
  expect(server.asked()).toEqual([
    'HEAD',
    'POST',
    `PATCH 0-${MiB - 1}`,
    'GET',
    'DELETE',
    'HEAD',
    'POST',
    `PATCH 0-${MiB - 1}`,
    'PUT digest',
  ])
  expect(events.filter(({ type }) => type === 'retry')).toHaveLength(1)
})

test('a break between two chunks is got over: the registry says where it is', async () => {
  const { server } = await push(
    first(
      quarters(413),
      onPatch(4, (_, response) => {
        response.writeHead(503).end()
        return true
      }),
    ),
  )
  const asked = server.asked().slice(server.asked().indexOf('GET'))
  expect(asked.filter((each) => each === 'POST')).toEqual([])
  expect(server.asked().filter((each) => each === 'POST')).toHaveLength(2)
})

test('a chunk that arrived although its answer did not is not sent again', async () => {
  const { server } = await push(
    first(
      quarters(413),
      onPatch(3, ({ path, body }, response, { uploads }) => {
        const id = new URL(path, 'http://registry').pathname.split('/').at(-1) ?? ''
        uploads.set(id, (uploads.get(id) ?? '') + body)
        response.writeHead(503).end()
        return true
      }),
      // A registry whose uploads carry no state in their addresses.
      ({ method, path }, response, { uploads }) => {
        if (method !== 'GET') return false
        const { pathname } = new URL(path, 'http://registry')
        const { length } = uploads.get(pathname.split('/').at(-1) ?? '') ?? ''
        const location = `${pathname}?state=${length}%20opaque~`
        response.writeHead(204, { Location: location, Range: `0-${length - 1}` }).end()
        return true
      },
    ),
  )
  const ranges = server.asked().filter((each) => each.startsWith('PATCH'))
  expect(new Set(ranges).size).toBe(ranges.length)
  expect(server.asked().filter((each) => each === 'POST')).toHaveLength(2)
})

test('ECR: 201 to a chunk, and a Range that does not move', async () => {
  let patches = 0
  const { server, events } = await push(
    first(quarters(413), (request, response, all) => {
      if (request.method !== 'PATCH') return false
      patches++
      const range = patches === 1 ? `0-${MiB / 4 - 1}` : `0-${MiB / 2 - 1}`
      return proceed(201, range)(request, response, all)
    }),
  )
  expect(server.asked().filter((each) => each === 'POST')).toHaveLength(2)
  expect(events.filter(({ type }) => type === 'warning')).toHaveLength(1)
})

test('Zot: a Range that is too small', async () => {
  const { server } = await push(
    first(inQuarters, (request, response, all) =>
      request.method === 'PATCH' ? proceed(202, '0-9')(request, response, all) : false,
    ),
  )
  expect(server.asked().filter((each) => each === 'PUT digest')).toHaveLength(1)
})

test('a registry that was right about its small Range gets the blob in one PUT', async () => {
  const { server } = await push(
    first(inQuarters, ({ method, path }, response, { uploads }) => {
      if (method !== 'PATCH') return false
      const id = new URL(path, 'http://registry').pathname.split('/').at(-1) ?? ''
      uploads.set(id, CONTENT.slice(0, 10))
      const location = path.replace(/state=.*/, 'state=10%20opaque~')
      response.writeHead(202, { Location: location, Range: '0-9' }).end()
      return true
    }),
  )
  expect(server.asked().slice(-4)).toEqual(['DELETE', 'HEAD', 'POST', 'PUT digest'])
})

test('docker-registry 2.8 appends a chunk that is out of order: more than was sent is noticed', async () => {
  const { server } = await push(
    first(inQuarters, (request, response, all) =>
      request.method === 'PATCH' ? proceed(202, `0-${2 * MiB}`)(request, response, all) : false,
    ),
  )
  expect(server.asked().slice(-3)).toEqual(['HEAD', 'POST', 'PUT digest'])
})

test('a registry that says nothing about the range is believed', async () => {
  const { server } = await push(
    first(inQuarters, (request, response, all) =>
      request.method === 'PATCH' ? proceed(202, undefined)(request, response, all) : false,
    ),
  )
  expect(server.asked()).toEqual(['HEAD', 'POST', `PATCH 0-${MiB - 1}`, 'PUT digest'])
})

test.each([400, 404, 405])(
  'Google: chunks are refused with %i, so the digest is found out first',
  async (status) => {
    const { server, pushed } = await push(({ method }, response) => {
      if (method === 'PATCH') response.writeHead(status).end()
      return method === 'PATCH'
    }, null)
    expect(pushed.digest).toBe(BLOB.digest)
    expect(server.asked()).toEqual(['POST', `PATCH 0-${MiB - 1}`, 'DELETE', 'HEAD', 'POST', 'PUT digest'])
  },
)

test('429 with Retry-After between chunks is waited for', async () => {
  const { clock, server } = await push(
    first(
      quarters(413),
      onPatch(4, (_, response) => {
        response.writeHead(429, { 'Retry-After': '7' }).end()
        return true
      }),
    ),
  )
  expect(Math.max(...clock.delays)).toBeGreaterThanOrEqual(7000)
  expect(server.asked().filter((each) => each === 'POST')).toHaveLength(2)
})

test('an upload that always breaks fails in the end', async () => {
  const server = await uploadServer(
    first(inQuarters, ({ method }, response) => {
      if (method === 'PATCH') response.destroy()
      return method === 'PATCH'
    }),
  )
  const { store } = openTestStore(server.host, { retry: { attempts: 3 } })
  await expect(store.putBlob(sourceOf(CONTENT), { descriptor: BLOB })).rejects.toMatchObject({
    code: 'NETWORK',
    details: { attempts: 3 },
  })
  expect(server.blobs.size).toBe(0)
})
