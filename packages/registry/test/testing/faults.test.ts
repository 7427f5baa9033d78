import { randomBytes } from 'node:crypto'
import { collect } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import { afterEach, describe, expect, test } from 'vitest'
import { registryStore, type Transport } from '../../src/index.ts'
import { serveTestRegistry } from '../../src/node/testing.ts'
import { nodeTransport } from '../../src/node/transport.ts'
import { createTestRegistry, type TestFault, type TestRegistry } from '../../src/testing/index.ts'
import { ask } from '../support/asking.ts'
import { testClock } from '../support/client.ts'
import { describeBlob } from '../support/server.ts'

const CONTENT = randomBytes(300_000)
const BLOB = describeBlob(CONTENT)
const PATH = '/v2/lab/image/blobs/'

async function filled(...faults: TestFault[]): Promise<TestRegistry> {
  const registry = createTestRegistry({ faults, runtime: nodeRuntime, clock: testClock() })
  await registry.store('lab/image').putBlob({
    open: async () =>
      (async function* () {
        yield CONTENT
      })(),
  })
  return registry
}

/** How far a plain GET of the blob comes, and what ends it. */
async function fetchBlob(
  transport: Transport,
  origin: string,
  limit = 300,
): Promise<{ status?: number; bytes: Buffer; error?: unknown; headers?: Headers }> {
  const parts: Uint8Array[] = []
  const signal = AbortSignal.timeout(limit)
  const url = new URL(`${PATH}${BLOB.digest}`, origin)
  try {
    const { status, headers, body } = await transport.send(
      { method: 'GET', url, headers: { Range: 'bytes=100-' } },
      { signal },
    )
    try {
      for await (const chunk of body) parts.push(chunk)
      return { status, headers, bytes: Buffer.concat(parts) }
    } catch (error) {
      return { status, headers, bytes: Buffer.concat(parts), error: signal.aborted ? 'waits' : error }
    }
  } catch (error) {
    return { bytes: Buffer.concat(parts), error: signal.aborted ? 'waits' : error }
  }
}

/** The same faults without and with a socket. */
const WAYS: [string, (registry: TestRegistry) => Promise<{ transport: Transport; origin: string }>][] = [
  ['its transport', async ({ transport }) => ({ transport, origin: 'http://registry.test' })],
  [
    'a socket',
    async (registry) => {
      const served = await serveTestRegistry(registry)
      const transport = nodeTransport()
      closing.push(
        () => served.close(),
        async () => transport.close?.(),
      )
      return { transport, origin: served.url }
    },
  ],
]
const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

describe.each(WAYS)('over %s', (_, connect) => {
  const get = async (fault: TestFault) => {
    const registry = await filled(fault)
    const { transport, origin } = await connect(registry)
    const broken = await fetchBlob(transport, origin)
    const after = await fetchBlob(transport, origin)
    expect(after.bytes.equals(CONTENT.subarray(100))).toBe(true)
    expect(registry.requests.map(({ faults }) => faults)).toEqual([[fault.kind], []])
    return broken
  }
  const rest = CONTENT.subarray(100)

  test('a cut', async () => {
    const { status, bytes, error } = await get({ kind: 'cut', at: '50%' })
    expect(status).toBe(206)
    expect(error).toMatchObject({ code: 'ECONNRESET' })
    expect(bytes.equals(rest.subarray(0, rest.length / 2))).toBe(true)
  })

  test('an early end', async () => {
    const { bytes, error } = await get({ kind: 'cut', at: 70_000, how: 'end' })
    expect(error).toBeInstanceOf(Error)
    expect(bytes.length).toBe(70_000)
  })

  test('a stall', async () => {
    const { status, bytes, error } = await get({ kind: 'stall', at: '10%' })
    expect([status, bytes.length, error]).toEqual([206, rest.length / 10, 'waits'])
  })

  test('no answer at all', async () => {
    const { status, error } = await get({ kind: 'drop' })
    expect([status, (error as { code?: string }).code]).toEqual([undefined, 'ECONNRESET'])
  })

  test('a flipped byte', async () => {
    const { bytes } = await get({ kind: 'flip', at: 100_000 })
    expect(bytes.length).toBe(rest.length)
    expect([...bytes.keys()].filter((index) => bytes[index] !== rest[index])).toEqual([100_000])
  })

  test('another answer', async () => {
    const headers = { 'Retry-After': '3' }
    const answered = await get({ kind: 'status', status: 429, headers, body: 'wait' })
    expect([answered.status, answered.headers?.get('retry-after')]).toEqual([429, '3'])
    expect(answered.bytes.toString()).toBe('wait')
  })

  test('a redirect', async () => {
    const { status, headers } = await get({ kind: 'redirect', to: 'http://localhost:1' })
    expect([status, headers?.get('location')]).toEqual([307, `http://localhost:1${PATH}${BLOB.digest}`])
  })

  test('a range that is ignored', async () => {
    const { status, bytes } = await get({ kind: 'ignore-range' })
    expect([status, bytes.equals(CONTENT)]).toEqual([200, true])
  })

  test('other headers', async () => {
    const { headers, bytes } = await get({
      kind: 'headers',
      set: { 'Content-Range': 'bytes 0-1/2', 'Docker-Content-Digest': null },
    })
    expect(headers?.get('content-range')).toBe('bytes 0-1/2')
    expect(headers?.get('docker-content-digest')).toBeNull()
    expect(bytes.equals(rest)).toBe(true)
  })

  test('bytes after the end', async () => {
    const { bytes } = await get({ kind: 'append', text: 'more' })
    expect(bytes.subarray(rest.length).toString()).toBe('more')
  })

  test('an upload that is cut', async () => {
    const registry = await filled({
      match: { method: 'PATCH' },
      kind: 'cut',
      at: '50%',
      side: 'request',
    })
    const { transport, origin } = await connect(registry)
    const send = (method: string, url: URL, body?: Uint8Array) =>
      transport.send(
        { method: method as 'GET', url, headers: {}, ...(body && { body }) },
        {
          signal: AbortSignal.timeout(5_000),
        },
      )
    const start = await send('POST', new URL('/v2/lab/image/blobs/uploads/', origin))
    const location = new URL(start.headers.get('location') ?? '', origin)
    await start.cancel()
    await expect(send('PATCH', location, CONTENT)).rejects.toThrow()
    const status = await send('GET', location)
    expect(status.status).toBe(404)
    await status.cancel()
  })
})

