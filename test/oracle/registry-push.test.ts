import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { collect, memorySource, type ProgressEvent } from '@bootable/bytes'
import {
  blobOf,
  copyImage,
  type Image,
  type ImageStore,
  openImage,
  planCopy,
  putArtifact,
} from '@bootable/oci'
import { createLayout, openLayout } from '@bootable/oci/node'
import {
  fetchTransport,
  openRegistry,
  passwordFor,
  type RegistryOptions,
  type RepositoryStore,
  registryStore,
} from '@bootable/registry'
import { nodeRegistryOptions } from '@bootable/registry/node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { selfSignedCertificate } from '../../tooling/certificate.ts'
import { type DockerRegistry, startDockerRegistry } from '../../tooling/docker-registry.ts'
import { tarOf, writeLayout } from '../../tooling/images.ts'
import { oracle, runOk, temporaryFolder } from '../../tooling/oracles.ts'
import { root } from '../../tooling/sources.ts'
import { startTokenServer, type TokenServer } from '../../tooling/token-server.ts'

const USER = { username: 'tester', password: 's3cret-pass', refreshToken: 'identity-of-tester' }
const CREDENTIALS = `${USER.username}:${USER.password}`

oracle(['docker-registry', 'skopeo'], () => {
  const folder = temporaryFolder()
  const layout = join(folder, 'layout')
  let local: ImageStore
  let image: Image

  beforeAll(async () => {
    const layers = [1, 70_000, 20_000_001].map((size) => ({
      tar: tarOf([{ name: 'file', data: randomBytes(size) }]),
    }))
    writeLayout(layout, { layers })
    local = await openLayout(layout)
    image = await openImage(local, 'latest')
  })

  const open = (host: string, name: string, options: RegistryOptions = {}): RepositoryStore =>
    registryStore(`docker://${host}/${name}`, { ...nodeRegistryOptions(), ...options })

  /** skopeo pulls it: it hashes everything on its way, and the digest of the manifest has to be ours. */
  async function expectPulled(host: string, name: string, ...options: string[]): Promise<void> {
    const copy = join(folder, `copy-${randomBytes(4).toString('hex')}`)
    const insecure = ['--insecure-policy', 'copy', '--quiet', '--src-tls-verify=false']
    await runOk('skopeo', [...insecure, ...options, `docker://${host}/${name}`, `oci:${copy}:x`])
    const { digest } = await (await openLayout(copy)).resolve('x')
    expect(digest).toBe(image.manifest.descriptor.digest)
  }

  describe.each([
    ['absolute', false],
    ['relative', true],
  ])('open to everybody, Location %s', (_, relativeUrls) => {
    let registry: DockerRegistry
    beforeAll(async () => {
      registry = await startDockerRegistry({ relativeUrls })
    })
    afterAll(() => registry?.close())

    test.each([
      ['node:http', {}],
      ['fetch', { transport: fetchTransport() }],
    ])('skopeo pulls what was pushed over %s', async (via, options) => {
      const name = `lab/${via.replace(':', '-')}`
      const target = open(registry.host, name, options)
      const pushed = await copyImage(image, target, 'one')
      expect(pushed.digest).toBe(image.manifest.descriptor.digest)
      await expectPulled(registry.host, `${name}:one`)

      // Once more: nothing moves.
      const events: ProgressEvent[] = []
      await copyImage(image, target, 'two', { onProgress: (event) => events.push(event) })
      expect(new Set(events.map(({ type }) => type))).toEqual(new Set(['skip']))
      await target.close()
    })

    test.each([0, 1, 9_000_000, 30_000_000])(
      'a stream of %i bytes whose digest nobody knows',
      async (size) => {
        const target = open(registry.host, 'lab/stream')
        const bytes = randomBytes(size)
        const descriptor = await target.putBlob({ open: blobOf(memorySource(bytes)).open })
        expect(descriptor.size).toBe(size)
        const back = await collect(await target.openBlob(descriptor))
        expect(Buffer.from(back).equals(bytes)).toBe(true)
        await target.close()
      },
    )

    test('from one repository to another the blobs are mounted', async () => {
      const registryClient = openRegistry(nodeRegistryOptions())
      const source = registryClient.repository(`${registry.host}/lab/origin`)
      await copyImage(image, source, 'one')
      const target = registryClient.repository(`${registry.host}/lab/mounted`)
      const events: ProgressEvent[] = []
      const onProgress = (event: ProgressEvent): unknown => events.push(event)
      await copyImage({ store: source, reference: 'one' }, target, 'one', { onProgress })
      expect(events.length).toBe(4)
      expect(events.every((event) => event.type === 'skip' && event.label.endsWith(', mounted'))).toBe(true)
      await expectPulled(registry.host, 'lab/mounted:one')
      await registryClient.close()
    })
  })

  describe('lists and deletion', () => {
    let registry: DockerRegistry
    beforeAll(async () => {
      registry = await startDockerRegistry()
    })
    afterAll(() => registry?.close())

    test('several names at once; a tag is deleted and its image stays; a manifest goes with its tags', async () => {
      const target = open(registry.host, 'lab/image')
      await copyImage(image, target, 'one')
      const { raw, mediaType, descriptor } = image.manifest
      await target.putManifest(raw, { mediaType, reference: ['two', 'three'] })
      expect((await namesOf(target.tags())).sort()).toEqual(['one', 'three', 'two'])

      await target.delete('two')
      await expect(target.resolve('two')).rejects.toMatchObject({ code: 'REFERENCE_UNKNOWN' })
      await expect(target.delete('two')).rejects.toMatchObject({ code: 'REFERENCE_UNKNOWN' })
      await expectPulled(registry.host, 'lab/image:one')

      await target.delete(descriptor)
      for (const tag of ['one', 'three']) {
        await expect(target.resolve(tag)).rejects.toMatchObject({ code: 'REFERENCE_UNKNOWN' })
      }
      await expect(target.delete(descriptor)).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' })
      await target.deleteBlob(image.config.descriptor)
      expect(await target.hasBlob(image.config.descriptor)).toBe(false)
      await expect(target.deleteBlob(image.config.descriptor)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
      await target.close()
    })

    test('more tags and repositories than a page holds', async () => {
      const client = openRegistry(nodeRegistryOptions())
      const target = client.repository(`${registry.host}/lab/tags`)
      await copyImage(image, target, 'one')
      const { raw, mediaType } = image.manifest
      const tags = Array.from({ length: 1100 }, (_, index) => `v${String(index).padStart(4, '0')}`)
      const shares = Array.from({ length: 10 }, (_, share) => tags.slice(share * 110, (share + 1) * 110))
      await Promise.all(shares.map((reference) => target.putManifest(raw, { mediaType, reference })))
      expect((await namesOf(target.tags())).sort()).toEqual(['one', ...tags])
      for (const name of ['a', 'b/c']) {
        await copyImage(image, client.repository(`${registry.host}/${name}`), 'one')
      }
      expect(await namesOf(client.catalog(registry.host))).toEqual(['a', 'b/c', 'lab/image', 'lab/tags'])
      await client.close()
    })

    // docker-registry 2.8 has no referrers API.
    test('what refers to an image is listed under its tag, and no longer when it is deleted', async () => {
      const target = open(registry.host, 'lab/referred')
      const { digest } = await copyImage(image, target, 'one')
      const subject = image.manifest.descriptor
      const artifacts = await Promise.all(
        ['application/vnd.test.a', 'application/vnd.test.b'].map((artifactType) =>
          putArtifact(target, { artifactType, subject, annotations: { of: artifactType } }),
        ),
      )
      const listed = await namesOf(target.referrers(subject))
      expect(listed.map((entry) => [entry.digest, entry.artifactType, entry.annotations]).sort()).toEqual(
        artifacts
          .map((each, index) => {
            const artifactType = `application/vnd.test.${'ab'[index]}`
            return [each.digest, artifactType, { of: artifactType }]
          })
          .sort(),
      )
      const tag = digest.replace(':', '-')
      const inspect = ['inspect', '--raw', '--tls-verify=false']
      const { stdout } = await runOk('skopeo', [...inspect, `docker://${registry.host}/lab/referred:${tag}`])
      expect(JSON.parse(stdout).manifests).toHaveLength(2)

      for (const [index, each] of artifacts.entries()) {
        await target.delete(each)
        expect(await namesOf(target.referrers(subject))).toHaveLength(1 - index)
      }
      await expect(target.resolve(tag)).rejects.toMatchObject({ code: 'REFERENCE_UNKNOWN' })
      await target.close()
    })
  })

  test('signatures and all from a registry into a layout, and into another registry', async () => {
    const registries = await Promise.all([startDockerRegistry(), startDockerRegistry()])
    try {
      const [first, second] = registries.map(({ host }) => open(host, 'lab/signed')) as [
        RepositoryStore,
        RepositoryStore,
      ]
      const subject = await copyImage(image, first, 'one')
      const files = [{ content: blobOf(memorySource(randomBytes(5000))), name: 'sbom.json' }]
      const artifactType = 'application/vnd.test.sbom'
      const sbom = await putArtifact(first, { artifactType, subject, files })
      const signature = await putArtifact(first, { artifactType: 'application/vnd.test.sig', subject: sbom })

      const path = join(folder, 'signed')
      const between = await createLayout(path)
      await copyImage({ store: first, reference: 'one' }, between, 'one', { referrers: true })
      const from = { store: between, reference: 'one' }
      const plan = await planCopy(from, second, { referrers: true })
      expect(plan.bytes).toBe(
        [...plan.blobs, ...plan.manifests].reduce((sum, each) => sum + each.descriptor.size, 0),
      )
      await copyImage(from, second, 'one', { referrers: true })
      expect(await planCopy(from, second, { referrers: true })).toMatchObject({ bytes: 0 })
      expect(await namesOf(second.referrers(subject))).toMatchObject([{ digest: sbom.digest, artifactType }])
      expect(await namesOf(second.referrers(sbom))).toMatchObject([{ digest: signature.digest }])
      await expectPulled(registries[1]?.host ?? '', 'lab/signed:one')

      // skopeo finds the image of a layout in which it is not alone.
      const copy = [
        '--insecure-policy',
        'copy',
        '--quiet',
        `oci:${path}:one`,
        `oci:${join(folder, 'again')}:x`,
      ]
      await runOk('skopeo', copy)
      for (const store of [first, second]) await store.close()
    } finally {
      for (const registry of registries) await registry.close()
    }
  })

  describe('a process of its own', () => {
    const push = async (
      host: string,
      size: number,
      more: readonly string[] = [],
      env: Readonly<Record<string, string>> = {},
    ): Promise<{ digest: string; peak: number }> => {
      const tsx = join(root, 'node_modules/tsx/dist/cli.mjs')
      const script = join(root, 'tooling/push-generated.ts')
      const args = [tsx, '--conditions=@bootable/source', script, `docker://${host}/lab/generated`]
      const { stdout } = await runOk(process.execPath, [...args, String(size), ...more], {
        env,
      })
      return JSON.parse(stdout)
    }

    // MiB that 500 MB need more than 20 MB do.
    test.each([
      ['in one body', [], 96],
      ['in chunks, which are held until they have arrived', ['unknown'], 160],
    ])('memory stays flat: %s', async (_, more, limit) => {
      const registry = await startDockerRegistry()
      try {
        const small = await push(registry.host, 20_000_000, more)
        const large = await push(registry.host, 500_000_000, more)
        expect(small.digest).not.toBe(large.digest)
        expect(large.peak - small.peak).toBeLessThan(limit)
      } finally {
        await registry.close()
      }
    })

    oracle('openssl', () => {
      test('over TLS, if it knows the authority', async () => {
        const { certificate, key } = await selfSignedCertificate(folder, 'IP:127.0.0.1')
        const registry = await startDockerRegistry({ tls: { certificate, key } })
        try {
          for (const more of [[], ['unknown']]) {
            const trusted = { NODE_EXTRA_CA_CERTS: certificate }
            expect(await push(registry.host, 20_000_001, more, trusted)).toHaveProperty('digest')
          }
          await expect(push(registry.host, 1000)).rejects.toThrow(/self-signed certificate/)
        } finally {
          await registry.close()
        }
      })
    })
  })

  oracle('htpasswd', () => {
    let registry: DockerRegistry
    beforeAll(async () => {
      registry = await startDockerRegistry({ auth: { type: 'htpasswd', ...USER } })
    })
    afterAll(() => registry?.close())

    test('with user and password', async () => {
      const credentials = passwordFor(registry.host, USER.username, USER.password)
      const target = open(registry.host, 'lab/image', { credentials })
      await copyImage(image, target, 'one')
      await expectPulled(registry.host, 'lab/image:one', '--src-creds', CREDENTIALS)
      await target.close()
    })
  })

  oracle('openssl', () => {
    let registry: DockerRegistry
    let tokens: TokenServer
    beforeAll(async () => {
      tokens = await startTokenServer(folder, USER)
      registry = await startDockerRegistry({ auth: { type: 'token', ...tokens } })
    })
    afterAll(async () => {
      await registry?.close()
      await tokens?.close()
    })

    test('one token serves the whole push, another one the mounts', async () => {
      const credentials = passwordFor(registry.host, USER.username, USER.password)
      const client = openRegistry({ ...nodeRegistryOptions(), credentials })
      const source = client.repository(`${registry.host}/lab/image`)
      await copyImage(image, source, 'one')
      expect(tokens.asked).toEqual(['GET tester repository:lab/image:pull,push'])
      tokens.asked.length = 0
      const target = client.repository(`${registry.host}/lab/other`)
      const events: ProgressEvent[] = []
      await copyImage({ store: source, reference: 'one' }, target, 'one', {
        onProgress: (event) => events.push(event),
      })
      expect(events.every((event) => event.type === 'skip')).toBe(true)
      // Of two scopes docker-registry names either first.
      const asked = tokens.asked.map((each) => each.split(' ').sort().join(' '))
      expect(asked.sort()).toEqual([
        'GET repository:lab/image:pull repository:lab/other:pull,push tester',
        'GET repository:lab/image:pull tester',
        'GET repository:lab/other:pull,push tester',
      ])
      await expectPulled(registry.host, 'lab/other:one', '--src-creds', CREDENTIALS)
      await client.close()
    })
  })
})

async function namesOf<T>(list: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const each of list) items.push(each)
  return items
}
