import { generateKeyPairSync, sign } from 'node:crypto'
import { utf8 } from '@bootable/bytes'
import type { Descriptor, Digest, ImageIndex, ImageStore } from '@bootable/oci'
import {
  enforcePolicy,
  keyPolicy,
  referrersTag,
  type SignatureCheck,
  type TrustSource,
  verifyImage,
} from '@bootable/signatures'
import { sigstoreVerifier } from '@bootable/signatures/node'
import { describe, expect, test } from 'vitest'
import { createFakeSigstore, pemOf } from '../../../tooling/fake-sigstore.ts'
import {
  annotationsOf,
  attach,
  BUNDLE,
  dsseEntry,
  hashedrekord,
  imageStore,
  type KeyPair,
  keyBundle,
  keyPair,
  LOCATION,
  pemSource,
  refer,
  rekorAnnotation,
  simpleSigning,
  statementEnvelope,
  tlogEntry,
} from '../../../tooling/signing.ts'

const OPTIONS = { location: LOCATION, verifier: sigstoreVerifier() }

/** An attached signature of whatever the payload says. */
function attachment(keys: KeyPair, digest: Digest, payload = simpleSigning(digest)) {
  return { payload, annotations: annotationsOf(sign('sha256', payload, keys.privateKey)) }
}

async function outcome(
  subject: { store: ImageStore; image: Parameters<typeof verifyImage>[0] },
  keys: readonly TrustSource[],
  options: Parameters<typeof keyPolicy>[1] = {},
): Promise<string[]> {
  const { requirements } = await verifyImage(subject.image, keyPolicy(keys, options), OPTIONS)
  return (requirements[0]?.signatures ?? []).map(({ kind, accepted, checks }) => {
    const { check, message } = checks.at(-1) as SignatureCheck
    return `${kind} ${accepted ? 'accepted' : `${check}: ${message}`}`
  })
}

