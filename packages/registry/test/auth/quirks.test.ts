import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { MEDIA_TYPE } from '@bootable/oci'
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import { openRegistry, passwordFor, type RegistryOptions, registryStore } from '../../src/index.ts'
import { dockerCredentials } from '../../src/node/index.ts'
import { openTestStore, textOf } from '../support/client.ts'
import { standIns } from '../support/hosts.ts'
import {
  describeBlob,
  digestOf,
  MANIFEST,
  type Seen,
  scriptedServer,
  sendManifest,
} from '../support/server.ts'

// Hosts that behave in a way of their own, each as somebody has met it.

const BLOB = describeBlob('content')
const authorizations = (seen: readonly Seen[]): unknown[] => seen.map(({ headers }) => headers.authorization)
const first = ({ seen }: { readonly seen: readonly Seen[] }): Seen => seen[0] as Seen

afterEach(() => {
  vi.unstubAllEnvs()
})

test('Docker Hub: the password goes to auth.docker.io, the token to registry-1.docker.io', async () => {
  const hub = await scriptedServer(({ headers }, response) => {
    if (headers.authorization) return sendManifest(response)
    const challenge =
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/debian:pull"'
    response.writeHead(401, { 'WWW-Authenticate': challenge }).end()
  })
  const tokens = await scriptedServer((_, response) => void response.end('{"token":"of-the-hub"}'))
  const store = registryStore('debian', {
    transport: standIns({ 'registry-1.docker.io': hub, 'auth.docker.io': tokens }),
    credentials: passwordFor('docker.io', 'tester', 'secret'),
  })
  await store.getManifest('')
  expect(authorizations(hub.seen)).toEqual([undefined, 'Bearer of-the-hub'])
  expect(authorizations(tokens.seen)).toEqual([`Basic ${btoa('tester:secret')}`])
  expect(first(tokens).path).toBe(
    '/token?service=registry.docker.io&scope=repository%3Alibrary%2Fdebian%3Apull',
  )
})

// renovatebot/renovate#11446: what is sent unasked is refused without a challenge, also for public images.
test('GHCR: the first request shows no credentials', async () => {
  const ghcr = await scriptedServer(({ path, headers }, response) => {
    if (path.startsWith('/token')) return void response.end('{"token":"for-anybody"}')
    if (headers.authorization === 'Bearer for-anybody') return sendManifest(response)
    if (headers.authorization) {
      return void response.writeHead(403).end('{"errors":[{"code":"DENIED","message":"denied"}]}')
    }
    response.writeHead(401, { 'WWW-Authenticate': 'Bearer realm="https://ghcr.io/token"' }).end()
  })
  const store = registryStore('ghcr.io/lab/image:one', {
    transport: standIns({ 'ghcr.io': ghcr }),
    credentials: passwordFor('ghcr.io', 'tester', 'expired'),
  })
  await store.getManifest('')
  expect(first(ghcr).headers.authorization).toBeUndefined()
})

// A login is good for twelve hours; the helper makes a new one each time.
test('ECR: the helper is asked again when its login has expired', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bootable-ecr-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'bin'))
  const program = join(folder, 'bin/docker-credential-ecr-test')
  const count = `echo x >>${folder}/runs; N=$(wc -l <${folder}/runs)`
  writeFileSync(
    program,
    `#!/bin/sh\n${count}\necho "{\\"Username\\":\\"AWS\\",\\"Secret\\":\\"login-$N\\"}"\n`,
  )
  chmodSync(program, 0o755)
  vi.stubEnv('PATH', `${join(folder, 'bin')}${delimiter}${process.env.PATH}`)
  const host = '123456789012.dkr.ecr.eu-central-1.amazonaws.com'
  const path = join(folder, 'config.json')
  writeFileSync(path, JSON.stringify({ credHelpers: { [host]: 'ecr-test' } }))

  let valid = 'login-1'
  const ecr = await scriptedServer(({ headers }, response) => {
    if (headers.authorization === `Basic ${btoa(`AWS:${valid}`)}`) return sendManifest(response)
    response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="ecr"' }).end()
  })
  const store = registryStore(`${host}/lab/image:one`, {
    transport: standIns({ [host]: ecr }),
    credentials: dockerCredentials({ path }),
  })
  await store.getManifest('')
  await store.getManifest('')
  valid = 'login-2'
  await store.getManifest('')
  const sent = authorizations(ecr.seen).map((value) => value && atob(String(value).slice(6)))
  expect(sent).toEqual([undefined, 'AWS:login-1', 'AWS:login-1', 'AWS:login-1', 'AWS:login-2'])
})

