import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type CredentialTarget, chainCredentials, parseRepositoryName, passwordFor } from '../../src/index.ts'
import { containersAuthPaths } from '../../src/node/auth-paths.ts'
import {
  containersCredentials,
  dockerCredentials,
  environmentCredentials,
  hostCredentials,
  runCredentialHelper,
} from '../../src/node/index.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bootable-credentials-'))
  vi.stubEnv('HOME', folder)
  for (const name of [
    'DOCKER_AUTH_CONFIG',
    'DOCKER_CONFIG',
    'REGISTRY_AUTH_FILE',
    'XDG_RUNTIME_DIR',
    'XDG_CONFIG_HOME',
  ])
    vi.stubEnv(name, '')
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true, force: true })
})

const auth = (username: string, password: string): { auth: string } => ({
  auth: btoa(`${username}:${password}`),
})

function file(path: string, content: object | string): string {
  const full = join(folder, path)
  mkdirSync(dirname(full), { recursive: true })
  writeFileSync(full, typeof content === 'string' ? content : JSON.stringify(content))
  return full
}

/** A helper in a folder of PATH; `script` is what it does with the key in `$KEY`. */
function helper(name: string, script: string): void {
  const path = file(
    `bin/docker-credential-${name}`,
    `#!/bin/sh\n[ "$1" = get ] || exit 9\nread -r KEY\n${script}\n`,
  )
  chmodSync(path, 0o755)
  vi.stubEnv('PATH', `${join(folder, 'bin')}${delimiter}${process.env.PATH}`)
}

function target(reference: string): CredentialTarget {
  const { host, repository, credentialKey } = parseRepositoryName(reference)
  return { host, repository, key: credentialKey }
}

const user = (username: string, password = 'secret'): object => ({ type: 'password', username, password })

describe("Docker's config.json", () => {
  test('every form of an entry', async () => {
    file('.docker/config.json', {
      auths: {
        'https://index.docker.io/v1/': auth('hub', 'a:b'),
        'quay.io': { username: 'plain', password: 'secret' },
        'https://old.example/v1/': auth('old', 'secret'),
        'id.example': { ...auth('00000000', ''), identitytoken: 'refresh' },
        'token.example': { registrytoken: 'bearer' },
        'empty.example': {},
      },
    })
    const credentials = dockerCredentials()
    const ask = (reference: string): Promise<unknown> => credentials(target(reference), {})
    expect(await ask('debian')).toEqual(user('hub', 'a:b'))
    expect(await ask('quay.io/a/b')).toEqual(user('plain'))
    expect(await ask('old.example/a')).toEqual(user('old'))
    expect(await ask('id.example/a')).toEqual({ type: 'identity-token', token: 'refresh' })
    expect(await ask('token.example/a')).toEqual({ type: 'registry-token', token: 'bearer' })
    expect(await ask('empty.example/a')).toBeUndefined()
    expect(await ask('other.example/a')).toBeUndefined()
  })

  test('a helper for one host comes before the helper for all and the file', async () => {
    helper('one', 'echo "{\\"Username\\":\\"one\\",\\"Secret\\":\\"$KEY\\"}"')
    helper(
      'all',
      '[ $KEY = quay.io ] && echo "{\\"Username\\":\\"<token>\\",\\"Secret\\":\\"refresh\\"}" && exit\necho credentials not found in native keychain; exit 1',
    )
    file('config.json', {
      auths: { 'gcr.io': auth('stale', 'x'), 'file.example': auth('file', 'secret') },
      credHelpers: { 'gcr.io': 'one', 'docker.io': 'one' },
      credsStore: 'all',
    })
    vi.stubEnv('DOCKER_CONFIG', folder)
    const credentials = dockerCredentials()
    expect(await credentials(target('gcr.io/a'), {})).toEqual(user('one', 'gcr.io'))
    expect(await credentials(target('debian'), {})).toEqual(user('one', 'https://index.docker.io/v1/'))
    expect(await credentials(target('quay.io/a'), {})).toEqual({ type: 'identity-token', token: 'refresh' })
    expect(await credentials(target('file.example/a'), {})).toEqual(user('file'))
  })

  test('no file is no credentials', async () => {
    expect(await dockerCredentials()(target('quay.io/a'), {})).toBeUndefined()
  })

  test.each([
    ['no JSON', '{"auths": {"quay.io": {"auth": "c2VjcmV0'],
    ['a list', '[]'],
    ['an entry that is not base64 of user:password', '{"auths":{"quay.io":{"auth":"c2VjcmV0"}}}'],
    ['a number for a login', '{"auths":{"quay.io":{"auth":1234}}}'],
    ['a table for a token', '{"auths":{"quay.io":{"identitytoken":{"token":"secret"}}}}'],
    ['a list for a password', '{"auths":{"quay.io":{"username":"u","password":["secret"]}}}'],
  ])('%s is an error that quotes nothing', async (_, text) => {
    const path = file('config.json', text)
    const error = await dockerCredentials({ path })(target('quay.io/a'), {}).catch((caught: Error) => caught)
    expect(error).toMatchObject({ code: 'CREDENTIALS_UNREADABLE', message: expect.stringContaining(path) })
    const { inspect } = await import('node:util')
    expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/c2VjcmV0|secret/)
  })
})

