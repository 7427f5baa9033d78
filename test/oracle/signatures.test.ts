import { sign } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BootableError } from '@bootable/bytes'
import { openImageSource } from '@bootable/core/node'
import { copyImage, type Digest } from '@bootable/oci'
import { registryStore } from '@bootable/registry'
import { attachmentTag } from '@bootable/signatures'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type DockerRegistry, startDockerRegistry } from '../../tooling/docker-registry.ts'
import { createFakeSigstore, pemOf } from '../../tooling/fake-sigstore.ts'
import { newestOracle, runInOracleRoot } from '../../tooling/oracle-root.ts'
import { oracle, temporaryFolder } from '../../tooling/oracles.ts'
import {
  annotationsOf,
  attach,
  EMAIL,
  hashedrekord,
  ISSUER,
  imageStore,
  type KeyPair,
  keyPair,
  rekorAnnotation,
  signKeyless,
  simpleSigning,
} from '../../tooling/signing.ts'

const SIGNED_NAME = 'quay.io/org/name:1'
/** Images of one repository each; the name says what their signature is like. */
const NAMES = [
  ...['signed', 'named', 'unsigned', 'stranger', 'tampered', 'changed', 'replayed'],
  ...['logged', 'strangelog', 'keyless', 'expired'],
]

interface Signature {
  readonly payload: Buffer
  readonly annotations: Record<string, string>
}

