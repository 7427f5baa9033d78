import { expect, test } from 'vitest'
import { openRegistry, passwordFor } from '../../src/index.ts'
import { nodeTransport } from '../../src/node/index.ts'
import { openTestStore, overEachTransport, textOf } from '../support/client.ts'
import { describeBlob, scriptedServer, sendManifest } from '../support/server.ts'

const BLOB = describeBlob('content')

overEachTransport((transport) => {
  // GHSA-vh4v-2xq2-g5cg and older: S3 answers 400 to it, and others may keep it.
  test('a redirect to another origin carries no credentials', async () => {
    const storage = await scriptedServer((_, response) => void response.end('content'))
    const server = await scriptedServer(({ headers }, response) => {
      if (!headers.authorization)
        return void response.writeHead(401, { 'WWW-Authenticate': 'Basic realm=x' }).end()
      response.writeHead(307, { Location: `${storage.url}/signed?sig=1` }).end()
    })
    const credentials = passwordFor(server.host, 'tester', 'secret')
    const { store } = openTestStore(server.host, { transport, credentials })
    expect(await textOf(await store.openBlob(BLOB))).toBe('content')
    expect(storage.seen.map(({ path, headers }) => [path, headers.authorization])).toEqual([
      ['/signed?sig=1', undefined],
    ])
  })

  test('within one origin they are kept', async () => {
    const server = await scriptedServer(({ path, headers }, response) => {
      if (!headers.authorization)
        return void response.writeHead(401, { 'WWW-Authenticate': 'Basic realm=x' }).end()
      if (path === '/elsewhere') return void response.end('content')
      response.writeHead(302, { Location: '/elsewhere' }).end()
    })
    const credentials = passwordFor(server.host, 'tester', 'secret')
    const { store } = openTestStore(server.host, { transport, credentials })
    expect(await textOf(await store.openBlob(BLOB))).toBe('content')
  })

  test('a server that never answers', async () => {
    const server = await scriptedServer(() => {})
    const { store } = openTestStore(server.host, {
      transport,
      timeouts: { response: 80 },
      retry: { attempts: 2 },
    })
    await expect(store.openBlob(BLOB)).rejects.toMatchObject({
      code: 'TIMEOUT',
      details: { retryable: true, attempts: 2, method: 'GET' },
    })
  })
})

test('one connection serves challenge, redirect, HEAD and GET', async () => {
  const sockets = new Set<unknown>()
  const server = await scriptedServer(({ path, method, headers }, response) => {
    sockets.add(response.socket)
    const isHead = method === 'HEAD'
    if (!headers.authorization) {
      const challenge = { 'WWW-Authenticate': 'Basic realm=x', ...(isHead && { 'Content-Length': 0 }) }
      return void response.writeHead(401, challenge).end(isHead ? undefined : 'log in')
    }
    if (path !== '/here')
      return void response.writeHead(307, { Location: '/here', 'Content-Length': 4 }).end('here')
    response.writeHead(200, { 'Content-Length': 7 }).end(isHead ? undefined : 'content')
  })
  const transport = nodeTransport()
  const credentials = passwordFor(server.host, 'tester', 'secret')
  const { store } = openTestStore(server.host, { transport, credentials })
  expect(await store.hasBlob(BLOB)).toBe(true)
  expect(await textOf(await store.openBlob(BLOB))).toBe('content')
  expect(sockets.size).toBe(1)
  await store.close()
})

test('the challenge of a host that a redirect led to is not answered', async () => {
  const storage = await scriptedServer((_, response) => {
    response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="give me"' }).end()
  })
  const server = await scriptedServer(
    (_, response) => void response.writeHead(307, { Location: storage.url }).end(),
  )
  const { store } = openTestStore(server.host, {
    credentials: async () => ({ type: 'password', username: 'u', password: 'p' }),
  })
  await expect(store.openBlob(BLOB)).rejects.toMatchObject({ code: 'AUTH_DENIED' })
  expect(storage.seen.map(({ headers }) => headers.authorization)).toEqual([undefined])
})

test('redirects in a circle end', async () => {
  const server = await scriptedServer(({ path }, response) => {
    response.writeHead(307, { Location: `${path}x` }).end()
  })
  await expect(openTestStore(server.host).store.openBlob(BLOB)).rejects.toMatchObject({ code: 'PROTOCOL' })
  expect(server.seen).toHaveLength(11)
})

