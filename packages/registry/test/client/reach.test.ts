import type { LookupFunction } from 'node:net'
import { expect, test } from 'vitest'
import { passwordFor, type RegistryOptions, type Transport } from '../../src/index.ts'
import { nodeTransport } from '../../src/node/index.ts'
import { CA, SERVER } from '../support/certificates.ts'
import { openTestStore, textOf } from '../support/client.ts'
import { describeBlob, scriptedServer } from '../support/server.ts'

const BLOB = describeBlob('content')
const LAYER = describeBlob('content', 'application/vnd.oci.image.layer.nondistributable.v1.tar')

/** A name server of a stranger: all of his names stand for this machine. */
const lookup: LookupFunction = (_, { all }, callback) =>
  all ? callback(null, [{ address: '127.0.0.1', family: 4 }]) : callback(null, '127.0.0.1', 4)

/**
 * A registry that answers from an address out in the world. There is none in a test, so its answers are given
 * one; everything else is reached as always.
 */
function worldly(registry: string, options: Parameters<typeof nodeTransport>[0] = {}): Transport {
  const transport = nodeTransport({ lookup, ...options })
  return {
    ...transport,
    async send(request, extra) {
      const response = await transport.send(request, extra)
      return request.url.host === registry ? { ...response, peer: '203.0.113.7' } : response
    },
  }
}

const open = (host: string, options: RegistryOptions): ReturnType<typeof openTestStore> =>
  openTestStore(host, { insecure: [host], ...options })

// google/go-containerregistry#2440: a check of literal addresses is passed by a name.
test.each(['metadata.test', 'localhost.example.org'])(
  'a redirect to %s, a name for this machine',
  async (name) => {
    const victim = await scriptedServer((_, response) => void response.end('content'))
    const server = await scriptedServer((_, response) => {
      response.writeHead(307, { Location: `http://${name}:${victim.port}/latest` }).end()
    })
    const host = `registry.test:${server.port}`
    const { store } = open(host, { transport: worldly(host) })
    await expect(store.openBlob(BLOB)).rejects.toMatchObject({
      code: 'POLICY',
      message: expect.stringContaining('loopback'),
      details: { host: name, retryable: false },
    })
    expect(victim.seen).toEqual([])
  },
)

test('a token server whose name stands for this machine gets no password', async () => {
  const victim = await scriptedServer((_, response) => void response.end('{"token":"x"}'))
  const server = await scriptedServer((_, response) => {
    const realm = `http://auth.test:${victim.port}/token`
    response.writeHead(401, { 'WWW-Authenticate': `Bearer realm="${realm}"` }).end()
  })
  const host = `registry.test:${server.port}`
  const credentials = passwordFor(host, 'tester', 'secret')
  const { store } = open(host, { transport: worldly(host), credentials })
  await expect(store.openBlob(BLOB)).rejects.toMatchObject({ code: 'POLICY' })
  expect(victim.seen).toEqual([])
})

test('an upload does not go on at a name for this machine', async () => {
  const victim = await scriptedServer((_, response) => void response.writeHead(201).end())
  const server = await scriptedServer(({ method }, response) => {
    if (method === 'HEAD') return void response.writeHead(404).end()
    response.writeHead(202, { Location: `http://uploads.test:${victim.port}/1` }).end()
  })
  const host = `registry.test:${server.port}`
  const { store } = open(host, { transport: worldly(host) })
  const content = async function* (): AsyncGenerator<Uint8Array> {
    yield new TextEncoder().encode('content')
  }
  const source = { size: BLOB.size, open: async () => content() }
  await expect(store.putBlob(source, { descriptor: BLOB })).rejects.toMatchObject({ code: 'POLICY' })
  expect(victim.seen).toEqual([])
})