// SgtSilvio/gradle-oci#141.
test('public ECR: a scope that is none is not asked for', async () => {
  const ecr = await scriptedServer(({ path, headers }, response) => {
    if (path.startsWith('/token')) return void response.end('{"token":"given"}')
    if (headers.authorization) return sendManifest(response)
    const challenge = 'Bearer realm="https://public.ecr.aws/token/",service="public.ecr.aws",scope="aws"'
    response.writeHead(401, { 'WWW-Authenticate': challenge }).end()
  })
  const store = registryStore('public.ecr.aws/lab/image:one', {
    transport: standIns({ 'public.ecr.aws': ecr }),
  })
  await store.getManifest('')
  expect(ecr.seen[1]?.path).toBe('/token/?service=public.ecr.aws&scope=repository%3Alab%2Fimage%3Apull')
})

test('Azure: a refresh token is the login, and each repository has a token of its own', async () => {
  const host = 'lab.azurecr.io'
  const azure = await scriptedServer(({ path, headers, body }, response) => {
    if (path.startsWith('/oauth2/token')) {
      const scope = new URLSearchParams(body).get('scope') ?? ''
      return void response.end(JSON.stringify({ access_token: btoa(scope) }))
    }
    const repository = path.split('/')[2]
    const scope = `repository:${repository}:pull`
    if (headers.authorization === `Bearer ${btoa(scope)}`) return sendManifest(response)
    const challenge = `Bearer realm="https://${host}/oauth2/token",service="${host}",scope="${scope}"`
    response.writeHead(401, { 'WWW-Authenticate': challenge }).end()
  })
  const folder = mkdtempSync(join(tmpdir(), 'bootable-azure-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'config.json')
  // As `docker login -u '<token>'` writes it without a helper.
  writeFileSync(path, JSON.stringify({ auths: { [host]: { auth: btoa('<token>:refresh-me') } } }))
  const registry = openRegistry({
    transport: standIns({ [host]: azure }),
    credentials: dockerCredentials({ path }),
  })
  await registry.repository(`${host}/one:x`).getManifest('')
  await registry.repository(`${host}/two:x`).getManifest('')
  const asked = azure.seen
    .filter(({ method }) => method === 'POST')
    .map(({ body }) => new URLSearchParams(body))
  expect(asked.map((form) => [form.get('grant_type'), form.get('refresh_token'), form.get('scope')])).toEqual(
    [
      ['refresh_token', 'refresh-me', 'repository:one:pull'],
      ['refresh_token', 'refresh-me', 'repository:two:pull'],
    ],
  )
})

test('Google: the challenge stands only in the answer of the root', async () => {
  const google = await scriptedServer(({ path, headers }, response) => {
    if (path.startsWith('/v2/token')) return void response.end('{"token":"given"}')
    if (headers.authorization === 'Bearer given') return sendManifest(response)
    const challenge = { 'WWW-Authenticate': 'Bearer realm="https://gcr.io/v2/token",service="gcr.io"' }
    response.writeHead(401, path === '/v2/' ? challenge : {}).end()
  })
  const store = registryStore('gcr.io/lab/image:one', { transport: standIns({ 'gcr.io': google }) })
  expect((await store.getManifest('')).descriptor.digest).toBe(digestOf(MANIFEST))
})

// renovatebot/renovate#15555: where there is no such registry (any more), there is a page about it.
test.each([
  ['Google', 'europe-docker.pkg.dev', 'cloud.google.com'],
  ['Artifactory', 'gone.jfrog.io', 'landing.jfrog.com'],
])('%s: a page for people in place of an answer is no manifest', async (_, host, elsewhere) => {
  const pages = await scriptedServer(({ method }, response) => {
    response.writeHead(200, { 'Content-Type': 'text/html', 'Content-Length': 9 })
    response.end(method === 'HEAD' ? undefined : '<!doctype')
  })
  const registry = await scriptedServer((_request, response) => {
    response.writeHead(302, { Location: `https://${elsewhere}/about` }).end()
  })
  const store = registryStore(`${host}/lab/image:one`, {
    transport: standIns({ [host]: registry, [elsewhere]: pages }),
  })
  await expect(store.resolve('')).rejects.toMatchObject({ message: expect.stringContaining('text/html') })
  await expect(store.tags()[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'PROTOCOL' })
})

// moby/moby#50065: a URL that was signed for GET is refused for HEAD; S3 answers 400 to a second way of
// authentication (renovatebot/renovate#3877, containerd/containerd#10374).
test('GitLab: HEAD is sent to S3, which takes neither that nor credentials', async () => {
  const gitlab = await scriptedServer(({ headers }, response) => {
    if (!headers.authorization) {
      return void response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="gitlab"' }).end()
    }
    response.writeHead(307, { Location: 'https://bucket.s3.amazonaws.com/x?X-Amz-Signature=abc' }).end()
  })
  const s3 = await scriptedServer(({ method, headers }, response) => {
    if (headers.authorization) return void response.writeHead(400).end('Only one auth mechanism allowed')
    if (method === 'HEAD') return void response.writeHead(403).end()
    sendManifest(response)
  })
  const store = registryStore('registry.gitlab.com/lab/image:one', {
    transport: standIns({ 'registry.gitlab.com': gitlab, 'bucket.s3.amazonaws.com': s3 }),
    credentials: passwordFor('registry.gitlab.com', 'tester', 'secret'),
  })
  expect(await store.resolve('')).toMatchObject({
    digest: digestOf(MANIFEST),
    mediaType: MEDIA_TYPE.manifest,
  })
  expect(s3.seen.map(({ method, headers }) => [method, headers.authorization])).toEqual([
    ['HEAD', undefined],
    ['GET', undefined],
  ])
})

test('a host with its port and without it is one origin', async () => {
  const server = await scriptedServer(({ path, headers }, response) => {
    if (!headers.authorization) {
      return void response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="x"' }).end()
    }
    if (path === '/there') return void response.end('content')
    response.writeHead(307, { Location: 'https://registry.example:443/there' }).end()
  })
  const store = registryStore('registry.example/lab/image', {
    transport: standIns({ 'registry.example': server }),
    credentials: passwordFor('registry.example', 'tester', 'secret'),
  })
  expect(await textOf(await store.openBlob(BLOB))).toBe('content')
})

test('S3: where a signed URL has expired the registry is asked for another', async () => {
  let signature = 0
  const registry = await scriptedServer((_, response) => {
    response.writeHead(307, { Location: `https://s3.example/x?sig=${++signature}` }).end()
  })
  const s3 = await scriptedServer(({ path, headers }, response, seen) => {
    if (path !== `/x?sig=${signature}`) return void response.writeHead(403).end('Request has expired')
    if (seen.length > 1) {
      expect(headers.range).toBe('bytes=3-')
      return void response.writeHead(206, { 'Content-Range': 'bytes 3-6/7' }).end('tent')
    }
    response
      .writeHead(200, { 'Content-Length': 7 })
      .write('con', () => setTimeout(() => response.destroy(), 20))
  })
  const options: RegistryOptions = { transport: standIns({ 'registry.example': registry, 's3.example': s3 }) }
  const { store, events } = openTestStore('registry.example', options)
  expect(await textOf(await store.openBlob(BLOB))).toBe('content')
  expect(s3.seen.map(({ path }) => path)).toEqual(['/x?sig=1', '/x?sig=2'])
  expect(JSON.stringify(events)).not.toMatch(/sig=[12]/)
})

// Harbor behind a proxy that compresses has told another length for HEAD than for GET.
test('Harbor: nothing may be compressed on the way', async () => {
  const server = await scriptedServer((_, response) => sendManifest(response))
  const { store } = openTestStore(server.host)
  await store.resolve('one')
  await store.getManifest('one')
  expect(server.seen.map(({ headers }) => headers['accept-encoding'])).toEqual(['identity', 'identity'])
})

// One server answers 400 to a scope that stands twice; OAuth2 joins them with spaces.
test.each([
  ['GET', passwordFor('registry.example', 'tester', 'secret')],
  ['POST', async () => ({ type: 'identity-token', token: 'identity' })],
] as const)('several scopes, by %s', async (method, credentials) => {
  const server = await scriptedServer(({ path, headers }, response) => {
    if (path.startsWith('/token')) return void response.end('{"access_token":"given"}')
    if (headers.authorization === 'Bearer given') return sendManifest(response)
    const scope = 'repository:lab/image:pull repository:a:pull repository:a:pull'
    const challenge = `Bearer realm="https://registry.example/token",scope="${scope}"`
    response.writeHead(401, { 'WWW-Authenticate': challenge }).end()
  })
  const store = registryStore('registry.example/lab/image:one', {
    transport: standIns({ 'registry.example': server }),
    credentials: credentials as RegistryOptions['credentials'] & object,
  })
  await store.getManifest('')
  const asked = server.seen.find(({ path }) => path.startsWith('/token')) as Seen
  const query = new URL(asked.path, 'https://registry.example').searchParams
  const scopes = method === 'GET' ? query.getAll('scope') : [new URLSearchParams(asked.body).get('scope')]
  const both = ['repository:lab/image:pull', 'repository:a:pull']
  expect(scopes).toEqual(method === 'GET' ? both : [both.join(' ')])
  // Without a service none is asked for by GET; OAuth2 demands one.
  expect(query.has('service')).toBe(false)
})