describe('an attached signature', () => {
  const keys = keyPair()

  test.each<[string, KeyPair]>([
    ['ECDSA P-256', keys],
    ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['ECDSA P-384 over SHA-256', generateKeyPairSync('ec', { namedCurve: 'P-384' })],
  ])('by %s', async (_, pair) => {
    const subject = await imageStore()
    const { digest } = subject.image.manifest.descriptor
    await attach(subject.store, digest, [attachment(pair, digest)])
    expect(await outcome(subject, [pemSource(pair)])).toEqual(['attachment accepted'])
    expect(await outcome(subject, [pemSource(keyPair()), pemSource(pair)])).toEqual(['attachment accepted'])
  })

  test('by Ed25519', async () => {
    const pair = generateKeyPairSync('ed25519')
    const subject = await imageStore()
    const { digest } = subject.image.manifest.descriptor
    const payload = simpleSigning(digest)
    const annotations = annotationsOf(sign(null, payload, pair.privateKey))
    await attach(subject.store, digest, [{ payload, annotations }])
    expect(await outcome(subject, [pemSource(pair)])).toEqual(['attachment accepted'])
  })

  test('by another key', async () => {
    const subject = await imageStore()
    const { digest } = subject.image.manifest.descriptor
    await attach(subject.store, digest, [attachment(keyPair(), digest)])
    expect(await outcome(subject, [pemSource(keys)])).toEqual([
      'attachment signature: signature verification failed',
    ])
  })

  test('of a payload that was changed, and of another image', async () => {
    const subject = await imageStore()
    const { digest } = subject.image.manifest.descriptor
    const { digest: elsewhere } = (await imageStore('2020-02-02T00:00:00Z')).image.manifest.descriptor
    const { annotations } = attachment(keys, elsewhere)
    await attach(subject.store, digest, [
      { payload: simpleSigning(digest), annotations },
      attachment(keys, elsewhere),
    ])
    expect(await outcome(subject, [pemSource(keys)])).toEqual([
      'attachment signature: signature verification failed',
      `attachment digest: it is for ${elsewhere}, not for ${digest}`,
    ])
  })

  test.each<[string, string, RegExp]>([
    [
      'another type',
      '{"critical":{"type":"atomic container signature","image":{},"identity":{}}}',
      /the payload's type/,
    ],
    ['a field that is unknown', '{"critical":{"more":1},"optional":null}', /not a simple signing document/],
    ['no JSON', 'nonsense', /not a simple signing document/],
    [
      'no digest',
      '{"critical":{"type":"cosign container image signature","image":{"docker-manifest-digest":"x"}}}',
      /names no manifest/,
    ],
  ])('of %s', async (_, text, pattern) => {
    const subject = await imageStore()
    const { digest } = subject.image.manifest.descriptor
    await attach(subject.store, digest, [attachment(keys, digest, Buffer.from(text))])
    expect((await outcome(subject, [pemSource(keys)]))[0]).toMatch(pattern)
  })

  test('without one, malformed, and too large', async () => {
    const subject = await imageStore()
    const { digest } = subject.image.manifest.descriptor
    const payload = simpleSigning(digest)
    const large = Buffer.from(payload.toString().padEnd(70_000))
    const { annotations } = attachment(keys, digest)
    await attach(subject.store, digest, [
      { payload, annotations: {} },
      { payload, annotations: { ...annotations, 'dev.sigstore.cosign/bundle': '{}' } },
      { payload, annotations: { ...annotations, 'dev.sigstore.cosign/certificate': 'none' } },
      { payload, annotations: { ...annotations, note: 'x'.repeat(300_000) } },
      attachment(keys, digest, large),
    ])
    expect(await outcome(subject, [pemSource(keys)])).toEqual([
      'attachment format: it has no annotation dev.cosignproject.cosign/signature',
      'attachment format: its annotation dev.sigstore.cosign/bundle is no log entry',
      'attachment format: invalid v0.1 bundle',
      'attachment format: an annotation has more than 262144 characters',
      'attachment format: its payload has 70000 bytes; 65536 are allowed',
    ])
  })

  test('more of them than anybody makes: the first hundred are looked at', async () => {
    const subject = await imageStore()
    const { digest } = subject.image.manifest.descriptor
    const one = attachment(keyPair(), digest)
    await attach(
      subject.store,
      digest,
      Array.from({ length: 150 }, () => one),
    )
    expect(await outcome(subject, [pemSource(keys)])).toHaveLength(100)
  })
})

describe('a log, where it is asked for', () => {
  test('has to have promised the entry of this very key', async () => {
    const sigstore = await createFakeSigstore()
    const other = await createFakeSigstore()
    const keys = keyPair()
    const subject = await imageStore()
    const { descriptor } = subject.image.manifest
    const { payload, annotations } = attachment(keys, descriptor.digest)
    const signature = Buffer.from(annotations['dev.cosignproject.cosign/signature'] as string, 'base64')
    const entry = (pem: string, signed = payload) =>
      rekorAnnotation(sigstore.log(hashedrekord(signed, signature, pem)))
    await attach(subject.store, descriptor.digest, [
      { payload, annotations: { ...annotations, ...entry(pemOf(keys.publicKey)) } },
      { payload, annotations },
      { payload, annotations: { ...annotations, ...entry(pemOf(keyPair().publicKey)) } },
      { payload, annotations: { ...annotations, ...entry(pemOf(keys.publicKey), Buffer.from('another')) } },
    ])
    const statement = statementEnvelope(keys, descriptor.digest)
    const body = dsseEntry(statement.payload, statement.signature, pemOf(keys.publicKey))
    await refer(subject.store, descriptor, [
      keyBundle(statement.envelope, [tlogEntry(sigstore.log(body), 'dsse')]),
      keyBundle(statement.envelope),
    ])
    expect(
      await outcome(subject, [pemSource(keys)], { rekorKeys: [{ data: utf8(sigstore.rekorKey) }] }),
    ).toEqual([
      'bundle accepted',
      'bundle log: expected 1 tlog entries, got 0',
      'attachment accepted',
      'attachment log: expected 1 tlog entries, got 0',
      'attachment log: the log has it for another key',
      'attachment log: digest mismatch',
    ])
    const wrong = await outcome(subject, [pemSource(keys)], { rekorKeys: [{ data: utf8(other.rekorKey) }] })
    expect(wrong.filter((each) => each.endsWith('accepted'))).toEqual([])
    expect(await outcome(subject, [pemSource(keys)])).toEqual([
      ...Array(2).fill('bundle accepted'),
      ...Array(4).fill('attachment accepted'),
    ])
  })
})