test('a connection that was made to the same name before does not help', async () => {
  const server = await scriptedServer((_, response) => void response.end('content'))
  const host = `registry.test:${server.port}`
  const transport = nodeTransport({ lookup })
  const ask = (nearest?: 'private'): Promise<unknown> =>
    transport
      .send(
        { method: 'GET', url: new URL(`http://${host}/x`), headers: {}, nearest },
        { signal: new AbortController().signal },
      )
      .then(async (response) => textOf(response.body))
  expect(await ask()).toBe('content')
  await expect(ask('private')).rejects.toMatchObject({ code: 'POLICY' })
  await transport.close?.()
})

test('of several addresses the ones that are far enough away are taken', async () => {
  const server = await scriptedServer((_, response) => void response.end('content'))
  const transport = nodeTransport({
    lookup: (_, options, callback) => {
      expect(options.all).toBe(true)
      callback(null, [
        { address: '169.254.169.254', family: 4 },
        { address: '127.0.0.1', family: 4 },
      ])
    },
  })
  const url = new URL(`http://mixed.test:${server.port}/`)
  const signal = AbortSignal.timeout(2000)
  const response = await transport.send({ method: 'GET', url, headers: {}, nearest: 'loopback' }, { signal })
  expect(response.peer).toBe('127.0.0.1')
  await response.cancel()
  await transport.close?.()
})

test('who is on this machine may send us to it', async () => {
  const storage = await scriptedServer((_, response) => void response.end('content'))
  const server = await scriptedServer(({ path, headers }, response) => {
    if (path.startsWith('/token')) return void response.end('{"token":"given"}')
    if (headers.authorization !== 'Bearer given') {
      const realm = `http://auth.test:${server.port}/token`
      return void response.writeHead(401, { 'WWW-Authenticate': `Bearer realm="${realm}"` }).end()
    }
    response.writeHead(307, { Location: `http://storage.test:${storage.port}/` }).end()
  })
  const host = `registry.test:${server.port}`
  // The name says nothing; the address that it answered from does.
  const { store } = open(host, { transport: nodeTransport({ lookup }) })
  expect(await textOf(await store.openBlob(BLOB))).toBe('content')
})

/** A registry out in the world and hosts that it names, and how near each request was allowed to get. */
function scripted(answer: (method: string, url: URL) => [status: number, headers: object, text?: string]) {
  const seen: string[] = []
  const transport: Transport = {
    async send({ method, url, nearest }) {
      seen.push(`${method} ${url.host}${url.pathname} ${nearest}`)
      const [status, headers, text = ''] = answer(method, url)
      const body = (async function* () {
        yield new TextEncoder().encode(text)
      })()
      // Where the transport does not see to it that the others are far enough away.
      const peer = url.host === 'registry.test' ? '203.0.113.7' : '127.0.0.1'
      return { status, headers: new Headers({ ...headers }), body, peer, async cancel() {} }
    },
  }
  return { seen, transport }
}

test('the next page of a list that a redirect led to gets no nearer either', async () => {
  const { seen, transport } = scripted((_, { pathname }) => {
    if (pathname === '/1') return [200, { Link: '</2>; rel="next"' }, '{"tags":["a"]}']
    if (pathname === '/2') return [200, {}, '{"tags":["b"]}']
    return [307, { Location: 'https://lists.test/1' }]
  })
  const { store } = openTestStore('registry.test', { transport })
  for await (const _ of store.tags());
  expect(seen).toEqual([
    'GET registry.test/v2/lab/image/tags/list undefined',
    'GET lists.test/1 private',
    'GET lists.test/2 private',
  ])
})

