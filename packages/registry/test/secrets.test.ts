import type { ServerResponse } from 'node:http'
import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import type { Credential, RegistryOptions } from '../src/index.ts'
import { nodeTransport } from '../src/node/index.ts'
import { openTestStore, textOf } from './support/client.ts'
import { testProxy } from './support/proxy.ts'
import { describeBlob, freePort, type Seen, scriptedServer } from './support/server.ts'

/** Everything that must never be shown, in all the forms that it takes on the way. */
const PLAIN = {
  password: 'hunter2-password',
  identity: 'identity-token-secret',
  registryToken: 'registry-token-secret',
  bearer: 'bearer-token-secret',
  refresh: 'newer-refresh-secret',
  proxy: 'proxy-password-secret',
  signature: 'signature-of-a-url',
}
const SECRETS = [
  ...Object.values(PLAIN),
  btoa(`tester:${PLAIN.password}`),
  btoa(`<token>:${PLAIN.identity}`),
  btoa(`tester:${PLAIN.proxy}`),
]
const BLOB = describeBlob('content', 'application/vnd.oci.image.layer.nondistributable.v1.tar')
const SIGNED = `X-Amz-Signature=${PLAIN.signature}&token=${PLAIN.signature}`

const CREDENTIALS: readonly Credential[] = [
  { type: 'password', username: 'tester', password: PLAIN.password },
  { type: 'identity-token', token: PLAIN.identity },
  { type: 'registry-token', token: PLAIN.registryToken },
]

type Answer = (request: Seen, response: ServerResponse) => void

/** What the client has sent so far, as a server throws it back at it. */
const heard = ({ headers, body, path }: Seen): string =>
  `${headers.authorization} ${headers['proxy-authorization']} ${body} ${path}`

/** Ways in which a registry answers somebody who has logged in. */
const ANSWERS: Readonly<Record<string, Answer>> = {
  ...Object.fromEntries(
    [400, 403, 404, 418, 429, 500, 503].map((status): [string, Answer] => [
      `${status} that repeats what it heard`,
      (request, response) => {
        response.setHeader('Warning', `299 - "${heard(request).replaceAll('"', "'")}"`)
        const errors = [{ code: heard(request), message: heard(request), detail: heard(request) }]
        response.writeHead(status, { 'X-Heard': heard(request) }).end(JSON.stringify({ errors }))
      },
    ]),
  ),
  'a redirect without TLS to a closed port': (_, response) =>
    redirect(response, `http://127.0.0.1:1/?${SIGNED}`),
  'a redirect with TLS to a closed port': (_, response) =>
    redirect(response, `https://127.0.0.1:1/?${SIGNED}`),
  'a redirect with a user': (_, response) => redirect(response, `http://u:${PLAIN.signature}@127.0.0.1:1/`),
  'a redirect to a file': (_, response) => redirect(response, `file:///${PLAIN.signature}?${SIGNED}`),
  'a redirect to nowhere': (_, response) => redirect(response, `http://[${PLAIN.signature}`),
  'a redirect to itself': ({ headers }, response) =>
    redirect(response, `http://${headers.host}/v2/again?${SIGNED}`),
  'a connection that breaks': (_, response) => void response.destroy(),
  silence: () => {},
  'a body that breaks': (_, response) => {
    response
      .writeHead(200, { 'Content-Length': 7 })
      .write('con', () => setTimeout(() => response.destroy(), 10))
  },
  'a link to elsewhere': (_, response) => {
    response.setHeader('Link', `<https://elsewhere.example/?${SIGNED}>; rel="next"`)
    response.end(JSON.stringify({ tags: [] }))
  },
}

/** Ways in which a token server answers. */
const TOKENS: Readonly<Record<string, Answer>> = {
  ...Object.fromEntries(
    [400, 401, 403, 404, 500].map((status): [string, Answer] => [
      `${status} that repeats what it heard`,
      (request, response) => {
        const errors = [{ code: heard(request), message: heard(request) }]
        response.writeHead(status).end(JSON.stringify({ errors, error_description: heard(request) }))
      },
    ]),
  ),
  'a redirect': (_, response) => redirect(response, `/elsewhere?${SIGNED}`),
  'a token that no header may have': (_, response) => {
    response.end(JSON.stringify({ token: `${PLAIN.bearer}\r\nX: ${PLAIN.bearer}` }))
  },
  'no JSON': (_, response) => void response.end(`{"token":"${PLAIN.bearer}`),
}

function redirect(response: ServerResponse, location: string): void {
  response.writeHead(307, { Location: location }).end()
}