describe('a bundle', () => {
  const keys = keyPair()

  test('of a statement by this key, by another, of another image, and of something else', async () => {
    const subject = await imageStore()
    const { descriptor } = subject.image.manifest
    const { digest: elsewhere } = (await imageStore('2020-02-02T00:00:00Z')).image.manifest.descriptor
    const predicateType = 'https://slsa.dev/provenance/v1'
    await refer(subject.store, descriptor, [
      keyBundle(statementEnvelope(keys, descriptor.digest).envelope),
      keyBundle(statementEnvelope(keyPair(), descriptor.digest).envelope),
      keyBundle(statementEnvelope(keys, elsewhere).envelope),
      keyBundle(statementEnvelope(keys, descriptor.digest, { predicateType }).envelope),
    ])
    expect(await outcome(subject, [pemSource(keys)])).toEqual([
      'bundle accepted',
      'bundle signature: signature verification failed',
      `bundle digest: it is for ${elsewhere}, not for ${descriptor.digest}`,
      `bundle format: it is an attestation of the type "${predicateType}", not a signature`,
    ])
  })

  test('that the store lists by itself, each once; one of another subject is not taken', async () => {
    const subject = await imageStore()
    const { descriptor } = subject.image.manifest
    await refer(subject.store, descriptor, [keyBundle(statementEnvelope(keys, descriptor.digest).envelope)])
    const [listed] = ((await subject.store.getManifest(referrersTag(descriptor.digest))).value as ImageIndex)
      .manifests
    const referrers = async function* () {
      yield listed as Descriptor
      yield { ...(listed as Descriptor), artifactType: 'application/spdx+json', digest: descriptor.digest }
      yield { ...descriptor, artifactType: BUNDLE }
    }
    const image = { ...subject.image, store: { ...subject.store, referrers } }
    expect(await outcome({ ...subject, image }, [pemSource(keys)])).toEqual(['bundle accepted'])
  })

  test('of a bare signature over the manifest', async () => {
    const subject = await imageStore()
    const { descriptor, raw } = subject.image.manifest
    const bare = (message: Uint8Array, hex = descriptor.digest.slice(7)) => ({
      mediaType: BUNDLE,
      verificationMaterial: { publicKey: { hint: '' }, tlogEntries: [] },
      messageSignature: {
        messageDigest: { algorithm: 'SHA2_256', digest: Buffer.from(hex, 'hex').toString('base64') },
        signature: sign('sha256', message, keys.privateKey).toString('base64'),
      },
    })
    const { envelope } = statementEnvelope(keys, descriptor.digest)
    await refer(subject.store, descriptor, [
      bare(raw),
      bare(utf8('another')),
      bare(raw, '00'.repeat(32)),
      { ...bare(raw), dsseEnvelope: envelope },
    ])
    expect(await outcome(subject, [pemSource(keys)])).toEqual([
      'bundle accepted',
      'bundle signature: signature verification failed',
      'bundle format: its digest is not that of what it should be made over',
      'bundle format: it holds two kinds of signature',
    ])
  })

  test('that is damaged anywhere is refused, never a crash', async () => {
    const subject = await imageStore()
    const { descriptor } = subject.image.manifest
    const whole = keyBundle(statementEnvelope(keys, descriptor.digest).envelope)
    const spoilt = paths(whole).flatMap((path) =>
      [null, 7, '', 'x', [], {}, '\u0000'.repeat(40)].map((value) => replaced(whole, path, value)),
    )
    for (let start = 0; start < spoilt.length; start += 90) {
      const batch = spoilt.slice(start, start + 90)
      const fresh = await imageStore()
      await refer(fresh.store, fresh.image.manifest.descriptor, batch)
      const all = await outcome(fresh, [pemSource(keys)])
      expect(all).toHaveLength(new Set(batch.map((each) => JSON.stringify(each))).size)
    }
    // What is not signed may change; what is may not.
    await refer(subject.store, descriptor, [
      replaced(whole, ['dsseEnvelope', 'payload'], Buffer.from('{}').toString('base64')),
      replaced(whole, ['dsseEnvelope', 'payloadType'], 'application/json'),
      replaced(whole, ['dsseEnvelope', 'signatures'], []),
      { padding: 'x'.repeat(2 ** 20), ...whole },
    ])
    expect((await outcome(subject, [pemSource(keys)])).filter((each) => each.endsWith('accepted'))).toEqual(
      [],
    )
  })
})

