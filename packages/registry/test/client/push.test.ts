import { createHash, randomBytes } from 'node:crypto'
import { collect, memorySource } from '@bootable/bytes'
import { blobOf, type Descriptor, MEDIA_TYPE, parseDigest, putArtifact, putImage } from '@bootable/oci'
import { describe, expect, onTestFinished, test } from 'vitest'
import { serveTestRegistry } from '../../src/node/testing.ts'
import { createTestRegistry, type TestRegistry, type TestRegistryOptions } from '../../src/testing/index.ts'
import { openTestStore, overEachTransport, type TestStore } from '../support/client.ts'

/** The write path against a registry that was written apart from it, over real sockets. */
const CONTENT = new Uint8Array(randomBytes(3_000_000))
const BLOB: Descriptor = {
  mediaType: MEDIA_TYPE.layer,
  digest: parseDigest(`sha256:${createHash('sha256').update(CONTENT).digest('hex')}`),
  size: CONTENT.length,
}

async function serve(options: TestRegistryOptions): Promise<{ registry: TestRegistry; host: string }> {
  const registry = createTestRegistry(options)
  const { host, close } = await serveTestRegistry(registry)
  onTestFinished(close)
  return { registry, host }
}

const source = () => blobOf(memorySource(CONTENT))
const stream = () => ({ open: source().open })

async function expectThere({ store }: TestStore, descriptor: Descriptor = BLOB): Promise<void> {
  const bytes = await collect(await store.openBlob(descriptor))
  expect(Buffer.from(bytes).equals(CONTENT)).toBe(true)
}

async function listOf<T>(list: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const each of list) items.push(each)
  return items
}

overEachTransport((transport) => {
  test.each<[string, TestRegistryOptions]>([
    ['as the specification has it', {}],
    ['Location without a host', { relativeLocations: true }],
    ['chunks of at least a megabyte', { minChunkLength: 1_000_000 }],
    [
      'a token for each right',
      { auth: { type: 'token', users: [], anonymous: [{ repository: '.*', actions: ['pull', 'push'] }] } },
    ],
  ])('a blob, of a known digest and of an unknown one: %s', async (_, options) => {
    const { host } = await serve(options)
    const opened = openTestStore(host, { transport })
    await opened.store.putBlob(source(), { descriptor: BLOB })
    await expectThere(opened)
    const { host: other } = await serve(options)
    const second = openTestStore(other, { transport })
    expect((await second.store.putBlob(stream())).digest).toBe(BLOB.digest)
    await expectThere(second)
  })

  test.each(['spoil', 'forget', 'keep'] as const)(
    'a body that is cut: uploads that %s',
    async (brokenChunk) => {
      for (const [method, descriptor] of [
        ['PUT', BLOB],
        ['PATCH', undefined],
      ] as const) {
        const { host, registry } = await serve({
          brokenChunk,
          faults: [{ kind: 'cut', at: '50%', side: 'request', match: { method } }],
        })
        const opened = openTestStore(host, { transport })
        await opened.store.putBlob(stream(), descriptor ? { descriptor } : {})
        await expectThere(opened)
        expect(registry.requests.filter(({ faults }) => faults.length > 0)).toHaveLength(1)
        expect(opened.events.filter(({ type }) => type === 'retry')).not.toEqual([])
      }
    },
  )

  test('a byte that is turned over on its way is noticed by the registry, and all of it sent once more', async () => {
    const flip = { kind: 'flip', at: 1000, side: 'request' } as const
    const { host, registry } = await serve({ faults: [{ ...flip, match: { method: 'PUT' } }] })
    const opened = openTestStore(host, { transport })
    await opened.store.putBlob(source(), { descriptor: BLOB })
    await expectThere(opened)
    expect(opened.events).toMatchObject([{ type: 'retry' }])

    registry.addFault({ ...flip, match: { method: 'PUT', times: 10 } })
    const other = openTestStore(host.replace('127.0.0.1', 'localhost'), { transport })
    await other.store.deleteBlob(BLOB)
    registry.requests.length = 0
    await expect(other.store.putBlob(source(), { descriptor: BLOB })).rejects.toMatchObject({
      details: { status: 400, errors: [{ code: 'DIGEST_INVALID' }] },
    })
    expect(registry.requests.filter(({ method }) => method === 'PUT')).toHaveLength(2)
    expect(await other.store.hasBlob(BLOB)).toBe(false)
  })
})

describe('beyond docker-registry', () => {
  test('sha512', async () => {
    const { host } = await serve({})
    const digest = parseDigest(`sha512:${createHash('sha512').update(CONTENT).digest('hex')}`)
    const opened = openTestStore(host)
    await opened.store.putBlob(source(), { descriptor: { ...BLOB, digest } })
    await expectThere(opened, { ...BLOB, digest })
  })

  test.each([true, false])('referrers, with the API: %s', async (referrers) => {
    const { host, registry } = await serve({ referrers, pageSize: 2 })
    const { store } = openTestStore(host)
    const subject = await putImage(store, { layers: [] }, { reference: 'v1' })
    const artifacts: Descriptor[] = []
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      const artifactType = `application/vnd.${name}`
      artifacts.push(await putArtifact(store, { artifactType, subject, annotations: { name } }))
    }
    const listed = await listOf(store.referrers(subject))
    expect(listed.map(({ digest }) => digest).sort()).toEqual(artifacts.map(({ digest }) => digest).sort())
    expect(await listOf(store.referrers(subject, { artifactType: 'application/vnd.c' }))).toMatchObject([
      { digest: artifacts[2]?.digest, annotations: { name: 'c' } },
    ])
    const tags = await listOf(store.tags())
    expect(tags.some((tag) => tag.startsWith('sha256-'))).toBe(!referrers)
    await store.delete(artifacts[0] as Descriptor)
    expect(await listOf(store.referrers(subject))).toHaveLength(4)
    expect(registry.requests.some(({ path }) => path.includes('/referrers/'))).toBe(true)
  })

  test.each<[string, NonNullable<TestRegistryOptions['deletion']>]>([
    ['can', true],
    ['cannot', ['manifests']],
  ])('a tag of a registry that %s delete tags', async (_, deletion) => {
    const { host } = await serve({ deletion })
    const { store } = openTestStore(host)
    const { digest } = await putImage(store, { layers: [] }, { reference: 'v1' })
    const { raw, mediaType } = await store.getManifest('v1')
    await store.putManifest(raw, { mediaType, reference: ['v2', 'v3'] })
    await store.delete('v2')
    expect((await listOf(store.tags())).sort()).toEqual(['v1', 'v3'])
    expect((await store.resolve('v1')).digest).toBe(digest)
  })
})
