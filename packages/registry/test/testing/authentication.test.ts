import { expect, test } from 'vitest'
import { type Credentials, passwordFor, registryStore } from '../../src/index.ts'
import { createTestRegistry, type TestAuth, type TestRegistry } from '../../src/testing/index.ts'
import { ask, errorOf, putBlob } from '../support/asking.ts'
import { testClock } from '../support/client.ts'
import { CONFIG, MANIFEST } from '../support/server.ts'

const USER = { username: 'tester', password: 's3cret:pass', identityToken: 'identity-of-tester' }
const READER = {
  username: 'reader',
  password: 'reads',
  access: [{ repository: 'lab/.*', actions: ['pull'] }] as const,
}
const AUTH = {
  users: [USER, READER],
  anonymous: [{ repository: 'public/.*', actions: ['pull'] }],
} as const satisfies Omit<TestAuth, 'type'>

const basic = (username: string, password: string): Record<string, string> => ({
  Authorization: `Basic ${btoa(`${username}:${password}`)}`,
})

async function filled(type: TestAuth['type'], clock = testClock()): Promise<TestRegistry> {
  const registry = createTestRegistry({ auth: { type, ...AUTH }, clock })
  for (const name of ['lab/image', 'public/image']) {
    const store = registry.store(name)
    await store.putBlob({ open: async () => chunks(CONFIG) })
    await store.putManifest(new TextEncoder().encode(MANIFEST), {
      mediaType: JSON.parse(MANIFEST).mediaType,
      reference: 'one',
    })
  }
  return registry
}

async function* chunks(text: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(text)
}

const open = (registry: TestRegistry, name: string, credentials?: Credentials, clock = testClock()) =>
  registryStore(`registry.test/${name}`, {
    transport: registry.transport,
    clock,
    ...(credentials && { credentials }),
  })
const as = ({ username, password }: { username: string; password: string }): Credentials =>
  passwordFor('registry.test', username, password)

test.each(['basic', 'token'] as const)('%s: our client against it', async (type) => {
  const registry = await filled(type)
  await expect(open(registry, 'lab/image:one').resolve('')).rejects.toMatchObject({ code: 'AUTH_REQUIRED' })
  await expect(open(registry, 'public/image:one').resolve('')).resolves.toBeDefined()
  await expect(open(registry, 'lab/image:one', as(USER)).getManifest('')).resolves.toBeDefined()
  await expect(open(registry, 'lab/image:one', as(READER)).getManifest('')).resolves.toBeDefined()
  const wrong = as({ ...USER, password: 'wrong' })
  await expect(open(registry, 'lab/image:one', wrong).resolve('')).rejects.toMatchObject({
    code: 'AUTH_DENIED',
  })
})

test('basic: what one may not do is refused in another way than who one is not', async () => {
  const registry = await filled('basic')
  const nobody = await ask(registry, 'POST blobs/uploads/')
  expect(nobody.headers.get('www-authenticate')).toBe('Basic realm="test-registry"')
  expect(await errorOf(nobody)).toEqual([401, 'UNAUTHORIZED'])
  const reader = await ask(registry, 'POST blobs/uploads/', { headers: basic('reader', 'reads') })
  expect(await errorOf(reader)).toEqual([403, 'DENIED'])
  const user = await ask(registry, 'POST blobs/uploads/', { headers: basic('tester', 's3cret:pass') })
  expect(user.status).toBe(202)
  expect((await ask(registry, 'GET /v2/')).status).toBe(401)
  expect((await ask(registry, 'GET /token')).status).toBe(404)
})

test('token: challenges name the scope, tokens hold for nothing else', async () => {
  const registry = await filled('token')
  const challenge = (response: Response): string => response.headers.get('www-authenticate') ?? ''
  const first = await ask(registry, 'GET manifests/one')
  expect(challenge(first)).toBe(
    'Bearer realm="http://registry.test/token",service="test-registry",scope="repository:lab/image:pull"',
  )
  const line = 'GET /token?service=test-registry&scope=repository:lab/image:pull&scope=repository:lab/x:pull'
  const answer = await (await ask(registry, line, { headers: basic('reader', 'reads') })).json()
  expect(answer).toMatchObject({ access_token: answer.token, expires_in: 300 })
  const headers = { Authorization: `Bearer ${answer.token}` }
  expect((await ask(registry, 'GET manifests/one', { headers })).status).toBe(200)
  const push = await ask(registry, 'POST blobs/uploads/', { headers })
  expect([push.status, challenge(push)]).toEqual([401, expect.stringContaining('error="insufficient_scope"')])
  const unknown = await ask(registry, 'GET manifests/one', { headers: { Authorization: 'Bearer x' } })
  expect(challenge(unknown)).toContain('error="invalid_token"')

  const asked = 'scope=repository:lab/image:pull,push'
  const less = await (
    await ask(registry, `GET /token?${asked}`, { headers: basic('reader', 'reads') })
  ).json()
  const refused = await ask(registry, 'POST blobs/uploads/', {
    headers: { Authorization: `Bearer ${less.token}` },
  })
  expect(refused.status).toBe(401)
  const other = await ask(registry, `GET /token?service=other&${asked}`)
  expect(other.status).toBe(400)
})

test('token: expired ones are worth nothing, our client renews them', async () => {
  const clock = testClock()
  const registry = await filled('token', clock)
  const store = open(registry, 'lab/image:one', as(USER), clock)
  await store.getManifest('')
  clock.advance(301_000)
  await store.getManifest('')
  expect(registry.requests.filter(({ path }) => path.startsWith('/token'))).toHaveLength(2)
})

test('token: by POST, with a password and with an identity token', async () => {
  const registry = await filled('token')
  const post = async (form: Record<string, string>): Promise<Response> =>
    ask(registry, 'POST /token', {
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({
        service: 'test-registry',
        scope: 'repository:lab/image:pull,push',
        ...form,
      }).toString(),
    })
  const password = { grant_type: 'password', username: 'tester', password: 's3cret:pass' }
  const granted = await (await post({ ...password, access_type: 'offline' })).json()
  expect((await post({ ...password, password: 'x' })).status).toBe(401)
  expect((await post({ grant_type: 'refresh_token', refresh_token: 'x' })).status).toBe(401)
  for (const refreshToken of [USER.identityToken, granted.refresh_token]) {
    const { token } = await (await post({ grant_type: 'refresh_token', refresh_token: refreshToken })).json()
    const headers = { Authorization: `Bearer ${token}` }
    expect((await ask(registry, 'POST blobs/uploads/', { headers })).status).toBe(202)
  }
  const identity: Credentials = async () => ({ type: 'identity-token', token: USER.identityToken })
  await expect(open(registry, 'lab/image:one', identity).getManifest('')).resolves.toBeDefined()
})

test('a mount needs the source, too', async () => {
  const registry = createTestRegistry({ auth: { type: 'token', ...AUTH } })
  await registry.store('secret/image').putBlob({ open: async () => chunks('secret') })
  const open = createTestRegistry()
  const digest = await putBlob(open, 'secret')
  const mount = async (scopes: string): Promise<number> => {
    const { token } = await (
      await ask(registry, `GET /token?${scopes}`, { headers: basic('tester', 's3cret:pass') })
    ).json()
    const line = `POST /v2/lab/image/blobs/uploads/?mount=${digest}&from=secret/image`
    return (await ask(registry, line, { headers: { Authorization: `Bearer ${token}` } })).status
  }
  expect(await mount('scope=repository:lab/image:pull,push')).toBe(202)
  expect(await mount('scope=repository:lab/image:pull,push&scope=repository:secret/image:pull')).toBe(201)
})
