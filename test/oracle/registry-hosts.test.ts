import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BootableError } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import { copyImage, memoryStore } from '@bootable/oci'
import { openLayout } from '@bootable/oci/node'
import { type RegistryEvent, registryStore } from '@bootable/registry'
import { nodeRegistryOptions } from '@bootable/registry/node'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Certificates, makeCertificates } from '../../tooling/certificates.ts'
import { type DockerRegistry, startDockerRegistry } from '../../tooling/docker-registry.ts'
import { freePort } from '../../tooling/free-port.ts'
import { tarOf, writeLayout } from '../../tooling/images.ts'
import { oracle, run, runOk, temporaryFolder } from '../../tooling/oracles.ts'

// The same files are read by skopeo and by us, and both must come to the same end.
oracle(['docker-registry', 'skopeo', 'openssl'], () => {
  const folder = temporaryFolder()
  const home = join(folder, 'home')
  const containers = join(home, '.config/containers')
  const layout = join(folder, 'layout')
  let certificates: Certificates
  let digest: string

  beforeAll(async () => {
    certificates = await makeCertificates(folder)
    writeLayout(layout, { layers: [{ tar: tarOf([{ name: 'file', data: Buffer.alloc(70_000, 'x') }]) }] })
    digest = (await (await openLayout(layout)).resolve('latest')).digest
  })
  beforeEach(() => {
    for (const name of ['XDG_CONFIG_HOME', 'CONTAINERS_REGISTRIES_CONF', 'XDG_RUNTIME_DIR'])
      vi.stubEnv(name, '')
    vi.stubEnv('HOME', home)
    mkdirSync(containers, { recursive: true })
  })
  afterEach(() => {
    vi.unstubAllEnvs()
    rmSync(home, { recursive: true, force: true })
  })

  const serverTls = (): { certificate: string; key: string } => {
    const { cert: certificate, key } = certificates.server
    return { certificate, key }
  }

  /** The digest of what one gets, or what was said in its place. */
  interface Outcome {
    readonly digest?: string
    readonly error?: string
  }
  const skopeo = async (name: string): Promise<Outcome> => {
    const inspect = [
      '--insecure-policy',
      'inspect',
      '--no-tags',
      '--format',
      '{{.Digest}}',
      `docker://${name}`,
    ]
    const { status, stdout, stderr } = await run('skopeo', inspect, { env: { HOME: home } })
    return status === 0 ? { digest: stdout.trim() } : { error: stderr }
  }
  /** Pulls all of the image. */
  const ours = async (
    name: string,
    events: RegistryEvent[] = [],
  ): Promise<Outcome & { cause?: BootableError }> => {
    const onEvent = (event: RegistryEvent): unknown => events.push(event)
    const options = { ...nodeRegistryOptions(), onEvent, retry: { attempts: 2, delay: 10 } }
    const store = registryStore(`docker://${name}`, options)
    try {
      const copy = memoryStore({ runtime: nodeRuntime })
      return { digest: (await copyImage({ store, reference: '' }, copy, 'copy')).digest }
    } catch (cause) {
      if (!BootableError.is(cause)) throw cause
      return { error: cause.message, cause }
    } finally {
      await store.close()
    }
  }
  /** Expects the image from both, or an error from both, and returns ours. */
  async function expectBoth(
    name: string,
    isFound: boolean,
    events: RegistryEvent[] = [],
  ): Promise<Awaited<ReturnType<typeof ours>>> {
    const [theirs, own] = [await skopeo(name), await ours(name, events)]
    expect(theirs, theirs.error).toEqual(isFound ? { digest } : { error: expect.any(String) })
    if (isFound) expect(own).toEqual({ digest })
    else expect(own.error).toBeDefined()
    return own
  }
  const push = (name: string, ...options: string[]): Promise<unknown> =>
    runOk('skopeo', ['--insecure-policy', 'copy', ...options, `oci:${layout}:latest`, `docker://${name}`])

  function trust(host: string, files: Readonly<Record<string, string>>): void {
    const path = join(containers, 'certs.d', host)
    mkdirSync(path, { recursive: true })
    for (const [name, source] of Object.entries(files)) copyFileSync(source, join(path, name))
  }
  const portOf = ({ host }: DockerRegistry): string => host.split(':')[1] as string

  describe('TLS', () => {
    let registry: DockerRegistry
    beforeAll(async () => {
      registry = await startDockerRegistry({ tls: serverTls() })
      await push(`${registry.host}/lab/image:one`, '--dest-tls-verify=false')
    })
    afterAll(() => registry?.close())

    test.each(['127.0.0.1', 'localhost'])('an authority in certs.d, by %s', async (name) => {
      const host = `${name}:${portOf(registry)}`
      expect((await expectBoth(`${host}/lab/image:one`, false)).cause).toMatchObject({
        code: 'NETWORK',
        hint: expect.stringContaining(`certs.d/${host}/ca.crt`),
      })
      trust(host, { 'ca.crt': certificates.ca })
      await expectBoth(`${host}/lab/image:one`, true)
    })

    test('the folder of another port is another host', async () => {
      trust('127.0.0.1:1', { 'ca.crt': certificates.ca })
      await expectBoth(`${registry.host}/lab/image:one`, false)
    })

    test('a registry that registries.conf calls insecure', async () => {
      const rule = `[[registry]]\nlocation = "${registry.host}"\ninsecure = true\n`
      writeFileSync(join(containers, 'registries.conf'), rule)
      await expectBoth(`${registry.host}/lab/image:one`, true)
    })
  })

  describe('TLS with certificates of the clients', () => {
    let registry: DockerRegistry
    beforeAll(async () => {
      registry = await startDockerRegistry({ tls: { ...serverTls(), clientcas: [certificates.ca] } })
      const own = join(folder, 'own')
      mkdirSync(own)
      copyFileSync(certificates.ca, join(own, 'ca.crt'))
      copyFileSync(certificates.client.cert, join(own, 'client.cert'))
      copyFileSync(certificates.client.key, join(own, 'client.key'))
      await push(`${registry.host}/lab/image:one`, '--dest-cert-dir', own)
    })
    afterAll(() => registry?.close())

    test('with one', async () => {
      const { cert, key } = certificates.client
      trust(registry.host, { 'ca.crt': certificates.ca, 'client.cert': cert, 'client.key': key })
      await expectBoth(`${registry.host}/lab/image:one`, true)
    })

    test('without', async () => {
      trust(registry.host, { 'ca.crt': certificates.ca })
      expect((await expectBoth(`${registry.host}/lab/image:one`, false)).cause).toMatchObject({
        code: 'NETWORK',
        hint: expect.stringContaining('client.cert and client.key'),
      })
    })

    test('without its key', async () => {
      trust(registry.host, { 'ca.crt': certificates.ca, 'client.cert': certificates.client.cert })
      const { cause } = await expectBoth(`${registry.host}/lab/image:one`, false)
      expect(cause).toMatchObject({
        code: 'CONFIGURATION_INVALID',
        message: expect.stringContaining('client.key'),
      })
    })
  })

  describe('registries.conf', () => {
    let mirror: DockerRegistry
    let dead: string
    beforeAll(async () => {
      mirror = await startDockerRegistry()
      dead = `127.0.0.1:${await freePort()}`
      await push(`${mirror.host}/mirrored/image:one`, '--dest-tls-verify=false')
    })
    afterAll(() => mirror?.close())
    const configure = (text: string, name = 'registries.conf'): void => {
      mkdirSync(join(containers, 'registries.conf.d'), { recursive: true })
      writeFileSync(join(containers, name), text)
    }
    const mirrored = (extra = ''): string =>
      `[[registry.mirror]]\nlocation = "${mirror.host}/mirrored"\ninsecure = true\n${extra}`

    test('a mirror of a registry that is dead', async () => {
      configure(`[[registry]]\nlocation = "${dead}/lab"\n${mirrored()}`)
      await expectBoth(`${dead}/lab/image:one`, true)
      await expectBoth(`${dead}/lab/image@${digest}`, true)
      await expectBoth(`${dead}/lab/other:one`, false)
    })

    test('a dead mirror makes way', async () => {
      const first = `[[registry.mirror]]\nlocation = "${dead}/gone"\n`
      configure(`[[registry]]\nprefix = "registry.invalid/lab"\nlocation = "${dead}"\n${first}${mirrored()}`)
      const events: RegistryEvent[] = []
      await expectBoth('registry.invalid/lab/image:one', true, events)
      const [from, to] = [`docker://${dead}/gone/image`, `docker://${mirror.host}/mirrored/image`]
      expect(events).toMatchObject([{ type: 'mirror', from, to, code: 'NETWORK' }])
    })

    test.each([
      ['mirror-by-digest-only = true\n', '', false, true],
      ['', 'pull-from-mirror = "tag-only"\n', true, false],
    ])('mirrors for some references: %s%s', async (ofAll, ofOne, byTag, byDigest) => {
      configure(`[[registry]]\nlocation = "${dead}/lab"\n${ofAll}${mirrored(ofOne)}`)
      await expectBoth(`${dead}/lab/image:one`, byTag)
      await expectBoth(`${dead}/lab/image@${digest}`, byDigest)
    })

    test('another place; a later file of the folder counts', async () => {
      configure(`[[registry]]\nprefix = "registry.invalid/lab"\nlocation = "${dead}"\n`)
      await expectBoth('registry.invalid/lab/image:one', false)
      const rule = `[[registry]]\nprefix = "registry.invalid/lab"\nlocation = "${mirror.host}/mirrored"\n`
      configure(`${rule}insecure = true\n`, 'registries.conf.d/50-lab.conf')
      await expectBoth('registry.invalid/lab/image:one', true)
    })

    test('a wildcard, and a name that is closer', async () => {
      const closer = `[[registry]]\nprefix = "no.registry.invalid"\nlocation = "${dead}"\n`
      configure(`[[registry]]\nprefix = "*.registry.invalid"\n${mirrored()}${closer}`)
      await expectBoth('a.registry.invalid/image:one', true)
      await expectBoth('a.b.registry.invalid/image:one', true)
      await expectBoth('no.registry.invalid/image:one', false)
    })

    test('a blocked one', async () => {
      const place = `[[registry]]\nlocation = "${mirror.host}"\ninsecure = true\n`
      configure(`${place}[[registry]]\nlocation = "${mirror.host}/mirrored"\nblocked = true\n`)
      const { cause } = await expectBoth(`${mirror.host}/mirrored/image:one`, false)
      expect(cause).toMatchObject({ code: 'REGISTRY_BLOCKED' })
      expect((await skopeo(`${mirror.host}/mirrored/image:one`)).error).toContain('blocked')
    })

    test.each([
      [
        'pull-from-mirror',
        `[[registry]]\nlocation = "quay.io"\n[[registry.mirror]]\nlocation = "m.io"\npull-from-mirror = "x"\n`,
      ],
      ['TOML', '[[registry\n'],
      ['a wildcard', '[[registry]]\nprefix = "*.quay.io/a"\n'],
    ])('a mistake in the file: %s', async (_, text) => {
      configure(text)
      const { cause } = await expectBoth(`${mirror.host}/mirrored/image:one`, false)
      expect(cause).toMatchObject({ code: 'CONFIGURATION_INVALID' })
    })
  })
})
