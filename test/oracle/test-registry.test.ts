import { randomBytes } from 'node:crypto'
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { nodeRuntime } from '@bootable/bytes/node'
import { copyImage, memoryStore, openImage } from '@bootable/oci'
import { createLayout, openLayout } from '@bootable/oci/node'
import { passwordFor, registryStore } from '@bootable/registry'
import { nodeRegistryOptions } from '@bootable/registry/node'
import { createTestRegistry, type TestRegistry, type TestRegistryOptions } from '@bootable/registry/testing'
import { type ServedTestRegistry, serveTestRegistry } from '@bootable/registry/testing/node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { selfSignedCertificate } from '../../tooling/certificate.ts'
import { tarOf, writeLayout } from '../../tooling/images.ts'
import { oracle, run, runOk, temporaryFolder } from '../../tooling/oracles.ts'

const USER = { username: 'tester', password: 's3cret-pass', identityToken: 'identity-of-tester' }
const LOGIN = `${USER.username}:${USER.password}`
const PUBLIC = [{ repository: 'public/.*', actions: ['pull'] }] as const

/** skopeo judges the test registry: what it takes for a registry is one. */
oracle('skopeo', () => {
  const folder = temporaryFolder()
  const layout = join(folder, 'layout')
  beforeAll(() => {
    const layers = [1, 70_000, 3_000_001].map((size) => ({
      tar: tarOf([{ name: 'file', data: randomBytes(size) }]),
    }))
    writeLayout(layout, { layers })
  })

  const skopeo = (...args: string[]): Promise<{ stdout: string }> =>
    runOk('skopeo', ['--insecure-policy', ...args])
  const push = (host: string, name: string, ...options: string[]): Promise<unknown> =>
    skopeo('copy', '--dest-tls-verify=false', ...options, `oci:${layout}:latest`, `docker://${host}/${name}`)
  const digestIn = async (path: string): Promise<string> =>
    (await (await openLayout(path)).resolve('latest')).digest

  describe.each<[string, TestRegistryOptions, string[]]>([
    ['open', {}, []],
    ['relative Location', { relativeLocations: true }, []],
    ['signed URLs of another host', { blobRedirect: {} }, []],
    ['basic', { auth: { type: 'basic', users: [USER], anonymous: PUBLIC } }, ['creds', LOGIN]],
    ['token', { auth: { type: 'token', users: [USER], anonymous: PUBLIC } }, ['creds', LOGIN]],
  ])('%s', (_, options, [flag, value]) => {
    let registry: TestRegistry
    let served: ServedTestRegistry
    beforeAll(async () => {
      registry = createTestRegistry({ runtime: nodeRuntime, ...options })
      served = await serveTestRegistry(registry)
    })
    afterAll(() => served?.close())
    const login = (side: string): string[] => (flag ? [`--${side}${flag}`, `${value}`] : [])

    test('pushed and pulled by skopeo, pulled by us', async () => {
      await push(served.host, 'lab/image:one', ...login('dest-'))
      const back = join(folder, `back-${served.host.replace(':', '-')}`)
      const from = ['copy', '--src-tls-verify=false', ...login('src-')]
      await skopeo(...from, `docker://${served.host}/lab/image:one`, `oci:${back}:latest`)
      const digest = await digestIn(layout)
      expect(await digestIn(back)).toBe(digest)

      const copy = memoryStore({ runtime: nodeRuntime })
      const credentials = passwordFor(served.host, USER.username, USER.password)
      const store = registryStore(`${served.host}/lab/image:one`, { ...nodeRegistryOptions(), credentials })
      expect((await copyImage({ store, reference: '' }, copy, 'copy')).digest).toBe(digest)
      await store.close()
      expect(registry.requests.every(({ status = 0 }) => status < 500)).toBe(true)
    })

    test('inspected, listed and deleted by skopeo', async () => {
      const name = `docker://${served.host}/lab/listed`
      await push(served.host, 'lab/listed:one', ...login('dest-'))
      await push(served.host, 'lab/listed:two', ...login('dest-'), '--format', 'v2s2')
      const { stdout } = await skopeo('list-tags', '--tls-verify=false', ...login(''), name)
      expect(JSON.parse(stdout).Tags).toEqual(['one', 'two'])
      const inspected = await skopeo('inspect', '--tls-verify=false', ...login(''), `${name}:one`)
      expect(JSON.parse(inspected.stdout).Digest).toBe(await digestIn(layout))
      await skopeo('delete', '--tls-verify=false', ...login(''), `${name}:one`)
      const left = await skopeo('list-tags', '--tls-verify=false', ...login(''), name)
      expect(JSON.parse(left.stdout).Tags).toEqual(['two'])
    })

    test('blobs are mounted across repositories', async () => {
      const name = `docker://${served.host}/lab`
      await push(served.host, 'lab/first:one', ...login('dest-'))
      registry.requests.length = 0
      const copy = ['copy', '--src-tls-verify=false', '--dest-tls-verify=false']
      await skopeo(...copy, ...login('src-'), ...login('dest-'), `${name}/first:one`, `${name}/second:one`)
      const mounts = registry.requests.filter(({ path }) => path.includes('mount='))
      expect(mounts.map(({ status }) => status)).toEqual([201, 201, 201])
      // skopeo mounts layers; the configuration it sends.
      expect(registry.requests.filter(({ method }) => method === 'PATCH')).toHaveLength(1)
    })

    if (!options.auth) return
    test('a stranger pulls what is public and pushes nothing', async () => {
      await push(served.host, 'public/image:one', ...login('dest-'))
      await skopeo('inspect', '--no-creds', '--tls-verify=false', `docker://${served.host}/public/image:one`)
      const args = ['--insecure-policy', 'copy', '--dest-tls-verify=false', '--dest-no-creds']
      const pushed = await run('skopeo', [
        ...args,
        `oci:${layout}:latest`,
        `docker://${served.host}/public/x:1`,
      ])
      expect(pushed.status).not.toBe(0)
      const wrong = await run('skopeo', [
        ...['inspect', '--creds', 'tester:wrong', '--tls-verify=false'],
        `docker://${served.host}/lab/image:one`,
      ])
      expect(wrong.status).not.toBe(0)
    })
  })

  oracle('openssl', () => {
    test('over TLS, with a certificate on either side', async () => {
      const files = await selfSignedCertificate(folder, 'DNS:localhost,IP:127.0.0.1')
      const [cert, key] = [files.certificate, files.key]
      const pem = { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
      const registry = createTestRegistry({ runtime: nodeRuntime })
      const served = await serveTestRegistry(registry, { tls: { ...pem, ca: pem.cert } })
      try {
        const certificates = join(folder, 'certificates')
        mkdirSync(certificates)
        copyFileSync(cert, join(certificates, 'ca.crt'))
        const target = `docker://${served.host}/lab/image:one`
        const copy = ['--insecure-policy', 'copy', '--dest-cert-dir', certificates]
        const stranger = await run('skopeo', [...copy, `oci:${layout}:latest`, target])
        expect(stranger.status).not.toBe(0)
        copyFileSync(cert, join(certificates, 'client.cert'))
        copyFileSync(key, join(certificates, 'client.key'))
        await runOk('skopeo', [...copy, `oci:${layout}:latest`, target])
        expect((await registry.store('lab/image').resolve('one')).digest).toBe(await digestIn(layout))
      } finally {
        await served.close()
      }
    })
  })

  test('what a store put into it, skopeo pulls', async () => {
    const registry = createTestRegistry({ runtime: nodeRuntime })
    const served = await serveTestRegistry(registry)
    const image = await openImage(await openLayout(layout), 'latest')
    await copyImage(image, registry.store('lab/image'), 'v1')
    const back = join(folder, 'filled')
    await createLayout(back)
    const from = ['copy', '--src-tls-verify=false', `docker://${served.host}/lab/image:v1`]
    await skopeo(...from, `oci:${back}:latest`)
    expect(await digestIn(back)).toBe(image.manifest.descriptor.digest)
    await served.close()
  })
})
