import { randomBytes } from 'node:crypto'
import { collect } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import { expect, test } from 'vitest'
import { createPace } from '../../src/http/pace.ts'
import { openRegistry, type RegistryEvent, type RegistryOptions, systemClock } from '../../src/index.ts'
import { createTestRegistry, type TestFault, type TestRegistry } from '../../src/testing/index.ts'
import { testClock } from '../support/client.ts'
import { CONFIG, describeBlob, MANIFEST } from '../support/server.ts'

const CONTENTS = [1, 2, 3, 4].map(() => randomBytes(50_000))

async function filled(...faults: TestFault[]): Promise<TestRegistry> {
  const registry = createTestRegistry({ runtime: nodeRuntime, faults, rateLimit: { limit: 100 } })
  const store = registry.store('lab/image')
  for (const content of [...CONTENTS, Buffer.from(CONFIG)]) {
    await store.putBlob({ open: async () => once(content) })
  }
  await store.putManifest(Buffer.from(MANIFEST), {
    mediaType: JSON.parse(MANIFEST).mediaType,
    reference: 'one',
  })
  return registry
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

function openWith(registry: TestRegistry, options: RegistryOptions = {}) {
  const events: RegistryEvent[] = []
  const { transport } = registry
  const client = openRegistry({ transport, onEvent: (event) => events.push(event), ...options })
  return { store: client.repository('registry.test/lab/image'), events }
}

test('a host that asks for a pause is left alone by everybody', async () => {
  const status = { kind: 'status', status: 429, headers: { 'Retry-After': '1' } } as const
  const registry = await filled({ ...status, match: { path: '/blobs/' } })
  const { store, events } = openWith(registry)
  const start = performance.now()
  // The first is told to wait; the others come a little later and would be told nothing.
  const downloads = CONTENTS.map(async (content, index) => {
    await new Promise((resolve) => setTimeout(resolve, index * 50))
    return collect(await store.openBlob(describeBlob(content)))
  })
  await Promise.all(downloads)
  const time = performance.now() - start
  expect(time).toBeGreaterThan(1_000)
  expect(time).toBeLessThan(1_800)
  expect(registry.requests.map((each) => each.status)).toEqual([429, 200, 200, 200, 200])
  expect(events.map(({ type }) => type)).toEqual(['retry'])
})

test('waiting for a host can be cancelled, and is for that host alone', async () => {
  const registry = await filled({
    kind: 'status',
    status: 503,
    headers: { 'Retry-After': '60' },
    match: { path: '/blobs/' },
  })
  const client = openRegistry({ transport: registry.transport })
  const [blob] = CONTENTS.map((content) => describeBlob(content))
  const controller = new AbortController()
  const { signal } = controller
  const here = client.repository('registry.test/lab/image')
  const waiting = [here.openBlob(blob!, { signal }), later(() => here.openBlob(blob!, { signal }))]
  const outcomes = Promise.allSettled(waiting)
  await later(async () => collect(await client.repository('other.test/lab/image').openBlob(blob!)))
  controller.abort('enough')
  for (const outcome of await outcomes) expect(outcome).toMatchObject({ reason: 'enough' })
  expect(registry.requests).toHaveLength(2)
})

function later<T>(work: () => Promise<T>): Promise<T> {
  return new Promise((resolve) => setTimeout(resolve, 50)).then(work)
}

test('a failure that is not the host’s wish holds nobody up', async () => {
  const registry = await filled({ kind: 'status', status: 500, match: { path: '/blobs/' } })
  const { store } = openWith(registry, { retry: { delay: 300 } })
  const [first, second] = CONTENTS.map((content) => describeBlob(content))
  const slow = store.openBlob(first!)
  await later(async () => collect(await store.openBlob(second!)))
  expect(registry.requests.map(({ status }) => status)).toEqual([500, 200])
  await (await slow)[Symbol.asyncIterator]().return?.()
})

test('a quota is told', async () => {
  const { store, events } = openWith(await filled())
  await store.getManifest('one')
  await store.getManifest('one')
  const quota = { type: 'rate-limit', host: 'registry.test', limit: 100, window: 21_600 }
  expect(events).toEqual([
    { ...quota, remaining: 99 },
    { ...quota, remaining: 98 },
  ])
})

test('downloads together go no faster than allowed', async () => {
  const clock = testClock()
  const registry = await filled()
  const { store } = openWith(registry, { clock, maxBytesPerSecond: 20_000 })
  const downloads = CONTENTS.map(async (content) => {
    expect(Buffer.from(await collect(await store.openBlob(describeBlob(content)))).equals(content)).toBe(true)
  })
  await Promise.all(downloads)
  // 200 000 bytes; a tenth of a second's worth may come at once. Each wait of this clock is its own time.
  const total = clock.delays.reduce((sum, delay) => sum + delay, 0)
  expect(total).toBeGreaterThanOrEqual(9_900)
})

test('real time: a megabyte at two megabytes a second', async () => {
  const registry = createTestRegistry({ runtime: nodeRuntime })
  const content = randomBytes(1_000_000)
  await registry.store('lab/image').putBlob({ open: async () => once(content) })
  const { store } = openWith(registry, { maxBytesPerSecond: 2_000_000, timeouts: { idle: 100 } })
  const start = performance.now()
  await collect(await store.openBlob(describeBlob(content)))
  const time = performance.now() - start
  expect(time).toBeGreaterThan(400)
  expect(time).toBeLessThan(900)
})

test('uploads, too, and the time limit of the server does not run meanwhile', async () => {
  const registry = createTestRegistry({ runtime: nodeRuntime })
  const { exchange } = createPace({ clock: systemClock, maxBytesPerSecond: 1_000_000 })
  const content = randomBytes(500_000)
  const url = new URL('http://registry.test/v2/lab/image/blobs/uploads/')
  url.searchParams.set('digest', describeBlob(content).digest)
  for (const body of [content, { size: content.length, open: async () => once(content) }]) {
    const start = performance.now()
    const response = await exchange(
      { method: 'POST', url, headers: {}, body },
      { transport: registry.transport, timeouts: { idle: 200, response: 250 } },
    )
    expect(response.status).toBe(201)
    const time = performance.now() - start
    expect(time).toBeGreaterThan(300)
    expect(time).toBeLessThan(900)
  }
})

test.each([0, -1, Number.NaN])('%d bytes a second is no rate', (maxBytesPerSecond) => {
  expect(() => openRegistry({ maxBytesPerSecond })).toThrow(RangeError)
})
