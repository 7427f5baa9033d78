import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { type Credential, type Credentials, passwordFor } from '../../src/index.ts'
import { openTestStore, overEachTransport } from '../support/client.ts'
import { digestOf, type ScriptedServer, type Seen, scriptedServer, sendManifest } from '../support/server.ts'

const SCOPE = 'repository:lab/image:pull'

/** How the token server of {@link tokenRegistry} behaves. */
interface TokenRegistry {
  /** Beside `realm="…",`. */
  readonly challenge?: string
  readonly token?: (request: Seen, count: number) => object | number
}

/** A registry with a token server beside it; it takes the last token that was given out. */
async function tokenRegistry(script: TokenRegistry = {}): Promise<ScriptedServer & { tokens: Seen[] }> {
  const tokens: Seen[] = []
  let valid = ''
  const answer = (request: Seen, response: ServerResponse): void => {
    if (request.path.startsWith('/token')) {
      tokens.push(request)
      const given = script.token?.(request, tokens.length) ?? { token: `token-${tokens.length}` }
      if (typeof given === 'number') return void response.writeHead(given).end()
      valid = `Bearer ${Object.values(given)[0]}`
      return void response.end(JSON.stringify(given))
    }
    if (valid !== '' && request.headers.authorization === valid) {
      sendManifest(response)
      return
    }
    const { challenge = `service="test",scope="${SCOPE}"` } = script
    const realm = `http://${request.headers.host}/token?fixed=1`
    response.writeHead(401, { 'WWW-Authenticate': `Bearer realm="${realm}",${challenge}` }).end()
  }
  return { ...(await scriptedServer(answer)), tokens }
}

const tokenQuery = ({ path }: Seen): [string, string][] => [...new URL(path, 'http://x').searchParams]
const only =
  (credential: Credential): Credentials =>
  async () =>
    credential

overEachTransport((transport) => {
  // A bad credential sent unasked makes GHCR refuse what it would have given to anybody.
  test('the first request carries nothing; the token is anonymous and kept', async () => {
    const server = await tokenRegistry()
    const { store, events } = openTestStore(server.host, { transport })
    await store.getManifest('one')
    await store.getManifest('two')
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual([
      undefined,
      undefined,
      'Bearer token-1',
      'Bearer token-1',
    ])
    expect(server.tokens.map(tokenQuery)).toEqual([
      [
        ['fixed', '1'],
        ['service', 'test'],
        ['scope', SCOPE],
      ],
    ])
    expect(events).toEqual([
      { type: 'authenticated', host: server.host, scheme: 'bearer', anonymous: true, scope: SCOPE },
    ])
  })

  test('user and password go to the token server alone', async () => {
    const server = await tokenRegistry()
    const credentials = passwordFor(server.host, 'tester', 'pässword')
    await openTestStore(server.host, { transport, credentials }).store.getManifest('one')
    const basic = `Basic ${Buffer.from('tester:pässword').toString('base64')}`
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual([
      undefined,
      basic,
      'Bearer token-1',
    ])
  })

  test('an identity token is exchanged by POST', async () => {
    const server = await tokenRegistry({ token: () => ({ access_token: 'fresh', refresh_token: 'next' }) })
    const { store, clock } = openTestStore(server.host, {
      transport,
      credentials: only({ type: 'identity-token', token: 'first' }),
    })
    await store.getManifest('one')
    clock.advance(60_000)
    await store.getManifest('one')
    expect(server.tokens.map(({ method }) => method)).toEqual(['POST', 'POST'])
    expect(server.tokens.map(({ body }) => [...new URLSearchParams(body)])).toMatchObject([
      [
        ['grant_type', 'refresh_token'],
        ['client_id', 'bootable'],
        ['service', 'test'],
        ['scope', SCOPE],
        ['refresh_token', 'first'],
      ],
      // The server has replaced it.
      { 4: ['refresh_token', 'next'] },
    ])
  })

  test('basic', async () => {
    const basic = `Basic ${btoa('tester:secret')}`
    const server = await scriptedServer(({ headers }, response) => {
      if (headers.authorization === basic) return sendManifest(response)
      response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="test"' }).end()
    })
    const credentials = passwordFor(server.host, 'tester', 'secret')
    const { store } = openTestStore(server.host, { transport, credentials })
    await store.getManifest('one')
    await store.getManifest('one')
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual([undefined, basic, basic])
  })
})

test.each([404, 405])('a token server that answers POST with %i is asked by GET', async (status) => {
  const server = await tokenRegistry({
    token: ({ method }) => (method === 'POST' ? status : { token: 'fresh' }),
  })
  const credentials = only({ type: 'identity-token', token: 'first' })
  await openTestStore(server.host, { credentials }).store.getManifest('one')
  expect(server.tokens.map(({ method }) => method)).toEqual(['POST', 'GET'])
})

test('a registry token is used as it is', async () => {
  const server = await scriptedServer(({ headers }, response) => {
    if (headers.authorization === 'Bearer given') return sendManifest(response)
    response.writeHead(401, { 'WWW-Authenticate': 'Bearer realm="http://127.0.0.1/token"' }).end()
  })
  const credentials = only({ type: 'registry-token', token: 'given' })
  await openTestStore(server.host, { credentials }).store.getManifest('one')
})

