import { MEDIA_TYPE, referrersTag } from '@bootable/oci'
import { expect, test } from 'vitest'
import { passwordFor, type RepositoryRoute, registryStore } from '../../src/index.ts'
import { openTestStore, textOf } from '../support/client.ts'
import {
  describeBlob,
  digestOf,
  freePort,
  MANIFEST,
  type ScriptedServer,
  scriptedServer,
  sendManifest,
} from '../support/server.ts'

const BLOB = describeBlob('content')
const routed = (route: RepositoryRoute) => async (): Promise<RepositoryRoute> => route

/** A registry that has `name` with one manifest and one blob. */
function holding(name: string): Promise<ScriptedServer> {
  return scriptedServer(({ path, method }, response) => {
    if (path.startsWith(`/v2/${name}/manifests/`)) return sendManifest(response)
    if (path.startsWith(`/v2/${name}/blobs/`)) return void response.end(method === 'HEAD' ? '' : 'content')
    if (path.startsWith(`/v2/${name}/tags/`)) return void response.end(JSON.stringify({ tags: ['one'] }))
    response.writeHead(404).end()
  })
}

const empty = (): Promise<ScriptedServer> =>
  scriptedServer((_, response) => void response.writeHead(404).end())
const paths = ({ seen }: ScriptedServer): string[] =>
  seen.map(({ method, path }) => `${method} ${path.split('/').slice(-2, -1)}`)

test('mirrors come in their order; one that fails makes way for the next at once', async () => {
  const dead = `127.0.0.1:${await freePort()}`
  const [without, mirror, primary] = [await empty(), await holding('m/image'), await holding('lab/image')]
  const { store, events, clock } = openTestStore(primary.host, {
    router: routed({
      mirrors: [
        { location: `${dead}/x` },
        { location: `${without.host}/y` },
        { location: `${mirror.host}/m/image` },
      ],
    }),
  })
  await store.getManifest('one')
  expect(await textOf(await store.openBlob(BLOB))).toBe('content')
  const named = (host: string, repository: string): string => `docker://${host}/${repository}`
  expect(events).toMatchObject([
    { type: 'mirror', from: named(dead, 'x'), to: named(without.host, 'y'), code: 'NETWORK' },
    {
      type: 'mirror',
      from: named(without.host, 'y'),
      to: named(mirror.host, 'm/image'),
      code: 'REFERENCE_UNKNOWN',
    },
  ])
  expect(clock.delays).toEqual([])
  // The blob came from where the manifest was, without another look at the others.
  expect([without, mirror, primary].map(paths)).toEqual([
    ['GET manifests'],
    ['GET manifests', 'GET blobs'],
    [],
  ])
  expect(store.name).toBe(`docker://${primary.host}/lab/image`)
})

test('the registry itself comes last, and its error counts', async () => {
  const [mirror, primary] = [await empty(), await holding('lab/image')]
  const router = routed({ mirrors: [{ location: `${mirror.host}/x` }] })
  const { store } = openTestStore(primary.host, { router })
  expect((await store.getManifest('one')).descriptor.digest).toBe(digestOf(MANIFEST))
  const nowhere = openTestStore((await empty()).host, { router })
  await expect(nowhere.store.getManifest('one')).rejects.toMatchObject({
    code: 'REFERENCE_UNKNOWN',
    message: expect.not.stringContaining(mirror.host),
  })
})

test.each([
  ['text/html', '<html>Accept our terms</html>'],
  ['text/plain', '<html>Accept our terms</html>'],
  [MEDIA_TYPE.manifest, '{"schemaVersion":2}'],
])('a 200 of %s that is no manifest makes way for the next', async (type, text) => {
  const portal = await scriptedServer(
    (_, response) => void response.writeHead(200, { 'Content-Type': type }).end(text),
  )
  const primary = await holding('lab/image')
  const { store, events } = openTestStore(primary.host, {
    router: routed({ mirrors: [{ location: `${portal.host}/x` }] }),
  })
  expect((await store.getManifest('one')).descriptor.digest).toBe(digestOf(MANIFEST))
  expect((await store.resolve('one')).digest).toBe(digestOf(MANIFEST))
  expect(events).toMatchObject([{ type: 'mirror' }, { type: 'mirror' }])
})