test('an image with a sha512 digest has no place for attachments', async () => {
  const { store, image } = await imageStore()
  const digest = `sha512:${'a'.repeat(128)}` as Digest
  const descriptor = { ...image.manifest.descriptor, digest }
  const asked: unknown[] = []
  const watching: ImageStore = {
    ...store,
    resolve: async () => descriptor,
    getManifest: (target, options) => {
      asked.push(target)
      return store.getManifest(target, options)
    },
  }
  const subject = { ...image, store: watching, manifest: { ...image.manifest, descriptor } }
  expect(await outcome({ store, image: subject }, [pemSource(keyPair())])).toEqual([])
  expect(asked).toEqual([`sha512-${'a'.repeat(64)}`])
})

describe('enforcePolicy', () => {
  test('accepts a signed image and says why; refuses one that is not', async () => {
    const keys = keyPair()
    const subject = await imageStore()
    const { digest } = subject.image.manifest.descriptor
    const policy = keyPolicy([pemSource(keys)])
    await expect(enforcePolicy(subject.image, policy, OPTIONS)).rejects.toMatchObject({
      code: 'SIGNATURE_REQUIRED',
      details: { digest, verification: { accepted: false } },
    })
    await attach(subject.store, digest, [attachment(keyPair(), digest)])
    await expect(enforcePolicy(subject.image, policy, OPTIONS)).rejects.toMatchObject({
      code: 'SIGNATURE_INVALID',
      message: expect.stringContaining('none of its 1 signatures is accepted: signature verification failed'),
    })
    await attach(subject.store, digest, [attachment(keyPair(), digest), attachment(keys, digest)])
    expect(await enforcePolicy(subject.image, policy, OPTIONS)).toMatchObject({
      accepted: true,
      scope: 'default',
      requirements: [{ met: true, message: '1 of 2 signatures are good' }],
    })
  })

  test('a key that cannot be read or is none is an error of its own', async () => {
    const keys = keyPair()
    const subject = await imageStore()
    const { digest } = subject.image.manifest.descriptor
    await attach(subject.store, digest, [attachment(keys, digest)])
    const enforce = (source: TrustSource) => enforcePolicy(subject.image, keyPolicy([source]), OPTIONS)
    await expect(enforce({ path: '/nowhere/cosign.pub' })).rejects.toMatchObject({
      code: 'POLICY_UNREADABLE',
    })
    const secret = keys.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
    const refused = await enforce({ data: utf8(secret) }).catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'POLICY_INVALID' })
    expect(JSON.stringify(refused)).not.toContain(secret.split('\n')[1])
  })

  test('a store that fails is not taken for one without signatures', async () => {
    const { image } = await imageStore()
    const failing = {
      ...image,
      store: { ...image.store, getManifest: () => Promise.reject(new Error('broken')) },
    }
    await expect(verifyImage(failing, keyPolicy([pemSource(keyPair())]), OPTIONS)).rejects.toThrow('broken')
  })
})

/** Where every value of a document stands. */
function paths(value: unknown, path: readonly string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [[...path]]
  return [
    ...(path.length > 0 ? [[...path]] : []),
    ...Object.entries(value).flatMap(([name, each]) => paths(each, [...path, name])),
  ]
}

function replaced(document: object, [name = '', ...rest]: readonly string[], value: unknown): object {
  const copy = structuredClone(document) as Record<string, object>
  copy[name] = (rest.length === 0 ? value : replaced(copy[name] ?? {}, rest, value)) as object
  return copy
}