// The skopeo of Debian 12 was built without sigstore: it refuses every policy that asks for it.
newestOracle('skopeo', () => {
  oracle('docker-registry', () => {
    const folder = temporaryFolder()
    const [trusted, stranger] = [keyPair(), keyPair()]
    const file = (name: string): string => join(folder, name)
    let registry: DockerRegistry
    let host: string

    beforeAll(async () => {
      registry = await startDockerRegistry()
      host = registry.host
      mkdirSync(file('registries.d'))
      writeFileSync(file('registries.d/all.yaml'), 'default-docker:\n  use-sigstore-attachments: true\n')
      const [sigstore, other] = [await createFakeSigstore(), await createFakeSigstore()]
      writeFileSync(file('trusted.pub'), pemOf(trusted.publicKey))
      writeFileSync(file('stranger.pub'), pemOf(stranger.publicKey))
      writeFileSync(file('secret.key'), trusted.privateKey.export({ type: 'pkcs8', format: 'pem' }))
      writeFileSync(file('fulcio.pem'), sigstore.root)
      writeFileSync(file('rekor.pub'), sigstore.rekorKey)
      writeFileSync(file('other-fulcio.pem'), other.root)
      writeFileSync(file('other-rekor.pub'), other.rekorKey)
      const digests: Record<string, Digest> = {}
      for (const [index, name] of NAMES.entries()) {
        const { store, image } = await imageStore(`2024-01-0${index + 1}T00:00:00Z`)
        digests[name] = image.manifest.descriptor.digest
        await copyImage({ store, reference: '1' }, registryStore(`${host}/lab/${name}`), '1')
      }
      const signed = (name: string, keys: KeyPair, reference = `${host}/lab/${name}:1`): Signature => {
        const payload = simpleSigning(digests[name] as Digest, reference)
        return { payload, annotations: annotationsOf(sign('sha256', payload, keys.privateKey)) }
      }
      const [whole, good] = [signed('changed', trusted), signed('tampered', trusted)]
      const signature = Buffer.from(Object.values(good.annotations)[0] as string, 'base64')
      signature[signature.length - 1] = (signature.at(-1) as number) ^ 1
      const logged = (name: string, from: typeof sigstore): Signature => {
        const { payload, annotations } = signed(name, trusted)
        const bytes = Buffer.from(Object.values(annotations)[0] as string, 'base64')
        const entry = from.log(hashedrekord(payload, bytes, pemOf(trusted.publicKey)))
        return { payload, annotations: { ...annotations, ...rekorAnnotation(entry) } }
      }
      const keyless = async (name: string, delay: number): Promise<Signature> =>
        signKeyless(sigstore, digests[name] as Digest, { delay, reference: `${host}/lab/${name}:1` })
      const attached: Record<string, Signature> = {
        signed: signed('signed', trusted),
        named: signed('named', trusted, SIGNED_NAME),
        stranger: signed('stranger', stranger),
        tampered: { ...good, annotations: annotationsOf(signature) },
        changed: { ...whole, payload: Buffer.concat([whole.payload, Buffer.from(' ')]) },
        replayed: signed('signed', trusted, `${host}/lab/replayed:1`),
        logged: logged('logged', sigstore),
        strangelog: logged('strangelog', other),
        keyless: await keyless('keyless', 1),
        expired: await keyless('expired', 11),
      }
      for (const [name, each] of Object.entries(attached)) await attachTo(name, digests[name] as Digest, each)
    })
    afterAll(() => registry?.close())

    const addressOf = (name: string): string => `docker://${host}/lab/${name}:1`

    async function attachTo(name: string, digest: Digest, signature: Signature): Promise<void> {
      const { store } = await imageStore()
      await attach(store, digest, [signature])
      const tag = attachmentTag(digest)
      await copyImage({ store, reference: tag }, registryStore(`${host}/lab/${name}`), tag)
    }

    /** The images that each of the two takes under this policy; skopeo sees the folder as `/work`. */
    async function verdicts(
      policy: string,
      names: readonly string[] = NAMES,
    ): Promise<{ skopeo: string[]; ours: string[] }> {
      writeFileSync(file('policy.json'), policy)
      writeFileSync(file('skopeo.json'), policy.replaceAll(folder, '/work'))
      const copy =
        'skopeo --policy /work/skopeo.json --registries.d /work/registries.d copy --quiet --remove-signatures'
      const script = `mkdir -p /work/copies; cd /work; for name; do ${copy} --src-tls-verify=false \
      "docker://${host}/lab/$name:1" "oci:copies/$name:1" >&2 && echo "$name"; done; true`
      const { stdout } = await runInOracleRoot(folder, 'sh', ['-c', script, 'sh', ...names])
      rmSync(file('copies'), { recursive: true, force: true })
      const ours: string[] = []
      for (const name of names) {
        try {
          const opened = await openImageSource(addressOf(name), { policy: file('policy.json') })
          await opened.close()
          ours.push(name)
        } catch (error) {
          if (!BootableError.is(error) || !/^(?:POLICY|SIGNATURE)_/.test(error.code)) throw error
        }
      }
      return { skopeo: stdout.split('\n').filter((line) => line !== ''), ours }
    }

    const ACCEPT = [{ type: 'insecureAcceptAnything' }]
    const REJECT = [{ type: 'reject' }]
    const signedBy = (fields: object): object[] => [{ type: 'sigstoreSigned', ...fields }]
    const byKey = (fields: object = {}): object[] => signedBy({ keyPath: file('trusted.pub'), ...fields })
    const named = (signedIdentity: object): object => ({ default: byKey({ signedIdentity }) })
    const fulcio = (changes: object = {}, rekor = 'rekor.pub'): object => {
      const whom = { caPath: file('fulcio.pem'), oidcIssuer: ISSUER, subjectEmail: EMAIL, ...changes }
      return { default: signedBy({ fulcio: whom, rekorPublicKeyPath: file(rekor) }) }
    }
    const within = (scopes: object): object => ({ default: REJECT, transports: { docker: scopes } })
    const BY_KEY = ['signed', 'logged', 'strangelog']

    /** Policies by what they are about, with the images that both have to take. */
    const cases = (): [string, object, readonly string[]][] => [
      ['anything', { default: ACCEPT }, NAMES],
      ['nothing', { default: REJECT }, []],
      ['a key in a file', { default: byKey() }, BY_KEY],
      ['a key in the policy', { default: signedBy({ keyData: base64(pemOf(trusted.publicKey)) }) }, BY_KEY],
      ["a stranger's key", { default: signedBy({ keyPath: file('stranger.pub') }) }, ['stranger']],
      [
        'either key',
        { default: signedBy({ keyPaths: [file('stranger.pub'), file('trusted.pub')] }) },
        ['signed', 'stranger', 'logged', 'strangelog'],
      ],
      ['a key that is not there', { default: signedBy({ keyPath: file('none') }) }, []],
      ['a private key', { default: signedBy({ keyPath: file('secret.key') }) }, []],
      ['both keys', { default: [...byKey(), ...signedBy({ keyPath: file('stranger.pub') })] }, []],
      ['a key and anything', { default: [...ACCEPT, ...byKey()] }, BY_KEY],
      ['a key and a log', { default: byKey({ rekorPublicKeyPath: file('rekor.pub') }) }, ['logged']],
      [
        'a key and logs',
        { default: byKey({ rekorPublicKeyPaths: [file('rekor.pub'), file('other-rekor.pub')] }) },
        ['logged', 'strangelog'],
      ],
      ['matchExact', named({ type: 'matchExact' }), BY_KEY],
      ['matchRepository', named({ type: 'matchRepository' }), BY_KEY],
      ['exactReference', named({ type: 'exactReference', dockerReference: SIGNED_NAME }), ['named']],
      ['another exactReference', named({ type: 'exactReference', dockerReference: `${SIGNED_NAME}2` }), []],
      [
        'exactRepository',
        named({ type: 'exactRepository', dockerRepository: 'quay.io/org/name' }),
        ['named'],
      ],
      [
        'remapIdentity',
        named({ type: 'remapIdentity', prefix: `${host}/lab/named`, signedPrefix: 'quay.io/org/name' }),
        ['signed', 'named', 'logged', 'strangelog'],
      ],
      ['fulcio', fulcio(), ['keyless']],
      ['another address', fulcio({ subjectEmail: 'somebody@example.com' }), []],
      ['another issuer', fulcio({ oidcIssuer: 'https://else.example' }), []],
      ['another authority', fulcio({ caPath: file('other-fulcio.pem') }), []],
      ['another log', fulcio({}, 'other-rekor.pub'), []],
      ['the host', within({ [host]: ACCEPT }), NAMES],
      [
        'a namespace',
        within({ [`${host}/lab`]: ACCEPT, [`${host}/la`]: REJECT, [`${host}/lab/named`]: REJECT }),
        NAMES.filter((name) => name !== 'named'),
      ],
      ['an image', within({ [`${host}/lab/named:1`]: ACCEPT, [`${host}/lab/signed:2`]: ACCEPT }), ['named']],
      ['a domain', within({ '*.0.0.1': ACCEPT, '*.1': REJECT }), NAMES],
      ['the transport', within({ '': ACCEPT }), NAMES],
      ['another transport', { default: REJECT, transports: { oci: { '': ACCEPT } } }, []],
      ['GPG', { default: [{ type: 'signedBy', keyType: 'GPGKeys', keyPath: file('trusted.pub') }] }, []],
    ]

    test('skopeo and we take and refuse the same images', async () => {
      for (const [title, policy, accepted] of cases()) {
        const { skopeo, ours } = await verdicts(JSON.stringify(policy))
        expect({ title, skopeo, ours }).toEqual({ title, skopeo: accepted, ours: accepted })
      }
    })

    test.each([
      '{',
      '{}',
      '{"default":[]}',
      '{"default":[{"type":"insecureAcceptAnything"}],"more":{}}',
      '{"default":[{"type":"insecureAcceptAnything","more":1}]}',
      '{"default":[{"type":"reject"}],"default":[{"type":"insecureAcceptAnything"}]}',
      '{"default":[{"type":"insecureAcceptAnything"}],"transports":{"docker":{"":[]}}}',
      '{"default":[{"type":"sigstoreSigned"}]}',
      '{"default":[{"type":"sigstoreSigned","keyPath":"/a","keyData":"AAAA"}]}',
      '{"default":[{"type":"sigstoreSigned","keyPath":"/a","signedIdentity":{"type":"matchAny"}}]}',
      '{"default":[{"type":"sigstoreSigned","keyPath":"/a","signedIdentity":{"type":"exactReference","dockerReference":"quay.io/a/b"}}]}',
      '{"default":[{"type":"accept"}]}',
    ])('neither of us takes the policy %s', async (policy) => {
      expect(await verdicts(policy, ['signed'])).toEqual({ skopeo: [], ours: [] })
    })
  })
})

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
