import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { utf8 } from '@bootable/bytes'
import { type Image, type ImageStore, openImage } from '@bootable/oci'
import { keylessPolicy, keyPolicy, type Policy, type SignatureCheck, verifyImage } from '@bootable/signatures'
import { sigstoreVerifier } from '@bootable/signatures/node'
import { beforeAll, describe, expect, test } from 'vitest'
import { type CosignImages, openCosignImages } from '../../../tooling/cosign-images.ts'
import { SUBJECT } from '../../../tooling/fake-sigstore-server.ts'
import { ISSUER } from '../../../tooling/signing.ts'

const images = JSON.parse(
  readFileSync(join(import.meta.dirname, 'vectors/cosign.json'), 'utf8'),
) as CosignImages
const BOTH = ['bundle accepted', 'attachment accepted']

describe('what cosign 2 attached and cosign 3 bundled', () => {
  let store: ImageStore
  beforeAll(async () => {
    store = await openCosignImages(images)
  })

  async function outcome(name: string, policy: Policy, image?: Image): Promise<string[]> {
    const reference = { host: 'registry.example', repository: 'machine', tag: name }
    const { requirements } = await verifyImage(image ?? (await openImage(store, name)), policy, {
      location: { transport: 'docker', reference },
      verifier: sigstoreVerifier(),
    })
    return (requirements[0]?.signatures ?? []).map(({ kind, accepted, checks }) => {
      const { check, message } = checks.at(-1) as SignatureCheck
      return `${kind} ${accepted ? 'accepted' : `${check}: ${message}`}`
    })
  }
  const keyOf = (name: string) => [{ data: utf8(images.keys[name] as string) }]
  const named = (type: 'matchRepoDigestOrExact' | 'matchRepository'): Policy => ({
    default: [
      { type: 'sigstoreSigned', trust: { type: 'keys', keys: keyOf('p256') }, signedIdentity: { type } },
    ],
    transports: {},
  })

  test.each(['p256', 'p384', 'rsa'])('by a key of %s', async (name) => {
    expect(await outcome(name, keyPolicy(keyOf(name)))).toEqual(BOTH)
    const wrong = await outcome(name, keyPolicy(keyOf(name === 'rsa' ? 'p256' : 'rsa')))
    expect(wrong).toEqual([
      'bundle signature: signature verification failed',
      'attachment signature: signature verification failed',
    ])
  })

  test('a log that was not asked cannot vouch for it', async () => {
    const rekorKeys = [{ data: utf8(images.rekorKey) }]
    expect(await outcome('p256', keyPolicy(keyOf('p256'), { rekorKeys }))).toEqual([
      'bundle log: expected 1 tlog entries, got 0',
      'attachment log: expected 1 tlog entries, got 0',
    ])
  })

  test('the attachment says its name, the bundle has none', async () => {
    for (const type of ['matchRepoDigestOrExact', 'matchRepository'] as const) {
      expect(await outcome('p256', named(type))).toEqual([
        `bundle identity: it names no image, but the policy asks for ${type}`,
        'attachment accepted',
      ])
    }
    const { signedIdentity: _, ...requirement } = named('matchRepository').default[0] as {
      signedIdentity: object
    }
    expect(await outcome('p256', { default: [requirement as never], transports: {} })).toEqual(BOTH)
  })

  test('without a key', async () => {
    const by = (identity: string | RegExp, issuer: string | RegExp = ISSUER) =>
      keylessPolicy({ trustedRoot: { data: utf8(images.trustedRoot) }, issuer, identity })
    expect(await outcome('keyless', by(SUBJECT))).toEqual(BOTH)
    expect(await outcome('keyless', by(/https:\/\/ci\.example\/machine\/.+/, /https:.+/))).toEqual(BOTH)
    expect(await outcome('keyless', by(`${SUBJECT}x`))).toEqual([
      expect.stringMatching(/^bundle signer: the signer is /),
      expect.stringMatching(/^attachment signer: the signer is /),
    ])
    expect(await outcome('keyless', by(SUBJECT, 'https://else.example'))).toEqual([
      expect.stringMatching(/^bundle signer: .* vouches/),
      expect.stringMatching(/^attachment signer: .* vouches/),
    ])
  })

  test('of an index is a signature of the image that it names, for as long as it is that index', async () => {
    const image = await openImage(store, 'index')
    const policy = keyPolicy(keyOf('index'))
    expect(await outcome('index', policy, image)).toEqual(BOTH)
    // The same image under a name of its own is not signed, and neither is one that the index does not name.
    expect(await outcome('inside', policy)).toEqual([])
    const other = await openImage(store, 'attested')
    const moved = { ...image, manifest: other.manifest }
    expect((await outcome('index', policy, moved)).filter((each) => each.endsWith('accepted'))).toEqual([])
  })

  test('an attestation by the right key is no signature', async () => {
    expect(await outcome('attested', keyPolicy(keyOf('attested')))).toEqual([
      'bundle format: it is an attestation of the type "https://scan.example/v1", not a signature',
    ])
  })

  test('signatures of one image do nothing for another', async () => {
    const [signed, other] = [await openImage(store, 'p256'), await openImage(store, 'inside')]
    const [own, foreign] = [signed, other].map(({ manifest }) => manifest.descriptor.digest)
    const replaying: ImageStore = {
      ...store,
      getManifest: (target, options) =>
        store.getManifest(
          typeof target === 'string'
            ? target.replace(foreign?.slice(7) as string, own?.slice(7) as string)
            : target,
          options,
        ),
    }
    const outcomes = await outcome('inside', keyPolicy(keyOf('p256')), { ...other, store: replaying })
    // The bundle says by its `subject` that it is not meant; the attachment only by its payload.
    expect(outcomes).toEqual([`attachment digest: it is for ${own}, not for ${foreign}`])
  })
})
