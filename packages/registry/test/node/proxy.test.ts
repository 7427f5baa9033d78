import { inspect } from 'node:util'
import { describe, expect, test, vi } from 'vitest'
import { passwordFor } from '../../src/index.ts'
import { environmentProxy, fixedProxy, nodeRegistryOptions, nodeTransport } from '../../src/node/index.ts'
import { CA, SERVER } from '../support/certificates.ts'
import { openTestStore, textOf } from '../support/client.ts'
import { testProxy } from '../support/proxy.ts'
import { describeBlob, scriptedServer } from '../support/server.ts'

const BLOB = describeBlob('content')
const PASSWORD = 'proxy pass/word'
const LOGIN = `tester:${encodeURIComponent(PASSWORD)}`

/** What must not be shown: the password, plain, in a URL and in a header. */
const SECRETS = [PASSWORD, encodeURIComponent(PASSWORD), btoa(`tester:${PASSWORD}`)]

function expectNoSecret(...shown: unknown[]): void {
  const text = shown.map(
    (each) => `${inspect(each, { depth: 20, showHidden: true })} ${JSON.stringify(each)}`,
  )
  for (const secret of SECRETS) expect(text.join()).not.toContain(secret)
}

const contentServer = (tls = true): ReturnType<typeof scriptedServer> =>
  scriptedServer((_, response) => void response.end('content'), tls ? { tls: SERVER } : {})

test('TLS goes through a tunnel, and a connection through it serves again', async () => {
  const [server, proxy] = [await contentServer(), await testProxy({ login: `tester:${PASSWORD}` })]
  const host = `registry.test:${server.port}`
  const transport = nodeTransport({ hosts: { [host]: { ca: CA } }, proxy: `http://${LOGIN}@${proxy.host}` })
  const { store } = openTestStore(host, { transport })
  for (let count = 0; count < 3; count++) {
    expect(await textOf(await store.openBlob(BLOB))).toBe('content')
  }
  expect(proxy.asked).toEqual([`CONNECT ${host} HTTP/1.1`])
  await store.close()
})

test('without TLS the proxy gets the whole request', async () => {
  const [server, proxy] = [await contentServer(false), await testProxy({ login: `tester:${PASSWORD}` })]
  const host = `registry.test:${server.port}`
  const transport = nodeTransport({ proxy: `http://${LOGIN}@${proxy.host}` })
  const { store } = openTestStore(host, { transport, insecure: [host] })
  expect(await textOf(await store.openBlob(BLOB))).toBe('content')
  expect(proxy.asked).toEqual([`CONNECT ${host} HTTP/1.1`, `GET http://${host}/v2/ HTTP/1.1`])
  // The test's proxy passes on unread what follows on a connection.
  const path = `http://${host}/v2/lab/image/blobs/${BLOB.digest}`
  expect(server.seen[0]).toMatchObject({ path, headers: { host } })
  await store.close()
})

test('a proxy that is spoken to with TLS is trusted like any host', async () => {
  const [server, plain] = [await contentServer(), await contentServer(false)]
  const proxy = await testProxy({ tls: true, login: `tester:${PASSWORD}` })
  // Not a name of the certificate that the proxy shows.
  const [secure, bare] = [server, plain].map(({ port }) => `elsewhere.test:${port}`) as [string, string]
  const address = `https://${LOGIN}@${proxy.host}`
  const transport = nodeTransport({
    hosts: { [secure]: { rejectUnauthorized: false }, [proxy.host]: { ca: CA } },
    proxy: address,
  })
  for (const host of [secure, bare]) {
    const { store } = openTestStore(host, { transport, insecure: [bare] })
    expect(await textOf(await store.openBlob(BLOB))).toBe('content')
  }
  const unknown = nodeTransport({ hosts: { [secure]: { rejectUnauthorized: false } }, proxy: address })
  const error = await openTestStore(secure, { transport: unknown })
    .store.openBlob(BLOB)
    .catch((caught: unknown) => caught)
  expect(error).toMatchObject({
    code: 'NETWORK',
    message: expect.stringContaining(`the proxy ${proxy.host}`),
  })
  expectNoSecret(error)
  await transport.close?.()
})