/** Calls everything that reads, and gathers what is thrown and told. */
async function provoke(host: string, options: RegistryOptions): Promise<unknown[]> {
  const { store, events } = openTestStore(host, {
    timeouts: { response: 60, idle: 60 },
    retry: { attempts: 2 },
    foreignUrls: true,
    ...options,
  })
  const urls = [`https://127.0.0.1:1/layer?${SIGNED}`, `http://u:${PLAIN.signature}@127.0.0.1/?${SIGNED}`]
  const calls = [
    () => store.getManifest('one'),
    () => store.resolve('one'),
    async () => textOf(await store.openBlob({ ...BLOB, urls })),
    () => store.hasBlob(BLOB),
    async () => {
      for await (const tag of store.tags()) void tag
    },
  ]
  const said: unknown[] = []
  for (const call of calls) said.push(await call().catch((error: unknown) => error))
  await store.close()
  return [...said.filter((each) => each instanceof Error), events, store]
}

function expectNoSecret(said: readonly unknown[]): void {
  expect(said.length).toBeGreaterThan(2)
  const texts = said.flatMap((each) => [
    inspect(each, { depth: 30, showHidden: true, maxArrayLength: null, maxStringLength: null }),
    JSON.stringify(each),
    String((each as { stack?: string }).stack),
  ])
  for (const secret of SECRETS) {
    for (const form of [secret, encodeURIComponent(secret)]) expect(texts.join('\n')).not.toContain(form)
  }
}

const only =
  (credential: Credential): NonNullable<RegistryOptions['credentials']> =>
  async () =>
    credential

test.each(
  CREDENTIALS.flatMap((credential) =>
    Object.entries(ANSWERS).map(([name, answer]) => [credential.type, name, credential, answer] as const),
  ),
)('with a %s: %s', async (_type, _name, credential, answer) => {
  const server = await scriptedServer((request, response) => {
    if (request.path.startsWith('/token')) {
      return void response.end(JSON.stringify({ token: PLAIN.bearer, refresh_token: PLAIN.refresh }))
    }
    if (request.headers.authorization) return answer(request, response)
    const challenge = `Bearer realm="http://${request.headers.host}/token?${SIGNED}"`
    response.writeHead(401, { 'WWW-Authenticate': challenge }).end()
  })
  const transport = nodeTransport()
  expectNoSecret(await provoke(server.host, { transport, credentials: only(credential) }))
})

test.each(
  CREDENTIALS.slice(0, 2).flatMap((credential) =>
    Object.entries(TOKENS).map(([name, answer]) => [credential.type, name, credential, answer] as const),
  ),
)('a token server, with a %s: %s', async (_type, _name, credential, answer) => {
  const server = await scriptedServer((request, response) => {
    if (request.path.startsWith('/token')) return answer(request, response)
    const challenge = `Bearer realm="http://${request.headers.host}/token?${SIGNED}"`
    response.writeHead(401, { 'WWW-Authenticate': challenge }).end()
  })
  expectNoSecret(await provoke(server.host, { transport: nodeTransport(), credentials: only(credential) }))
})

test.each([
  ['http to a closed port', `http://127.0.0.1:1/?${SIGNED}`],
  ['a user', `http://u:${PLAIN.signature}@127.0.0.1:1/?${SIGNED}`],
  ['no URL', PLAIN.signature],
  ['a file', `file:///x?${SIGNED}`],
])('a realm: %s', async (_, realm) => {
  const server = await scriptedServer((_request, response) => {
    response.writeHead(401, { 'WWW-Authenticate': `Bearer realm="${realm}"` }).end()
  })
  const credentials = only(CREDENTIALS[0] as Credential)
  expectNoSecret(await provoke(server.host, { transport: nodeTransport(), credentials }))
})

test.each(['basic', 'bearer'])('a mirror and a proxy that fail, with %s', async (scheme) => {
  const failing: Answer = ({ headers, path }, response) => {
    if (path.includes('/token')) return void response.end(JSON.stringify({ token: PLAIN.bearer }))
    if (headers.authorization) return redirect(response, `http://127.0.0.1:1/?${SIGNED}`)
    const challenge = scheme === 'basic' ? 'Basic realm="x"' : `Bearer realm="http://${headers.host}/token"`
    response.writeHead(401, { 'WWW-Authenticate': challenge }).end()
  }
  const [mirror, primary] = [await scriptedServer(failing), await scriptedServer(failing)]
  const router: RegistryOptions['router'] = async () => ({
    mirrors: [{ location: `${mirror.host}/m` }, { location: `127.0.0.1:${await freePort()}/m` }],
  })
  const credentials = only(CREDENTIALS[0] as Credential)
  const proxies = [
    await testProxy({ refusal: '502 Bad Gateway' }),
    await testProxy({ login: 'other:login' }),
    await testProxy({ stalls: true }),
    { host: '127.0.0.1:1' },
  ].map(({ host }) => `http://tester:${PLAIN.proxy}@${host}`)
  for (const proxy of [undefined, ...proxies]) {
    const transport = nodeTransport(proxy === undefined ? {} : { proxy })
    const said = await provoke(primary.host, { transport, credentials, router })
    expectNoSecret(said)
    if (proxy === undefined) expect(said.at(-2)).toContainEqual(expect.objectContaining({ type: 'mirror' }))
  }
})