test.each([429, 500, 502, 503, 504, 408])('%i passes', async (status) => {
  const server = await scriptedServer((_, response, seen) => {
    if (seen.length < 3) return void response.writeHead(status).end()
    response.end('content')
  })
  const { store, events, clock } = openTestStore(server.host)
  expect(await textOf(await store.openBlob(BLOB))).toBe('content')
  expect(events.map(({ type }) => type)).toEqual(['retry', 'retry'])
  const [first = 0, second = 0] = clock.delays
  expect(first).toBeGreaterThanOrEqual(400)
  expect(first).toBeLessThanOrEqual(600)
  expect(second).toBeGreaterThanOrEqual(800)
  expect(second).toBeLessThanOrEqual(1200)
})

test.each([
  [400, 'PROTOCOL'],
  [403, 'AUTH_DENIED'],
  [404, 'BLOB_UNKNOWN'],
  [418, 'PROTOCOL'],
  [501, 'SERVER_ERROR'],
])('%i does not', async (status, code) => {
  const server = await scriptedServer((_, response) => void response.writeHead(status).end('<html>'))
  const { store } = openTestStore(server.host)
  await expect(store.openBlob(BLOB)).rejects.toMatchObject({ code, details: { status, retryable: false } })
  expect(server.seen).toHaveLength(1)
})

test('tries are counted', async () => {
  const server = await scriptedServer((_, response) => void response.writeHead(503).end())
  const { store } = openTestStore(server.host)
  await expect(store.openBlob(BLOB)).rejects.toMatchObject({
    code: 'SERVER_ERROR',
    message: expect.stringMatching(/answered 503 \(tried 5 times\)$/),
    details: { attempts: 5, retryable: true },
  })
  expect(server.seen).toHaveLength(5)
})

test.each([
  ['seconds', () => '7', 7_000],
  ['a date', () => new Date(Date.now() + 20_000).toUTCString(), 18_000],
])('Retry-After in %s is waited for', async (_, value, least) => {
  const server = await scriptedServer((_, response, seen) => {
    if (seen.length > 1) return void response.end('content')
    response.writeHead(429, { 'Retry-After': value() }).end()
  })
  const { store, clock } = openTestStore(server.host)
  await textOf(await store.openBlob(BLOB))
  expect(clock.delays).toHaveLength(1)
  expect(clock.delays[0]).toBeGreaterThanOrEqual(least)
  expect(clock.delays[0]).toBeLessThanOrEqual(least + 3_000)
})

// Docker Hub's 429 may mean hours.
test('a Retry-After beyond patience fails at once', async () => {
  const server = await scriptedServer(
    (_, response) => void response.writeHead(429, { 'Retry-After': '21600' }).end(),
  )
  const { store, clock } = openTestStore(server.host)
  await expect(store.openBlob(BLOB)).rejects.toMatchObject({
    code: 'RATE_LIMITED',
    details: { retryAfter: 21_600_000 },
  })
  expect(clock.delays).toEqual([])
})

test('a wait can be cancelled', async () => {
  const server = await scriptedServer((_, response) => void response.writeHead(503).end())
  const registry = openRegistry({ retry: { delay: 60_000, maxDelay: 60_000 } })
  const controller = new AbortController()
  const pending = registry
    .repository(`${server.host}/lab/image`)
    .openBlob(BLOB, { signal: controller.signal })
  setTimeout(() => controller.abort('enough'), 100)
  await expect(pending).rejects.toBe('enough')
})

test('warnings of the registry are passed on', async () => {
  const server = await scriptedServer((_, response) => {
    response.setHeader('Warning', '299 - "this repository moves"')
    sendManifest(response)
  })
  const { store, events } = openTestStore(server.host)
  await store.getManifest('one')
  expect(events).toEqual([{ type: 'warning', message: `${server.host}: this repository moves` }])
})

test('an error document beyond 64 KiB is not read', async () => {
  const errors = [{ code: 'DENIED', message: 'x'.repeat(100_000) }]
  const server = await scriptedServer(
    (_, response) => void response.writeHead(404).end(JSON.stringify({ errors })),
  )
  const error = await openTestStore(server.host)
    .store.openBlob(BLOB)
    .catch((caught: Error) => caught)
  expect(error).toMatchObject({ code: 'BLOB_UNKNOWN' })
  expect(JSON.stringify(error).length).toBeLessThan(1000)
})