test('the registry never sees the login for the proxy', async () => {
  const [server, proxy] = [await contentServer(), await testProxy()]
  const host = `registry.test:${server.port}`
  const transport = nodeTransport({ hosts: { [host]: { ca: CA } }, proxy: `http://${LOGIN}@${proxy.host}` })
  await textOf(await openTestStore(host, { transport }).store.openBlob(BLOB))
  expect(Object.keys(server.seen[0]?.headers ?? {})).not.toContain('proxy-authorization')
})

describe('a proxy that does not do it', () => {
  test.each([
    ['wants a login', { login: 'a:b' }, 407, /user and a password/],
    ['forbids it', { refusal: '403 Forbidden' }, 403, undefined],
    // Its challenge is not the registry's: no password goes anywhere because of it.
    ['claims to be a registry', { refusal: '401 Unauthorized' }, 401, undefined],
    ['finds no such server', { refusal: '502 Bad Gateway' }, 502, undefined],
  ])('one that %s', async (_, script, proxyStatus, hint) => {
    const proxy = await testProxy(script)
    const { store, events } = openTestStore('registry.test', {
      transport: nodeTransport({ proxy: `http://${LOGIN}@${proxy.host}` }),
      credentials: passwordFor('registry.test', 'tester', 'registry-password'),
      retry: { attempts: 2 },
    })
    const error = await store.openBlob(BLOB).catch((caught: unknown) => caught)
    expect(error).toMatchObject({
      code: 'NETWORK',
      message: expect.stringContaining(`the proxy ${proxy.host} does not connect to registry.test:443`),
      details: { proxyStatus, retryable: proxyStatus >= 500 },
      ...(hint && { hint: expect.stringMatching(hint) }),
    })
    expect(proxy.asked).toHaveLength(proxyStatus >= 500 ? 2 : 1)
    expectNoSecret(error, events)
  })

  test('one that wants a login for a request without TLS', async () => {
    const proxy = await testProxy({ login: 'a:b' })
    const { store } = openTestStore('registry.test', {
      transport: nodeTransport({ proxy: `http://${LOGIN}@${proxy.host}` }),
      insecure: true,
    })
    const error = await store.openBlob(BLOB).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'NETWORK', details: { proxyStatus: 407 } })
    expectNoSecret(error)
  })

  test('one that stalls is given up, and so is its connection', async () => {
    const proxy = await testProxy({ stalls: true })
    const { store, events } = openTestStore('registry.test', {
      transport: nodeTransport({ proxy: `http://${LOGIN}@${proxy.host}` }),
      timeouts: { response: 100 },
      retry: { attempts: 2 },
    })
    const error = await store.openBlob(BLOB).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'TIMEOUT', details: { attempts: 2 } })
    expectNoSecret(error, events)
    await expect.poll(() => proxy.sockets.size).toBe(0)
  })

  test('one that is not there', async () => {
    const { store, events } = openTestStore('registry.test', {
      transport: nodeTransport({ proxy: `http://${LOGIN}@127.0.0.1:1` }),
      retry: { attempts: 2 },
    })
    const error = await store.openBlob(BLOB).catch((caught: unknown) => caught)
    expect(error).toMatchObject({
      code: 'NETWORK',
      message: expect.stringContaining('the proxy 127.0.0.1:1 cannot be reached: ECONNREFUSED'),
      details: { retryable: true },
    })
    expectNoSecret(error, events)
  })

  test.each([
    ['no URL', `http://${LOGIN}@[`],
    ['another scheme', `socks5://${LOGIN}@127.0.0.1:1080`],
  ])('%s is an error that quotes nothing', async (_, address) => {
    const build = (): unknown => fixedProxy(address)
    expect(build).toThrow(expect.objectContaining({ code: 'CONFIGURATION_INVALID' }))
    const choose = environmentProxy({ https_proxy: address })
    let error: unknown
    try {
      choose(new URL('https://quay.io/'))
    } catch (caught) {
      error = caught
    }
    expect(error).toMatchObject({ code: 'CONFIGURATION_INVALID' })
    expectNoSecret(error)
  })
})

