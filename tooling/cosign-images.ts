import { generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { collect, memorySource, utf8 } from '@bootable/bytes'
import {
  blobOf,
  copyImage,
  type Descriptor,
  type Digest,
  type ImageStore,
  isIndex,
  listContent,
  type Manifest,
  MEDIA_TYPE,
  memoryStore,
} from '@bootable/oci'
import { registryStore } from '@bootable/registry'
import { startDockerRegistry } from './docker-registry.ts'
import { startFakeSigstore } from './fake-sigstore-server.ts'
import { runOk } from './oracles.ts'
import { ISSUER, imageStore } from './signing.ts'

/** Images that the real cosign signed, and what their signatures are verified with. */
export interface CosignImages {
  /** Manifests and blobs by digest, in base64. */
  readonly content: Readonly<Record<string, string>>
  /** Media type and digest by name. */
  readonly names: Readonly<Record<string, { readonly mediaType: string; readonly digest: Digest }>>
  /** Public keys in PEM, by the image that they signed. */
  readonly keys: Readonly<Record<string, string>>
  readonly trustedRoot: string
  readonly rekorKey: string
}

/** Kinds of keys, each of which signs an image of its own. */
const KEYS = {
  p256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  p384: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  rsa: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
}

/** The name that cosign 2 is told to sign; cosign 3 signs none. */
export const signedName = (name: string): string => `registry.example/machine:${name}`

/**
 * Signs images with cosign, as it is: by keys of several kinds, without a key by a small sigstore, an index in
 * place of its image, and what is an attestation and no signature.
 *
 * @param tools paths of cosign 2, which attaches, and of cosign 3, which makes bundles; one is enough
 */
export async function signByCosign(
  folder: string,
  tools: { readonly attaching?: string; readonly bundling?: string },
): Promise<CosignImages> {
  const registry = await startDockerRegistry()
  const sigstore = await startFakeSigstore(ISSUER)
  const file = (name: string, content: string): string => {
    const path = join(folder, name)
    writeFileSync(path, content)
    return path
  }
  const env = {
    COSIGN_PASSWORD: '',
    SIGSTORE_ROOT_FILE: file('root.pem', sigstore.root),
    SIGSTORE_REKOR_PUBLIC_KEY: file('rekor.pub', sigstore.rekorKey),
    SIGSTORE_CT_LOG_PUBLIC_KEY_FILE: file('ctfe.pub', sigstore.ctLogKey),
  }
  const repository = `${registry.host}/lab/machine`
  const target = registryStore(repository)
  const common = ['--allow-http-registry', '--yes']
  const cosign = (tool: string | undefined, ...args: string[]): Promise<unknown> =>
    tool === undefined ? Promise.resolve() : runOk(tool, args, { cwd: folder, env })

  const sign = async (name: string, digest: Digest, key: string): Promise<void> => {
    const image = `${repository}@${digest}`
    const withKey = ['sign', '--key', key, ...common]
    await cosign(
      tools.attaching,
      ...withKey,
      '--tlog-upload=false',
      '--sign-container-identity',
      signedName(name),
      image,
    )
    await cosign(tools.bundling, ...withKey, '--use-signing-config=false', '--tlog-upload=false', image)
  }
  let pushed = 0
  const push = async (name: string): Promise<Descriptor> => {
    const { store, image } = await imageStore(`2024-01-01T00:00:0${pushed++}Z`)
    await copyImage({ store, reference: '1' }, target, name)
    return image.manifest.descriptor
  }
  const keys: Record<string, string> = {}
  try {
    for (const [name, generate] of Object.entries(KEYS)) {
      const { digest } = await push(name)
      const pem = generate().privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
      const tool = tools.attaching ?? tools.bundling
      await cosign(tool, 'import-key-pair', '--key', file(`${name}.pem`, pem), '--output-key-prefix', name)
      keys[name] = readFileSync(join(folder, `${name}.pub`), 'utf8')
      await sign(name, digest, `${name}.key`)
    }
    keys.index = keys.attested = keys.p256 as string
    const inside = await push('inside')
    await sign('index', await pushIndex(target, inside), 'p256.key')
    const { digest: attested } = await push('attested')
    const predicate = [
      '--predicate',
      file('scan.json', '{"verdict":"vulnerable"}'),
      '--type',
      'https://scan.example/v1',
    ]
    const attesting = [
      'attest',
      '--key',
      'p256.key',
      ...common,
      '--use-signing-config=false',
      '--tlog-upload=false',
    ]
    await cosign(tools.bundling, ...attesting, ...predicate, `${repository}@${attested}`)

    const { digest } = await push('keyless')
    const token = ['--identity-token', file('token', sigstore.token)]
    const services = ['--fulcio-url', sigstore.url, '--rekor-url', sigstore.url]
    const named = ['--sign-container-identity', signedName('keyless')]
    await cosign(
      tools.attaching,
      'sign',
      ...services,
      ...token,
      ...common,
      ...named,
      `${repository}@${digest}`,
    )
    const root = ['--trusted-root', file('trusted-root.json', sigstore.trustedRoot)]
    const config = ['--signing-config', file('signing-config.json', signingConfig(sigstore.url))]
    await cosign(tools.bundling, 'sign', ...config, ...root, ...token, ...common, `${repository}@${digest}`)
    const { trustedRoot, rekorKey } = sigstore
    return { ...(await readAll(target)), keys, trustedRoot, rekorKey }
  } finally {
    await registry.close()
    await sigstore.close()
  }
}

/** A store that holds these images. */
export async function openCosignImages({ content, names }: CosignImages): Promise<ImageStore> {
  const store = memoryStore()
  for (const base64 of Object.values(content)) {
    await store.putBlob(blobOf(memorySource(Buffer.from(base64, 'base64'))))
  }
  for (const [reference, { mediaType, digest }] of Object.entries(names)) {
    await store.putManifest(Buffer.from(content[digest] as string, 'base64'), { mediaType, reference })
  }
  return store
}

async function pushIndex(repository: ImageStore, { mediaType, digest, size }: Descriptor): Promise<Digest> {
  const platform = { architecture: 'amd64', os: 'linux' }
  const manifests = [{ mediaType, digest, size, platform }]
  const raw = utf8(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests }))
  return (await repository.putManifest(raw, { mediaType: MEDIA_TYPE.index, reference: 'index' })).digest
}