describe('auth.json', () => {
  test('the longest key that fits is taken', async () => {
    const path = file('auth.json', {
      auths: {
        'quay.io': auth('host', 'secret'),
        'quay.io/a': auth('namespace', 'secret'),
        'quay.io/a/b': auth('repository', 'secret'),
        'docker.io/library': auth('hub', 'secret'),
      },
    })
    const credentials = containersCredentials({ paths: [path] })
    const ask = (reference: string): Promise<unknown> => credentials(target(reference), {})
    expect(await ask('quay.io/a/b')).toEqual(user('repository'))
    expect(await ask('quay.io/a/b/c')).toEqual(user('repository'))
    expect(await ask('quay.io/a/bb')).toEqual(user('namespace'))
    expect(await ask('quay.io/aa')).toEqual(user('host'))
    expect(await ask('debian')).toEqual(user('hub'))
    expect(await ask('docker.io/other/x')).toBeUndefined()
  })

  test('the files stand in the order of containers-auth.json(5)', async () => {
    file('.config/containers/auth.json', {
      auths: { 'a.example': auth('config', 'secret'), 'b.example': auth('config', 'secret') },
    })
    file('run/containers/auth.json', { auths: { 'a.example': auth('run', 'secret') } })
    vi.stubEnv('XDG_RUNTIME_DIR', join(folder, 'run'))
    expect(await containersCredentials()(target('a.example/x'), {})).toEqual(user('run'))
    expect(await containersCredentials()(target('b.example/x'), {})).toEqual(user('config'))
    vi.stubEnv('REGISTRY_AUTH_FILE', file('own.json', { auths: { 'b.example': auth('own', 'secret') } }))
    expect(await containersCredentials()(target('a.example/x'), {})).toBeUndefined()
    expect(await containersCredentials()(target('b.example/x'), {})).toEqual(user('own'))
  })

  // sudo leaves XDG_RUNTIME_DIR out, and podman then writes below /run/containers.
  test('root has logins also without XDG_RUNTIME_DIR', () => {
    const config = join(folder, '.config/containers/auth.json')
    expect(containersAuthPaths({}, 0)).toEqual(['/run/containers/0/auth.json', config])
    expect(containersAuthPaths({}, 1000)).toEqual([config])
    expect(containersAuthPaths({ XDG_RUNTIME_DIR: '/run/user/7' }, 7)).toEqual([
      '/run/user/7/containers/auth.json',
      config,
    ])
    expect(containersAuthPaths({ XDG_CONFIG_HOME: '/c' }, 1000)).toEqual(['/c/containers/auth.json'])
    expect(containersAuthPaths({ REGISTRY_AUTH_FILE: 'own.json' }, 0)).toEqual(['own.json'])
  })

  test('a helper is asked by the host', async () => {
    helper('one', 'echo "{\\"Username\\":\\"one\\",\\"Secret\\":\\"$KEY\\"}"')
    const path = file('auth.json', { credHelpers: { 'docker.io': 'one' } })
    expect(await containersCredentials({ paths: [path] })(target('debian'), {})).toEqual(
      user('one', 'docker.io'),
    )
  })

  test("podman's logins come before Docker's", async () => {
    file('.config/containers/auth.json', { auths: { 'a.example': auth('podman', 'secret') } })
    file('.docker/config.json', {
      auths: { 'a.example': auth('docker', 'secret'), 'b.example': auth('docker', 'secret') },
    })
    expect(await hostCredentials()(target('a.example/x'), {})).toEqual(user('podman'))
    expect(await hostCredentials()(target('b.example/x'), {})).toEqual(user('docker'))
  })
})