describe('the environment', () => {
  const PROXIES = {
    https_proxy: 'http://secure:1',
    HTTPS_PROXY: 'http://capitals:2',
    HTTP_PROXY: 'plain:3',
  }
  const choice = (environment: Record<string, string>, url: string): string | undefined =>
    environmentProxy(environment)(new URL(url))?.host

  test.each([
    ['lower case comes first', PROXIES, 'https://quay.io/', 'secure:1'],
    ['an address without a scheme is http', PROXIES, 'http://quay.io/', 'plain:3'],
    ['what is on this machine is reached directly', PROXIES, 'https://localhost:5000/', undefined],
    ['by its address, too', PROXIES, 'http://127.0.0.2/', undefined],
    ['ALL_PROXY is for the rest', { ALL_PROXY: 'http://all:4' }, 'https://quay.io/', 'all:4'],
    // CVE-2016-5385.
    [
      'HTTP_PROXY is a header in a CGI program',
      { ...PROXIES, REQUEST_METHOD: 'GET' },
      'http://a/',
      undefined,
    ],
    ['nothing is set', {}, 'https://quay.io/', undefined],
  ])('%s', (_, environment, url, host) => {
    expect(choice(environment, url)).toBe(host)
  })

  test.each([
    ['quay.io', 'https://quay.io/', true],
    ['quay.io', 'https://cdn.quay.io/', true],
    ['quay.io', 'https://notquay.io/', false],
    ['.quay.io', 'https://cdn.quay.io/', true],
    ['.quay.io', 'https://quay.io/', false],
    ['*.quay.io', 'https://cdn.quay.io/', true],
    ['QUAY.io', 'https://quay.io/', true],
    ['a.example, quay.io', 'https://quay.io/', true],
    ['quay.io:8443', 'https://quay.io:8443/', true],
    ['quay.io:8443', 'https://quay.io/', false],
    ['quay.io:443', 'https://quay.io/', true],
    ['10.0.0.0/8', 'https://10.1.2.3:5000/', true],
    ['10.0.0.0/8', 'https://11.1.2.3/', false],
    ['10.0.0.0/8', 'https://ten.example/', false],
    ['10.1.2.3', 'https://10.1.2.3/', true],
    ['10.1.2.3:5000', 'https://10.1.2.3/', false],
    ['fd00::/8', 'https://[fd12::1]/', true],
    ['fd00::1', 'https://[fd00:0::1]/', true],
    ['[fd00::1]:5000', 'https://[fd00::1]:5000/', true],
    ['10.0.0.0/99', 'https://10.1.2.3/', false],
    ['*', 'https://quay.io/', true],
  ])('no_proxy=%s, %s: %s', (no_proxy, url, isDirect) => {
    expect(choice({ ...PROXIES, no_proxy }, url)).toBe(isDirect ? undefined : 'secure:1')
  })

  test('nodeRegistryOptions obeys it', async () => {
    const proxy = await testProxy({ refusal: '502 Bad Gateway' })
    vi.stubEnv('https_proxy', `http://${LOGIN}@${proxy.host}`)
    const { store } = openTestStore('registry.test', { ...nodeRegistryOptions(), retry: { attempts: 1 } })
    const error = await store.openBlob(BLOB).catch((caught: unknown) => caught)
    vi.unstubAllEnvs()
    expect(error).toMatchObject({ details: { proxy: proxy.host, proxyStatus: 502 } })
    expectNoSecret(error)
  })

  test('what no_proxy names is reached directly, and the rest by the proxy', async () => {
    const [server, proxy] = [await contentServer(), await testProxy()]
    const [one, two] = ['registry.test', 'layers.test'].map((name) => `${name}:${server.port}`) as [
      string,
      string,
    ]
    const transport = nodeTransport({
      hosts: { [one]: { ca: CA }, [two]: { ca: CA } },
      proxy: environmentProxy({ HTTPS_PROXY: `http://${proxy.host}`, NO_PROXY: 'registry.test' }),
      lookup: (_, { all }, callback) =>
        all ? callback(null, [{ address: '127.0.0.1', family: 4 }]) : callback(null, '127.0.0.1', 4),
    })
    for (const host of [one, two]) {
      expect(await textOf(await openTestStore(host, { transport }).store.openBlob(BLOB))).toBe('content')
    }
    expect(proxy.asked).toEqual([`CONNECT ${two} HTTP/1.1`])
    await transport.close?.()
  })
})