/** Everything in a repository, signatures included. */
async function readAll(store: ImageStore): Promise<Pick<CosignImages, 'content' | 'names'>> {
  const content: Record<string, string> = {}
  const names: Record<string, { mediaType: string; digest: Digest }> = {}
  const keep = (digest: string, bytes: Uint8Array): void => {
    content[digest] = Buffer.from(bytes).toString('base64')
  }
  const tags: string[] = []
  for await (const tag of store.tags?.() ?? []) tags.push(tag)
  for (const tag of tags.sort()) {
    const root: Manifest = await store.getManifest(tag)
    names[tag] = { mediaType: root.mediaType, digest: root.descriptor.digest }
    const { manifests, blobs } = await listContent({ store, reference: tag })
    for (const manifest of manifests) keep(manifest.descriptor.digest, manifest.raw)
    for (const blob of blobs) keep(blob.digest, await collect(await store.openBlob(blob)))
    if (isIndex(root)) keep(root.descriptor.digest, root.raw)
  }
  await store.close?.()
  return { content, names }
}

function signingConfig(url: string): string {
  const service = {
    url,
    majorApiVersion: 1,
    validFor: { start: '2020-01-01T00:00:00Z' },
    operator: 'example',
  }
  return JSON.stringify({
    mediaType: 'application/vnd.dev.sigstore.signingconfig.v0.2+json',
    caUrls: [service],
    rekorTlogUrls: [service],
    rekorTlogConfig: { selector: 'ANY' },
    tsaConfig: { selector: 'ANY' },
  })
}