test.each([
  ['without a Location', {}, 'uploads.test/1'],
  ['with one of its own', { Location: '/2' }, 'uploads.test/2'],
])('an upload that a redirect led to, %s, gets no nearer either', async (_, headers, place) => {
  const { seen, transport } = scripted((method, { host }) => {
    if (method === 'HEAD') return [404, {}]
    if (method === 'PUT') return [201, {}]
    return host === 'registry.test' ? [307, { Location: 'https://uploads.test/1' }] : [202, headers]
  })
  const { store } = openTestStore('registry.test', { transport })
  const open = async () =>
    (async function* () {
      yield new TextEncoder().encode('content')
    })()
  await store.putBlob({ size: BLOB.size, open }, { descriptor: BLOB })
  expect(seen.slice(1)).toEqual([
    'POST registry.test/v2/lab/image/blobs/uploads/ undefined',
    'POST uploads.test/1 private',
    `PUT ${place} private`,
  ])
})

/** A registry without the layer, and another place that has it. */
async function foreign(answer: 'content' | 401 | 'redirect') {
  const layers = await scriptedServer(
    ({ path }, response) => {
      if (answer === 401) return void response.writeHead(401, { 'WWW-Authenticate': 'Basic realm=x' }).end()
      if (answer === 'redirect' && path === '/layer')
        return void response.writeHead(302, { Location: `https://layers.test:${layers.port}/there` }).end()
      response.end('content')
    },
    { tls: SERVER },
  )
  const registry = await scriptedServer((_, response) => void response.writeHead(404).end())
  const { host } = registry
  const urls = [`https://layers.test:${layers.port}/layer`]
  const transport = nodeTransport({ lookup, hosts: { [`layers.test:${layers.port}`]: { ca: CA } } })
  return { layers, registry, host, transport, descriptor: { ...LAYER, urls } }
}

test('a layer that the registry does not have comes from its URL, if that is wanted', async () => {
  const { layers, host, transport, descriptor } = await foreign('content')
  const never = open(host, { transport })
  await expect(never.store.openBlob(descriptor)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
  expect(layers.seen).toEqual([])
  const { store } = open(host, { transport, foreignUrls: true })
  expect(await textOf(await store.openBlob(descriptor))).toBe('content')
  await expect(store.openBlob(LAYER)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
  const altered = { ...descriptor, digest: describeBlob('altered').digest }
  await expect(store.openBlob(altered).then(textOf)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
})

// CVE-2020-15157: the credentials of the registry went to wherever a manifest said.
test('the challenge of such a place is not answered', async () => {
  const { layers, host, transport, descriptor } = await foreign(401)
  const credentials: RegistryOptions['credentials'] = async () => ({
    type: 'password',
    username: 'tester',
    password: 'secret',
  })
  const { store } = open(host, { transport, credentials, foreignUrls: true })
  await expect(store.openBlob(descriptor)).rejects.toMatchObject({ code: 'AUTH_DENIED' })
  expect(layers.seen.map(({ headers }) => headers.authorization)).toEqual([undefined])
})

test('where it redirects to, with TLS', async () => {
  const { layers, host, transport, descriptor } = await foreign('redirect')
  const { store } = open(host, { transport, foreignUrls: true })
  expect(await textOf(await store.openBlob(descriptor))).toBe('content')
  expect(layers.seen.map(({ path }) => path)).toEqual(['/layer', '/there'])
})

test.each([
  ['http', 'http://layers.test/', /not https/],
  ['this machine', 'https://127.0.0.1/', /loopback/],
  ['a private address', 'https://10.0.0.1/', /private/],
  ['a user name', 'https://a:b@layers.test/', /user name/],
  ['a name for this machine', 'https://layers.test/', /stands for a loopback address/],
  ['a file', 'file:///etc/passwd', /file:/],
  ['no URL', 'layers', /not a URL/],
])('a layer at %s', async (_, url, message) => {
  const { registry } = await foreign('content')
  const host = `registry.test:${registry.port}`
  const { store } = open(host, { transport: worldly(host), foreignUrls: true })
  const error = await store.openBlob({ ...LAYER, urls: [url] }).catch((caught: unknown) => caught)
  expect(error).toMatchObject({
    code: url === 'layers' ? 'PROTOCOL' : 'POLICY',
    message: expect.stringMatching(message),
  })
  expect(registry.seen).toHaveLength(1)
})