test('content that is not what its digest says is an error, not a reason to look elsewhere', async () => {
  const [mirror, primary] = [
    await scriptedServer((_, response) => void response.end('altered')),
    await holding('lab/image'),
  ]
  const { store, events } = openTestStore(primary.host, {
    router: routed({ mirrors: [{ location: `${mirror.host}/x` }] }),
  })
  await expect(store.openBlob(BLOB).then(textOf)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
  await expect(
    store.getManifest({
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: BLOB.digest,
      size: 7,
    }),
  ).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
  expect(events).toEqual([])
  expect(primary.seen).toEqual([])
})

test.each([
  ['tag-only', 'one', true],
  ['tag-only', digestOf(MANIFEST), false],
  ['digest-only', 'one', false],
  ['digest-only', digestOf(MANIFEST), true],
] as const)('a %s mirror is asked for %s: %s', async (pull, reference, isAsked) => {
  const [mirror, primary] = [await holding('m'), await holding('lab/image')]
  const { store } = openTestStore(primary.host, {
    router: routed({ mirrors: [{ location: `${mirror.host}/m`, pull }] }),
  })
  await store.getManifest(reference)
  await textOf(await store.openBlob(BLOB))
  const [asked, other] = isAsked ? [mirror, primary] : [primary, mirror]
  expect([asked, other].map(paths)).toEqual([['GET manifests', 'GET blobs'], []])
})

test('another location is read from; whether a blob is there, which a push asks, is its own business', async () => {
  const [place, named] = [await holding('other/place'), await holding('lab/image')]
  const { store } = openTestStore(named.host, {
    router: routed({ location: `${place.host}/other/place`, mirrors: [] }),
  })
  await store.resolve('one')
  const tags: string[] = []
  for await (const tag of store.tags()) tags.push(tag)
  expect(tags).toEqual(['one'])
  expect(await store.hasBlob(BLOB)).toBe(true)
  expect(place.seen.map(({ path }) => path)).toEqual([
    '/v2/other/place/manifests/one',
    '/v2/other/place/tags/list?n=1000',
  ])
  expect(paths(named)).toEqual(['HEAD blobs'])
})

test('referrers are listed where tags are; what is deleted is read where it is deleted', async () => {
  const artifact = JSON.stringify({ ...JSON.parse(MANIFEST), subject: describeBlob(MANIFEST) })
  const { digest } = describeBlob(artifact)
  const subject = describeBlob(MANIFEST, MEDIA_TYPE.manifest)
  const list = { schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: [] as object[] }
  const place = await scriptedServer(({ path }, response) => {
    if (!path.endsWith(`/${referrersTag(subject.digest)}`)) return void response.writeHead(404).end()
    response.writeHead(200, { 'Content-Type': MEDIA_TYPE.index }).end(JSON.stringify(list))
  })
  const named = await scriptedServer(({ method, path }, response) => {
    if (method === 'DELETE') return void response.writeHead(202).end()
    if (path.includes('/manifests/')) return sendManifest(response, artifact)
    response.writeHead(200, { 'Content-Type': MEDIA_TYPE.index }).end(JSON.stringify(list))
  })
  const { store } = openTestStore(named.host, { router: routed({ location: `${place.host}/x` }) })
  for await (const _ of store.referrers(subject)) throw new Error('there are none')
  expect(named.seen).toEqual([])
  expect(paths(place)).toEqual(['GET referrers', 'GET manifests'])
  // That the place has no API says nothing about the registry.
  await store.delete(digest)
  expect(paths(named)).toEqual(['GET manifests', 'DELETE manifests', 'GET referrers'])
  expect(place.seen).toHaveLength(2)
})

test('what is written goes to the registry that the name says, never to a mirror', async () => {
  const [mirror, place] = [await empty(), await empty()]
  const named = await scriptedServer(({ method, path }, response) => {
    if (method === 'HEAD') return void response.writeHead(404).end()
    if (method === 'POST') return void response.writeHead(202, { Location: `${path}1` }).end()
    response.writeHead(201).end()
  })
  const { store } = openTestStore(named.host, {
    router: routed({ location: `${place.host}/x`, mirrors: [{ location: `${mirror.host}/x` }] }),
  })
  const content = new TextEncoder().encode('content')
  const source = { size: content.length, open: async () => chunksOf(content) }
  await store.putBlob(source, { descriptor: BLOB })
  await store.putManifest(new TextEncoder().encode(MANIFEST), {
    reference: 'one',
    mediaType: MEDIA_TYPE.manifest,
  })
  expect([mirror.seen, place.seen]).toEqual([[], []])
  expect(named.seen.map(({ method }) => method)).toEqual(['HEAD', 'POST', 'PUT', 'PUT'])
})

async function* chunksOf(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content
}

test('a blocked one is refused before any request', async () => {
  const server = await holding('lab/image')
  const { store } = openTestStore(server.host, {
    router: routed({ blocked: '/etc/containers/registries.conf' }),
  })
  const refusal = {
    code: 'REGISTRY_BLOCKED',
    message: `docker://${server.host}/lab/image is blocked by /etc/containers/registries.conf`,
  }
  await expect(store.getManifest('one')).rejects.toMatchObject(refusal)
  await expect(store.openBlob(BLOB)).rejects.toMatchObject(refusal)
  await expect(store.hasBlob(BLOB)).rejects.toMatchObject(refusal)
  await expect(store.tags()[Symbol.asyncIterator]().next()).rejects.toMatchObject(refusal)
  expect(server.seen).toEqual([])
})

test('credentials are those of the place that is asked', async () => {
  const asked: string[] = []
  const mirror = await scriptedServer(({ headers }, response) => {
    if (headers.authorization) return sendManifest(response)
    response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="m"' }).end()
  })
  const store = registryStore('quay.io/lab/image', {
    router: routed({ mirrors: [{ location: `${mirror.host}/deep/er` }] }),
    credentials: async (target, options) => {
      asked.push(`${target.host}/${target.repository}`)
      return passwordFor(mirror.host, 'tester', 'secret')(target, options)
    },
  })
  await store.getManifest('one')
  expect(asked).toEqual([`${mirror.host}/deep/er`])
})

/** A mirror that has everything, but breaks off each body after `length` bytes, whatever part was asked for. */
function breaking(length: number): Promise<ScriptedServer> {
  return scriptedServer(({ path, headers }, response) => {
    if (path.includes('manifests')) return sendManifest(response)
    const [, start] = /bytes=(\d+)-/.exec(headers.range ?? '') ?? []
    const range = start && { 'Content-Range': `bytes ${start}-6/7` }
    response.writeHead(range ? 206 : 200, { 'Content-Length': 7 - Number(start ?? 0), ...range })
    response.write('content'.slice(Number(start ?? 0)).slice(0, length))
    setTimeout(() => response.destroy(), 20)
  })
}

test('a download goes on at the next place where one breaks, and does not come back', async () => {
  const [first, second] = [await breaking(3), await breaking(1)]
  const primary = await scriptedServer(({ headers }, response) => {
    expect(headers.range).toBe('bytes=4-')
    response.writeHead(206, { 'Content-Range': 'bytes 4-6/7' }).end('ent')
  })
  const { store, events, clock } = openTestStore(primary.host, {
    router: routed({ mirrors: [{ location: `${first.host}/x` }, { location: `${second.host}/y` }] }),
  })
  await store.getManifest('one')
  expect(await textOf(await store.openBlob(BLOB))).toBe('content')
  const named = (host: string, repository: string): string => `docker://${host}/${repository}`
  expect(events).toMatchObject([
    { type: 'mirror', code: 'NETWORK', from: named(first.host, 'x'), to: named(second.host, 'y') },
    { type: 'mirror', code: 'NETWORK', from: named(second.host, 'y'), to: named(primary.host, 'lab/image') },
  ])
  expect(clock.delays).toEqual([])
  expect([first, second].map(paths)).toEqual([['GET manifests', 'GET blobs'], ['GET blobs']])
})

test('mirrors that broke leave the registry all of its tries', async () => {
  const mirror = await breaking(1)
  const primary = await scriptedServer(({ headers }, response, seen) => {
    if (seen.length < 3) return void response.writeHead(503).end()
    const start = Number(/bytes=(\d+)-/.exec(headers.range ?? '')?.[1])
    response.writeHead(206, { 'Content-Range': `bytes ${start}-6/7` }).end('content'.slice(start))
  })
  const { store, events } = openTestStore(primary.host, {
    router: routed({ mirrors: [{ location: `${mirror.host}/x` }] }),
    retry: { attempts: 3 },
  })
  const texts = await Promise.all([1, 2].map(async () => textOf(await store.openBlob(BLOB))))
  expect(texts).toEqual(['content', 'content'])
  expect(events.filter(({ type }) => type === 'mirror')).toHaveLength(2)
})

test.each(['quay.io/a:tag', `quay.io/a@${BLOB.digest}`, 'quay.io/NOT'])(
  '%s is no place',
  async (location) => {
    const { store } = openTestStore('quay.io', { router: routed({ location }) })
    await expect(store.getManifest('one')).rejects.toMatchObject({ code: 'REFERENCE_INVALID' })
  },
)