test('which requests a fault meets', async () => {
  const registry = createTestRegistry()
  const statuses = async (...lines: string[]): Promise<number[]> => {
    const answers: number[] = []
    for (const line of lines) answers.push((await ask(registry, line)).status)
    return answers
  }
  const takeBack = registry.addFault({
    kind: 'status',
    status: 503,
    match: { method: 'GET', path: '/tags/', after: 1, times: 2 },
  })
  expect(await statuses('GET tags/list', 'HEAD tags/list', 'GET manifests/x')).toEqual([404, 404, 404])
  expect(await statuses('GET tags/list', 'GET tags/list', 'GET tags/list')).toEqual([503, 503, 404])
  takeBack()
  registry.addFault({ kind: 'status', status: 502, match: { perPath: true } })
  expect(await statuses('GET tags/list', 'GET tags/list', 'GET manifests/x')).toEqual([502, 404, 502])
  registry.addFault({ kind: 'status', status: 500, match: { times: Number.POSITIVE_INFINITY } })
  const again = await statuses('GET tags/list', 'GET tags/list')
  expect(again).toEqual([500, 500])
})

test.each<[string, unknown]>([
  ['kind', { kind: 'explode' }],
  ['place', { kind: 'cut', at: 'half' }],
  ['place', { kind: 'cut', at: -1 }],
  ['expression', { kind: 'drop', match: { path: '(' } }],
])('a fault with no such %s', (_, fault) => {
  expect(() => createTestRegistry().addFault(fault as TestFault)).toThrow(
    expect.objectContaining({ code: 'FAULT_INVALID' }),
  )
})

test('blobs of another origin, by URLs that expire', async () => {
  const clock = testClock()
  const registry = createTestRegistry({
    clock,
    runtime: nodeRuntime,
    blobRedirect: { origin: 'https://storage.test', lifetime: 30 },
  })
  await registry.store('lab/image').putBlob({
    open: async () =>
      (async function* () {
        yield CONTENT
      })(),
  })
  const store = registryStore('registry.test/lab/image', { transport: registry.transport })
  expect(Buffer.from(await collect(await store.openBlob(BLOB))).equals(CONTENT)).toBe(true)
  const location = (await ask(registry, `GET blobs/${BLOB.digest}`)).headers.get('location') ?? ''
  expect(location).toMatch(/^https:\/\/storage\.test\/storage\/lab\/image\/sha256:.*X-Signature=/)
  const get = (url: string, headers = {}): Promise<Response> => registry.handle(new Request(url, { headers }))
  expect((await get(location, { Range: 'bytes=0-9' })).status).toBe(206)
  expect((await get(location, { Authorization: 'Bearer x' })).status).toBe(400)
  expect((await get(location.replace('X-Signature=', 'X-Signature=0'))).status).toBe(403)
  clock.advance(31_000)
  expect((await get(location)).status).toBe(403)
})