// Public ECR asks for the scope `aws` (SgtSilvio/gradle-oci#141).
test.each([
  ['none', 'service="test"', [SCOPE]],
  ['one that is none', 'scope="aws"', [SCOPE]],
  ['several', 'scope="repository:a:pull registry:catalog:*"', ['repository:a:pull', 'registry:catalog:*']],
])('scopes of the challenge: %s', async (_, challenge, scopes) => {
  const server = await tokenRegistry({ challenge })
  await openTestStore(server.host).store.getManifest('one')
  expect(new URL(server.tokens[0]?.path ?? '', 'http://x').searchParams.getAll('scope')).toEqual(scopes)
})

// `service` has held spaces, and text that would have been taken for further parameters.
test('values are encoded', async () => {
  const server = await tokenRegistry({ challenge: 'service="a b&scope=x"' })
  await openTestStore(server.host).store.getManifest('one')
  expect(tokenQuery(server.tokens[0] as Seen)).toContainEqual(['service', 'a b&scope=x'])
})

test('requests in parallel wait for one token', async () => {
  const server = await tokenRegistry()
  const { store } = openTestStore(server.host)
  await Promise.all(Array.from({ length: 6 }, () => store.getManifest('one')))
  expect(server.tokens).toHaveLength(1)
})

test('one caller that gives up does not take the others along', async () => {
  const server = await tokenRegistry()
  const { store } = openTestStore(server.host)
  const controller = new AbortController()
  const given = store.getManifest('one', { signal: controller.signal })
  const others = [store.getManifest('one'), store.getManifest('one')]
  while (server.tokens.length === 0) await new Promise((resolve) => setTimeout(resolve, 1))
  controller.abort('enough')
  await expect(given).rejects.toBe('enough')
  await Promise.all(others)
})

// distribution's token specification: nothing said means 60 seconds, and no token lives shorter.
test.each([
  ['nothing is said', {}, 54_000, 56_000],
  ['too little is said', { expires_in: 1 }, 54_000, 56_000],
  ['five minutes', { expires_in: 300 }, 294_000, 296_000],
])('a token is renewed a little before its end: %s', async (_, extra, before, after) => {
  const server = await tokenRegistry({ token: (_, count) => ({ token: `t${count}`, ...extra }) })
  const { store, clock } = openTestStore(server.host)
  await store.getManifest('one')
  clock.advance(before)
  await store.getManifest('one')
  expect(server.tokens).toHaveLength(1)
  clock.advance(after - before)
  await store.getManifest('one')
  expect(server.tokens).toHaveLength(2)
  // Renewed beforehand: only the very first request was refused.
  expect(server.seen.filter(({ path }) => path.includes('manifests'))).toHaveLength(4)
})

test('a token that is refused before its time is replaced, once', async () => {
  let isRevoked = false
  const server = await scriptedServer(({ path, headers }, response, seen) => {
    if (path.startsWith('/token')) return void response.end(JSON.stringify({ token: `t${seen.length}` }))
    if (headers.authorization && !isRevoked) return sendManifest(response)
    const realm = `http://${headers.host}/token`
    response.writeHead(401, { 'WWW-Authenticate': `Bearer realm="${realm}"` }).end()
  })
  const { store } = openTestStore(server.host)
  await store.getManifest('one')
  isRevoked = true
  const count = server.seen.length
  await expect(store.getManifest('one')).rejects.toMatchObject({
    code: 'AUTH_REQUIRED',
    details: { status: 401 },
  })
  const paths = server.seen.slice(count).map(({ path }) => path.split('?')[0])
  expect(paths).toEqual(['/v2/lab/image/manifests/one', '/token', '/v2/lab/image/manifests/one'])
})

test('who one is decides between AUTH_REQUIRED and AUTH_DENIED', async () => {
  const server = await scriptedServer((_, response) => {
    const errors = [{ code: 'UNAUTHORIZED', message: 'authentication required' }]
    response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="test"' }).end(JSON.stringify({ errors }))
  })
  await expect(openTestStore(server.host).store.getManifest('one')).rejects.toMatchObject({
    code: 'AUTH_REQUIRED',
    hint: expect.stringContaining(`podman login ${server.host}`),
    details: { errors: [{ code: 'UNAUTHORIZED' }] },
  })
  const credentials = passwordFor(server.host, 'tester', 'wrong')
  await expect(openTestStore(server.host, { credentials }).store.getManifest('one')).rejects.toMatchObject({
    code: 'AUTH_DENIED',
    details: { status: 401, retryable: false },
  })
})

// Seen with Google's registries: the challenge stood only in the answer to `/v2/`.
test('a 401 without a challenge: the root is asked for one', async () => {
  const basic = `Basic ${btoa('tester:secret')}`
  const server = await scriptedServer(({ path, headers }, response) => {
    if (headers.authorization === basic) return sendManifest(response)
    response.writeHead(401, path === '/v2/' ? { 'WWW-Authenticate': 'Basic realm="test"' } : {}).end()
  })
  const credentials = passwordFor(server.host, 'tester', 'secret')
  await openTestStore(server.host, { credentials }).store.getManifest('one')
})

