import { createHash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { collect } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import {
  copyImage,
  type Descriptor,
  type Image,
  type ImageStore,
  MEDIA_TYPE,
  memoryStore,
  openImage,
} from '@bootable/oci'
import { openLayout } from '@bootable/oci/node'
import { fetchTransport, passwordFor, type RegistryOptions, registryStore } from '@bootable/registry'
import { containersCredentials, nodeRegistryOptions } from '@bootable/registry/node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type DockerRegistry, startDockerRegistry } from '../../tooling/docker-registry.ts'
import { tarOf, writeLayout } from '../../tooling/images.ts'
import { oracle, runOk, temporaryFolder } from '../../tooling/oracles.ts'
import { startTokenServer, type TokenServer } from '../../tooling/token-server.ts'

const USER = { username: 'tester', password: 's3cret-pass', refreshToken: 'identity-of-tester' }
const CREDENTIALS = `${USER.username}:${USER.password}`
const anonymous = async (): Promise<undefined> => undefined

oracle(['docker-registry', 'skopeo'], () => {
  const folder = temporaryFolder()
  const layout = join(folder, 'layout')
  let local: ImageStore
  let expected: Image

  beforeAll(async () => {
    const layers = [1, 70_000, 3_000_001].map((size) => ({
      tar: tarOf([{ name: 'file', data: randomBytes(size) }]),
    }))
    writeLayout(layout, { layers })
    local = await openLayout(layout)
    expected = await openImage(local, 'latest')
  })

  const push = (host: string, name: string, ...options: string[]): Promise<unknown> => {
    const insecure = ['--insecure-policy', 'copy', '--quiet', '--dest-tls-verify=false']
    return runOk('skopeo', [...insecure, ...options, `oci:${layout}:latest`, `docker://${host}/${name}`])
  }
  const open = (host: string, name: string, options: RegistryOptions = {}): ImageStore =>
    registryStore(`docker://${host}/${name}`, { ...nodeRegistryOptions(), ...options })

  /** Pulls all of it, side by side, into memory; the memory store hashes what arrives once more. */
  async function expectWhole(store: ImageStore): Promise<void> {
    const copy = memoryStore({ runtime: nodeRuntime })
    const { digest } = await copyImage({ store, reference: '' }, copy, 'copy')
    expect(digest).toBe(expected.manifest.descriptor.digest)
    const image = await openImage(copy, 'copy')
    expect(image.config.raw).toEqual(expected.config.raw)
    for (const { descriptor } of expected.layers) {
      const [ours, theirs] = await Promise.all([copy, local].map((each) => contentOf(each, descriptor)))
      expect(ours?.equals(theirs as Buffer)).toBe(true)
    }
  }

  describe('open to everybody', () => {
    let registry: DockerRegistry
    beforeAll(async () => {
      registry = await startDockerRegistry()
      await push(registry.host, 'lab/image:one')
      await push(registry.host, 'lab/image:docker', '--format', 'v2s2')
    })
    afterAll(() => registry?.close())

    test.each([
      ['node:http', {}],
      ['fetch', { transport: fetchTransport() }],
    ])('an image comes back as skopeo pushed it, over %s', async (_, options) => {
      await expectWhole(open(registry.host, 'lab/image:one', options))
    })

    test.each([
      ['one', MEDIA_TYPE.manifest],
      ['docker', MEDIA_TYPE.dockerManifest],
    ])('the digest of the tag %s is the one that skopeo sees', async (tag, mediaType) => {
      const store = open(registry.host, `lab/image:${tag}`)
      const inspect = ['inspect', '--tls-verify=false', '--format', '{{.Digest}}']
      const { stdout } = await runOk('skopeo', [...inspect, `docker://${registry.host}/lab/image:${tag}`])
      expect(await store.resolve('')).toMatchObject({ digest: stdout.trim(), mediaType })
      expect((await store.getManifest(stdout.trim())).mediaType).toBe(mediaType)
    })

    test('tags, page after page', async () => {
      const tags: string[] = []
      for await (const tag of open(registry.host, 'lab/image').tags?.() ?? []) tags.push(tag)
      expect(tags.sort()).toEqual(['docker', 'one'])
    })

    test('what is there, what is not, and parts', async () => {
      const store = open(registry.host, 'lab/image')
      const large = expected.layers.at(-1)?.descriptor as Descriptor
      const absent = { ...large, digest: `sha256:${'0'.repeat(64)}` as Descriptor['digest'] }
      expect(await store.hasBlob(large)).toBe(true)
      expect(await store.hasBlob(absent)).toBe(false)
      await expect(store.openBlob(absent)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
      await expect(store.resolve('no-such-tag')).rejects.toMatchObject({ code: 'REFERENCE_UNKNOWN' })
      await expect(
        open(registry.host, 'no/such/image').tags?.()[Symbol.asyncIterator]().next(),
      ).rejects.toMatchObject({
        code: 'NOT_FOUND',
        details: { status: 404, errors: [{ code: 'NAME_UNKNOWN' }] },
      })

      const offset = large.size - 1000
      const tail = Buffer.from(await collect(await store.openBlob(large, { offset })))
      expect(tail.equals((await contentOf(local, large)).subarray(offset))).toBe(true)
    })
  })

  oracle('htpasswd', () => {
    let registry: DockerRegistry
    beforeAll(async () => {
      registry = await startDockerRegistry({ auth: { type: 'htpasswd', ...USER } })
      await push(registry.host, 'lab/image:one', '--dest-creds', CREDENTIALS)
    })
    afterAll(() => registry?.close())

    test('with user and password', async () => {
      const credentials = passwordFor(registry.host, USER.username, USER.password)
      await expectWhole(open(registry.host, 'lab/image:one', { credentials }))
    })

    test('with the login that skopeo stored', async () => {
      const path = join(folder, 'auth.json')
      const login = ['login', '--tls-verify=false', '--authfile', path, '--username', USER.username]
      await runOk('skopeo', [...login, '--password', USER.password, registry.host])
      await expectWhole(
        open(registry.host, 'lab/image:one', { credentials: containersCredentials({ paths: [path] }) }),
      )
    })

    test('without, and with a wrong one', async () => {
      const nobody = open(registry.host, 'lab/image', { credentials: anonymous })
      await expect(nobody.resolve('one')).rejects.toMatchObject({ code: 'AUTH_REQUIRED' })
      const credentials = passwordFor(registry.host, USER.username, 'wrong-password')
      await expect(open(registry.host, 'lab/image', { credentials }).resolve('one')).rejects.toMatchObject({
        code: 'AUTH_DENIED',
        details: { status: 401 },
      })
    })
  })

  oracle('openssl', () => {
    let registry: DockerRegistry
    let tokens: TokenServer
    beforeAll(async () => {
      tokens = await startTokenServer(folder, USER)
      registry = await startDockerRegistry({ auth: { type: 'token', ...tokens } })
      await push(registry.host, 'lab/image:one', '--dest-creds', CREDENTIALS)
      await push(registry.host, 'public/image:one', '--dest-creds', CREDENTIALS)
    })
    afterAll(async () => {
      await registry?.close()
      await tokens?.close()
    })

    test('one token serves the whole image', async () => {
      tokens.asked.length = 0
      const credentials = passwordFor(registry.host, USER.username, USER.password)
      await expectWhole(open(registry.host, 'lab/image:one', { credentials }))
      expect(tokens.asked).toEqual(['GET tester repository:lab/image:pull'])
    })

    test('an identity token is exchanged for one', async () => {
      tokens.asked.length = 0
      const credentials: RegistryOptions['credentials'] = async () => ({
        type: 'identity-token',
        token: USER.refreshToken,
      })
      await expectWhole(open(registry.host, 'lab/image:one', { credentials }))
      expect(tokens.asked).toEqual(['POST refresh_token repository:lab/image:pull'])
    })

    test('anybody may pull what is public, and nothing else', async () => {
      await expectWhole(open(registry.host, 'public/image:one', { credentials: anonymous }))
      const store = open(registry.host, 'lab/image', { credentials: anonymous })
      await expect(store.resolve('one')).rejects.toMatchObject({ code: 'AUTH_REQUIRED' })
    })
  })
})

async function contentOf(store: ImageStore, descriptor: Descriptor): Promise<Buffer> {
  const content = Buffer.from(await collect(await store.openBlob(descriptor)))
  const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`
  expect(digest).toBe(descriptor.digest)
  return content
}
