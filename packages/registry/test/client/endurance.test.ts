import { randomBytes } from 'node:crypto'
import { collect } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import { openImage, putImage, unpackImage, writeLayerTar } from '@bootable/oci'
import { createFile, createTree, diffTrees, type FileTree, putInode } from '@bootable/tree'
import { expect, test } from 'vitest'
import { registryStore } from '../../src/index.ts'
import { createTestRegistry, type TestFault, type TestRegistry } from '../../src/testing/index.ts'
import { openTestStore, overEachTransport, testClock, textOf } from '../support/client.ts'
import { describeBlob, scriptedServer } from '../support/server.ts'

const CONTENT = randomBytes(400_000)
const BLOB = describeBlob(CONTENT)

async function filled(options: object, ...faults: TestFault[]): Promise<TestRegistry> {
  const registry = createTestRegistry({ runtime: nodeRuntime, faults, ...options })
  await registry.store('lab/image').putBlob({
    open: async () =>
      (async function* () {
        yield CONTENT
      })(),
  })
  return registry
}

overEachTransport((transport) => {
  test('a reset in the middle is a failure that passes', async () => {
    const server = await scriptedServer((request, response, seen) => {
      if (seen.length > 1) {
        const headers = { 'Content-Range': 'bytes 10-19/*', 'Content-Length': 10 }
        expect(request.headers.range).toBe('bytes=10-')
        return void response.writeHead(206, headers).end('0123456789')
      }
      response.writeHead(200, { 'Content-Length': 20 })
      response.write('0123456789', () => setTimeout(() => response.socket?.resetAndDestroy(), 20))
    })
    const { store, events } = openTestStore(server.host, { transport })
    const blob = describeBlob('01234567890123456789')
    expect(await textOf(await store.openBlob(blob))).toBe('01234567890123456789')
    expect(events).toMatchObject([{ type: 'retry', code: 'NETWORK', offset: 10 }])
  })

  // docker-registry does this: registry:2.8, `Content-Length` of the blob with the 416 of a range.
  test('a 416 whose body never comes is not waited for', async () => {
    const server = await scriptedServer((_, response) => {
      response.writeHead(416, { 'Content-Length': 1_000_000 })
      response.write('no')
    })
    const { store } = openTestStore(server.host, { transport, timeouts: { idle: 20_000 } })
    const start = performance.now()
    await expect(store.openBlob(BLOB, { offset: 5 })).rejects.toMatchObject({
      code: 'PROTOCOL',
      details: { status: 416, retryable: false },
    })
    expect(performance.now() - start).toBeLessThan(5_000)
  })
})

test('after a break the registry is asked, not the signed URL', async () => {
  const clock = testClock()
  const registry = await filled(
    { clock, blobRedirect: { origin: 'https://storage.test', lifetime: 1 } },
    { kind: 'cut', at: '50%', match: { path: '^/storage/' } },
  )
  const store = registryStore('registry.test/lab/image', {
    transport: registry.transport,
    clock,
    retry: { delay: 5_000 },
  })
  expect(Buffer.from(await collect(await store.openBlob(BLOB))).equals(CONTENT)).toBe(true)
  const asked = registry.requests.map(({ path, headers }) => [path.split('/')[1], headers.range])
  const rest = `bytes=${CONTENT.length / 2}-`
  expect(asked).toEqual([
    ['v2', undefined],
    ['storage', undefined],
    ['v2', rest],
    ['storage', rest],
  ])
})

test('a signed URL that has expired when it is used is asked for anew', async () => {
  const registry = await filled(
    { blobRedirect: { origin: 'https://storage.test' } },
    { kind: 'status', status: 403, match: { path: '^/storage/' } },
  )
  const { transport } = registry
  const store = registryStore('registry.test/lab/image', { transport, clock: testClock() })
  expect(Buffer.from(await collect(await store.openBlob(BLOB))).equals(CONTENT)).toBe(true)
})

test('what is read again for nothing is bounded', async () => {
  const times = Number.POSITIVE_INFINITY
  const registry = await filled(
    {},
    { kind: 'ignore-range', match: { times } },
    { kind: 'cut', at: '75%', match: { times } },
  )
  const { transport } = registry
  const retry = { attempts: 100 }
  const store = registryStore('registry.test/lab/image', { transport, clock: testClock(), retry })
  await expect(collect(await store.openBlob(BLOB))).rejects.toMatchObject({ code: 'NETWORK' })
  // The first, three that begin again, and the one at which it is given up.
  expect(registry.requests).toHaveLength(5)
})

test.each([
  [1, true],
  [2, false],
])('a layer that arrives damaged %i times on its way to a tree', async (times, succeeds) => {
  const registry = createTestRegistry({ runtime: nodeRuntime })
  const tree = createTree()
  putInode(tree, 'usr/bin/program', createFile(randomBytes(300_000)))
  await putImage(registry.store('lab/image'), { layers: [() => writeLayerTar(tree)] }, { reference: '1' })
  const store = registryStore('registry.test/lab/image:1', { transport: registry.transport })
  const image = await openImage(store, '')
  const path = `/blobs/${image.layers[0]?.descriptor.digest}$`
  registry.addFault({ match: { method: 'GET', path, times }, kind: 'flip', at: 150_000 })
  const warnings: string[] = []
  const unpacking = unpackImage(image, {
    onProgress: (event) => void (event.type === 'warning' && warnings.push(event.message)),
  })
  if (succeeds) expect(await differences(tree, await unpacking)).toEqual([])
  else await expect(unpacking).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
  expect(warnings).toEqual([expect.stringMatching(/fetched once more$/)])
})

/** What differs between two trees, times apart. */
async function differences(before: FileTree, after: FileTree): Promise<string[]> {
  const changes: string[] = []
  for await (const { path, change } of diffTrees(before, after, { times: false }))
    changes.push(`${change} ${path}`)
  return changes
}