test('a token server that redirects is not followed', async () => {
  const server = await scriptedServer(({ path, headers }, response) => {
    if (path.startsWith('/token')) return void response.writeHead(307, { Location: '/elsewhere' }).end()
    const realm = `http://${headers.host}/token`
    response.writeHead(401, { 'WWW-Authenticate': `Bearer realm="${realm}"` }).end()
  })
  const credentials = passwordFor(server.host, 'tester', 'secret')
  await expect(openTestStore(server.host, { credentials }).store.getManifest('one')).rejects.toMatchObject({
    code: 'POLICY',
  })
  expect(server.seen.map(({ path }) => path)).not.toContain('/elsewhere')
})

test.each([
  ['nothing', {}],
  ['a header in disguise', { token: 'a\r\nX-Evil: 1' }],
  ['no text', { token: 7 }],
])('a token server that gives %s', async (_, token) => {
  const server = await tokenRegistry({ token: () => token })
  await expect(openTestStore(server.host).store.getManifest('one')).rejects.toMatchObject({
    code: 'PROTOCOL',
  })
})

test('an answer of the token server without end is refused', async () => {
  const server = await scriptedServer(({ path, headers }, response) => {
    if (path.startsWith('/token')) return void response.end('x'.repeat(2 * 1024 * 1024))
    response.writeHead(401, { 'WWW-Authenticate': `Bearer realm="http://${headers.host}/token"` }).end()
  })
  await expect(openTestStore(server.host).store.getManifest('one')).rejects.toMatchObject({
    code: 'LIMIT_EXCEEDED',
  })
})

const SECRETS = { password: 'hunter2-password', identity: 'identity-secret', token: 'bearer-secret' }

/** A server that throws everything it was sent back, wherever a message might show it. */
async function indiscreetServer(): Promise<ScriptedServer> {
  return scriptedServer(({ path, headers, body }, response) => {
    const heard = `${headers.authorization} ${body} ${Object.values(SECRETS).join(' ')}`
    if (path.startsWith('/token')) {
      response.setHeader('Warning', `299 - "${heard}"`)
      return void response.end(JSON.stringify({ token: SECRETS.token }))
    }
    const bearer = `Bearer realm="http://${headers.host}/token"`
    response.writeHead(headers.authorization ? 403 : 401, {
      'WWW-Authenticate': path.includes('basic') ? 'Basic realm="x"' : bearer,
      Warning: `299 - "${heard}"`,
    })
    response.end(JSON.stringify({ errors: [{ code: heard, message: heard, detail: heard }] }))
  })
}

test.each<[string, Credential]>([
  ['bearer', { type: 'password', username: 'tester', password: SECRETS.password }],
  ['basic', { type: 'password', username: 'tester', password: SECRETS.password }],
  ['bearer', { type: 'identity-token', token: SECRETS.identity }],
  ['bearer', { type: 'registry-token', token: SECRETS.token }],
])('no secret is in an error, an event or the store: %s, %o', async (tag, credential) => {
  const server = await indiscreetServer()
  const { store, events } = openTestStore(server.host, { credentials: only(credential) })
  const error = (await store.getManifest(tag).catch((caught: unknown) => caught)) as Error & {
    toJSON(): object
  }
  expect(error).toMatchObject({ code: 'AUTH_DENIED', details: { status: 403 } })

  const { inspect } = await import('node:util')
  const deep = { depth: 20, showHidden: true }
  const shown = [
    inspect(error, deep),
    JSON.stringify(error),
    `${error.stack}`,
    inspect(events, deep),
    inspect(store, deep),
  ]
  const used = credential.type === 'password' ? credential.password : credential.token
  const header = Buffer.from(`tester:${SECRETS.password}`).toString('base64')
  for (const text of shown.slice(0, 3)) {
    for (const secret of [used, header]) expect(text).not.toContain(secret)
  }
  // The first answer came before anything was known: what it says was made up by the server itself.
  const later = inspect(events.slice(1), deep)
  for (const secret of [used, header]) expect(later + shown[4]).not.toContain(secret)
})

test('a broken token of the user is not quoted', async () => {
  const server = await tokenRegistry()
  const credentials = only({ type: 'registry-token', token: 'secret\nwith-a-newline' })
  const error = await openTestStore(server.host, { credentials })
    .store.getManifest('one')
    .catch((caught: Error) => caught)
  expect(error).toMatchObject({ code: 'CREDENTIALS_UNREADABLE' })
  expect(`${error} ${JSON.stringify(error)}`).not.toContain('secret')
})

test('tokens are kept by what was asked for, not by what the challenge calls it', async () => {
  // Artifactory behind a rewriting proxy (oras-project/oras-go#650).
  const server = await tokenRegistry({ challenge: 'scope="repository:internal/name:pull"' })
  const { store } = openTestStore(server.host)
  await store.getManifest('one')
  await store.getManifest(digestOf('x')).catch(() => {})
  expect(server.tokens).toHaveLength(1)
})