describe('the environment', () => {
  test('DOCKER_AUTH_CONFIG holds a whole config.json and comes first', async () => {
    helper('one', 'echo "{\\"Username\\":\\"one\\",\\"Secret\\":\\"secret\\"}"')
    file('.config/containers/auth.json', {
      auths: { 'a.example': auth('podman', 'secret'), 'b.example': auth('podman', 'secret') },
    })
    const config = { auths: { 'a.example': auth('given', 'secret') }, credHelpers: { 'c.example': 'one' } }
    vi.stubEnv('DOCKER_AUTH_CONFIG', JSON.stringify(config))
    const credentials = hostCredentials()
    expect(await credentials(target('a.example/x'), {})).toEqual(user('given'))
    expect(await credentials(target('b.example/x'), {})).toEqual(user('podman'))
    expect(await credentials(target('c.example/x'), {})).toEqual(user('one'))
  })

  test.each([
    ['no JSON', '{"auths": {"quay.io": {"auth": "c2VjcmV0'],
    ['another login', '{"auths":{"quay.io":{"auth":"c2VjcmV0"}}}'],
  ])('%s in it is an error that quotes nothing', async (_, text) => {
    const error = await environmentCredentials({ DOCKER_AUTH_CONFIG: text })(target('quay.io/a'), {}).catch(
      (caught: Error) => caught,
    )
    expect(error).toMatchObject({
      code: 'CREDENTIALS_UNREADABLE',
      message: expect.stringContaining('DOCKER_AUTH_CONFIG'),
    })
    expect(`${error} ${JSON.stringify(error)}`).not.toMatch(/c2VjcmV0|secret/)
  })
})

describe('credential helpers', () => {
  test.each([
    ['ends with an error', 'echo "my-secret: keyring locked"; exit 1'],
    ['says no JSON', 'echo my-secret'],
    ['says something else', 'echo "{\\"password\\":\\"my-secret\\"}"'],
    ['talks without end', 'yes my-secret'],
  ])('one that %s is an error that quotes nothing', async (_, script) => {
    helper('bad', script)
    const error = await runCredentialHelper('bad', 'quay.io').catch((caught: Error) => caught)
    expect(error).toMatchObject({ code: 'CREDENTIALS_UNREADABLE' })
    expect(`${error} ${JSON.stringify(error)}`).not.toContain('my-secret')
  })

  test('one that waits for somebody is killed', async () => {
    helper('slow', 'exec sleep 60')
    await expect(runCredentialHelper('slow', 'quay.io', { timeout: 100 })).rejects.toMatchObject({
      code: 'CREDENTIALS_UNREADABLE',
      message: expect.stringContaining('100 ms'),
    })
    const controller = new AbortController()
    setTimeout(() => controller.abort('enough'), 100)
    const pending = runCredentialHelper('slow', 'quay.io', { signal: controller.signal })
    await expect(pending).rejects.toBe('enough')
  })

  test('one that is not installed, and one with a path for a name', async () => {
    await expect(runCredentialHelper('of-nobody', 'quay.io')).rejects.toMatchObject({
      message: expect.stringContaining('not installed'),
    })
    await expect(runCredentialHelper('x/../../../bin/sh', 'quay.io')).rejects.toMatchObject({
      code: 'CREDENTIALS_UNREADABLE',
    })
  })
})

test('a chain asks until somebody knows', async () => {
  const chain = chainCredentials(
    passwordFor('a.example', 'a', 'secret'),
    passwordFor('b.example', 'b', 'secret'),
  )
  expect(await chain(target('b.example/x'), {})).toEqual(user('b'))
  expect(await chain(target('c.example/x'), {})).toBeUndefined()
})
