import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { inspect } from 'node:util'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { commonAuthorities } from '../../src/node/authorities.ts'
import { certsDirectoryPaths } from '../../src/node/certs-d.ts'
import { certsDirectories, nodeRegistryOptions, nodeTransport } from '../../src/node/index.ts'
import { CA, CLIENT, SERVER } from '../support/certificates.ts'
import { openTestStore, textOf } from '../support/client.ts'
import { describeBlob, type ScriptedServer, scriptedServer } from '../support/server.ts'

const BLOB = describeBlob('content')

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bootable-certs-'))
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true, force: true })
})

function file(path: string, content: string): string {
  const full = join(folder, path)
  mkdirSync(dirname(full), { recursive: true })
  writeFileSync(full, content)
  return full
}

/** A server with the certificate of the test's authority; with `mutual` it wants one of the client, too. */
function secureServer(mutual = false): Promise<ScriptedServer> {
  const tls = { ...SERVER, ...(mutual && { ca: CA, requestCert: true, rejectUnauthorized: true }) }
  return scriptedServer((_, response) => void response.end('content'), { tls })
}

test('an authority that nobody knows is refused, with advice', async () => {
  const server = await secureServer()
  const { store, events } = openTestStore(server.host, { transport: nodeTransport() })
  await expect(store.openBlob(BLOB)).rejects.toMatchObject({
    code: 'NETWORK',
    details: { cause: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', retryable: false },
    hint: expect.stringContaining(`/etc/containers/certs.d/${server.host}/ca.crt`),
  })
  // Nothing was said to it, and nothing was tried without TLS.
  expect([server.seen, events]).toEqual([[], []])
})

test.each([
  ['an authority of its own', { ca: CA }],
  ['no check at all', { rejectUnauthorized: false }],
])('a host with %s', async (_, tls) => {
  const server = await secureServer()
  const transport = nodeTransport({ hosts: { [server.host]: tls } })
  const { store } = openTestStore(server.host, { transport })
  expect(await textOf(await store.openBlob(BLOB))).toBe('content')
  // For this host alone.
  const other = await secureServer()
  const { store: elsewhere } = openTestStore(other.host, { transport })
  await expect(elsewhere.openBlob(BLOB)).rejects.toMatchObject({ code: 'NETWORK' })
  await store.close()
})

test('a folder of certs.d', async () => {
  const server = await secureServer()
  file(`first/other:1/ca.crt`, 'no certificate')
  file(`second/${server.host}/ca.crt`, CA)
  const hosts = certsDirectories({ paths: ['first', 'second'].map((name) => join(folder, name)) })
  const { store } = openTestStore(server.host, { transport: nodeTransport({ hosts }) })
  expect(await textOf(await store.openBlob(BLOB))).toBe('content')
})

test('a certificate of our own, where it is asked for', async () => {
  const server = await secureServer(true)
  file(`${server.host}/ca.crt`, CA)
  const hosts = certsDirectories({ paths: [folder] })
  const open = (): ReturnType<typeof openTestStore> =>
    openTestStore(server.host, { transport: nodeTransport({ hosts }) })
  await expect(open().store.openBlob(BLOB)).rejects.toMatchObject({
    code: 'NETWORK',
    hint: expect.stringContaining('client.cert and client.key'),
  })
  file(`${server.host}/client.cert`, CLIENT.cert)
  file(`${server.host}/client.key`, CLIENT.key)
  expect(await textOf(await open().store.openBlob(BLOB))).toBe('content')
})

test.each([
  ['client.cert', 'client.key', true],
  ['client.key', 'client.cert', false],
])('%s without %s names both', async (there, missing, hasHint) => {
  file(`registry.lan:5000/${there}`, CLIENT.cert)
  const error = await certsDirectories({ paths: [folder] })('registry.lan:5000').catch(
    (caught: unknown) => caught,
  )
  expect(error).toMatchObject({
    code: 'CONFIGURATION_INVALID',
    details: {
      path: join(folder, 'registry.lan:5000', there),
      missing: join(folder, 'registry.lan:5000', missing),
    },
  })
  expect((error as { hint?: string }).hint !== undefined).toBe(hasHint)
})

test('a broken key is an error that names the host and quotes nothing', async () => {
  const key = CLIENT.key.replace(/\n.{20}/, '\nnot-a-key-not-a-key!')
  const hosts = { 'registry.test': { cert: CLIENT.cert, key } }
  const { store } = openTestStore('registry.test', { transport: nodeTransport({ hosts }) })
  const error = await store.openBlob(BLOB).catch((caught: unknown) => caught)
  expect(error).toMatchObject({ code: 'CONFIGURATION_INVALID', details: { host: 'registry.test' } })
  expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('not-a-key')
})

test('the user comes before the host; 443 and Docker Hub have more than one name', async () => {
  expect(certsDirectoryPaths({ XDG_CONFIG_HOME: '/x' })).toEqual([
    '/x/containers/certs.d',
    '/etc/containers/certs.d',
    '/etc/docker/certs.d',
  ])
  file('registry.lan:443/ca.crt', 'with a port')
  file('docker.io/ca.crt', 'hub')
  const hosts = certsDirectories({ paths: [folder] })
  expect(await hosts('registry.lan')).toEqual({ ca: ['with a port'] })
  expect(await hosts('registry-1.docker.io')).toEqual({ ca: ['hub'] })
  expect(await hosts('other.lan')).toBeUndefined()
})

// An authority of one host must not end the trust in those of all hosts.
test('the authorities of the system are kept', async () => {
  const all = commonAuthorities()
  expect(all.length).toBeGreaterThan(50)
  expect(new Set(all.map((pem) => pem.replaceAll(/\s/g, ''))).size).toBe(all.length)
})

test.each(['SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS'])('%s names more of them', async (name) => {
  vi.stubEnv(name, file('own.pem', `not part of it\n${CA}`))
  vi.resetModules()
  const fresh = await import('../../src/node/authorities.ts')
  const bare = (pem: string): string => pem.replaceAll(/\s/g, '')
  expect(fresh.commonAuthorities().map(bare)).toContain(bare(CA))
})

test('insecure takes any certificate, of the registry alone', async () => {
  const storage = await secureServer()
  const server = await scriptedServer(
    ({ path }, response) => {
      if (path.endsWith('manifests/one')) return void response.writeHead(404).end()
      response.writeHead(307, { Location: storage.url.replace('127.0.0.1', 'localhost') }).end()
    },
    { tls: SERVER },
  )
  const { store } = openTestStore(server.host, { transport: nodeTransport(), insecure: [server.host] })
  await expect(store.getManifest('one')).rejects.toMatchObject({ code: 'REFERENCE_UNKNOWN' })
  await expect(store.openBlob(BLOB)).rejects.toMatchObject({ code: 'NETWORK' })
  expect(storage.seen).toEqual([])
})

test('nodeRegistryOptions reads the folder of the user', async () => {
  const server = await secureServer()
  vi.stubEnv('XDG_CONFIG_HOME', folder)
  file(`containers/certs.d/${server.host}/ca.crt`, CA)
  const { store } = openTestStore(server.host, nodeRegistryOptions())
  expect(await textOf(await store.openBlob(BLOB))).toBe('content')
})
