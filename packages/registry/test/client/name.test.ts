import { expect, test } from 'vitest'
import { type HttpRequest, parseRepositoryName, registryStore, type Transport } from '../../src/index.ts'

test.each([
  ['debian', 'docker.io', 'library/debian', 'latest'],
  ['docker://debian:trixie', 'docker.io', 'library/debian', 'trixie'],
  ['docker.io/debian', 'docker.io', 'library/debian', 'latest'],
  ['index.docker.io/library/debian', 'docker.io', 'library/debian', 'latest'],
  ['docker://quay.io/fedora/fedora-bootc:44', 'quay.io', 'fedora/fedora-bootc', '44'],
  ['localhost:5000/x', 'localhost:5000', 'x', 'latest'],
  ['[::1]:5000/x', '[::1]:5000', 'x', 'latest'],
  [`quay.io/a/b:tag@sha256:${'0'.repeat(64)}`, 'quay.io', 'a/b', `sha256:${'0'.repeat(64)}`],
])('%s', (text, host, repository, reference) => {
  expect(parseRepositoryName(text)).toMatchObject({ host, repository, reference })
})

test('Docker Hub answers elsewhere and keeps its credentials under an old name', () => {
  expect(parseRepositoryName('debian')).toMatchObject({
    server: 'registry-1.docker.io',
    credentialKey: 'https://index.docker.io/v1/',
  })
  expect(registryStore('debian').name).toBe('docker://docker.io/library/debian')
})

test.each(['', 'UPPER', 'quay.io/', 'a b', 'quay.io:99999/x', 'docker://', '../x'])(
  '%s is refused',
  (text) => {
    expect(() => parseRepositoryName(text)).toThrow(expect.objectContaining({ code: 'REFERENCE_INVALID' }))
  },
)

/** Notes what would have gone out; nothing answers https, as in a network without TLS. */
function deafTransport(): Transport & { readonly asked: string[] } {
  const asked: string[] = []
  return {
    asked,
    async send({ method, url }: HttpRequest) {
      asked.push(`${method} ${url.href}`)
      if (url.protocol === 'https:') throw new Error('no TLS here')
      const body = (async function* () {})()
      return { status: url.pathname === '/v2/' ? 200 : 404, headers: new Headers(), body, async cancel() {} }
    },
  }
}

test('a public host is never spoken to without TLS', async () => {
  const transport = deafTransport()
  const store = registryStore('registry.example.org/x', { transport, retry: { attempts: 1 } })
  await expect(store.resolve('a')).rejects.toMatchObject({ code: 'NETWORK' })
  expect(transport.asked).toEqual(['HEAD https://registry.example.org/v2/x/manifests/a'])
})

test.each([
  ['loopback', 'localhost:5000', {}],
  ['told so', 'registry.lan', { insecure: ['registry.lan'] }],
  ['told so for all', 'registry.lan', { insecure: true }],
])('http is tried after https: %s', async (_, host, options) => {
  const transport = deafTransport()
  const store = registryStore(`${host}/x`, { transport, ...options })
  await expect(store.resolve('a')).rejects.toMatchObject({ code: 'REFERENCE_UNKNOWN' })
  await expect(store.resolve('b')).rejects.toMatchObject({ code: 'REFERENCE_UNKNOWN' })
  expect(transport.asked).toEqual([
    `GET https://${host}/v2/`,
    `GET http://${host}/v2/`,
    `HEAD http://${host}/v2/x/manifests/a`,
    `HEAD http://${host}/v2/x/manifests/b`,
  ])
})

test('a server that has TLS is never spoken to in the clear', async () => {
  const asked: string[] = []
  const transport: Transport = {
    async send({ method, url }) {
      asked.push(`${method} ${url.href}`)
      return { status: 404, headers: new Headers(), body: (async function* () {})(), async cancel() {} }
    },
  }
  const store = registryStore('localhost:5000/x', { transport, insecure: true })
  await expect(store.resolve('a')).rejects.toMatchObject({ code: 'REFERENCE_UNKNOWN' })
  expect(asked).toEqual(['GET https://localhost:5000/v2/', 'HEAD https://localhost:5000/v2/x/manifests/a'])
})

test('another host of the list does not count', async () => {
  const transport = deafTransport()
  const store = registryStore('registry.lan/x', {
    transport,
    insecure: ['other.lan'],
    retry: { attempts: 1 },
  })
  await expect(store.resolve('a')).rejects.toMatchObject({ code: 'NETWORK' })
  expect(transport.asked.every((line) => line.includes('https://'))).toBe(true)
})

// A certificate nobody vouches for is an attack or a mistake, never a reason to drop TLS.
test('an untrusted certificate does not lead to http', async () => {
  const asked: string[] = []
  const transport: Transport = {
    async send({ url }) {
      asked.push(url.protocol)
      throw Object.assign(new Error('self-signed certificate'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
    },
  }
  const store = registryStore('localhost:5000/x', { transport })
  await expect(store.resolve('a')).rejects.toMatchObject({ code: 'NETWORK', details: { retryable: false } })
  expect(asked).toEqual(['https:'])
})
