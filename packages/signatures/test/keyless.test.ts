import { utf8 } from '@bootable/bytes'
import {
  type ImageVerification,
  keylessPolicy,
  type Policy,
  type SignatureCheck,
  verifyImage,
} from '@bootable/signatures'
import { sigstoreVerifier } from '@bootable/signatures/node'
import { beforeAll, describe, expect, test } from 'vitest'
import { createFakeSigstore, type FakeSigstore } from '../../../tooling/fake-sigstore.ts'
import { attach, EMAIL, ISSUER, imageStore, LOCATION, refer, signKeyless } from '../../../tooling/signing.ts'

const URI = 'https://ci.example/machine/build.yml@refs/heads/main'
let sigstore: FakeSigstore
let other: FakeSigstore
beforeAll(async () => {
  sigstore = await createFakeSigstore()
  other = await createFakeSigstore()
})

type SignOptions = NonNullable<Parameters<typeof signKeyless>[2]>
type Signed = Awaited<ReturnType<typeof signKeyless>>

/** Both forms of a signature beside a new image, judged by a policy. */
async function judge(
  policy: Policy,
  options: SignOptions = {},
  change: (signed: Signed) => Signed = (signed) => signed,
): Promise<ImageVerification> {
  const { store, image } = await imageStore()
  const { descriptor } = image.manifest
  const { bundle, payload, annotations } = change(await signKeyless(sigstore, descriptor.digest, options))
  await attach(store, descriptor.digest, [{ payload, annotations }])
  await refer(store, descriptor, [bundle])
  return verifyImage(image, policy, { location: LOCATION, verifier: sigstoreVerifier() })
}

/** How each of the two forms came out: accepted, or the check that failed. */
function outcomes({ requirements }: ImageVerification): Record<string, string> {
  const [requirement] = requirements
  return Object.fromEntries(
    (requirement?.signatures ?? []).map(({ kind, accepted, checks }) => {
      const { check, message } = checks.at(-1) as SignatureCheck
      return [kind, accepted ? 'accepted' : `${check}: ${message}`]
    }),
  )
}

const ACCEPTED = { attachment: 'accepted', bundle: 'accepted' }
const both = (pattern: RegExp): object => ({
  attachment: expect.stringMatching(pattern),
  bundle: expect.stringMatching(pattern),
})

describe('with a trusted root', () => {
  const by = (identity: string | RegExp = EMAIL, issuer: string | RegExp = ISSUER, root = sigstore): Policy =>
    keylessPolicy({ trustedRoot: { data: utf8(root.trustedRoot) }, issuer, identity })

  test('an e-mail address, a URI, and expressions for them', async () => {
    const email = await judge(by())
    expect(outcomes(email)).toEqual(ACCEPTED)
    expect(email.requirements[0]?.signatures[0]?.checks.map(({ check }) => check)).toEqual([
      ...['certificate', 'log', 'signature', 'signer', 'digest', 'identity'],
    ])
    expect(outcomes(await judge(by(URI), { uri: URI }))).toEqual(ACCEPTED)
    expect(outcomes(await judge(by(/https:\/\/ci\.example\/.*/, /https:.*/), { uri: URI }))).toEqual(ACCEPTED)
  })

  test('an authority below the root', async () => {
    expect(outcomes(await judge(by(), { byIntermediate: true }))).toEqual(ACCEPTED)
  })

  test('a wrong identity, and one that only contains the right one', async () => {
    expect(outcomes(await judge(by('somebody@example.com')))).toEqual(both(/^signer: the signer is builder@/))
    expect(outcomes(await judge(by(/ci\.example/), { uri: URI }))).toEqual(both(/^signer: /))
  })

  test('a wrong issuer', async () => {
    const verification = await judge(by(EMAIL, 'https://else.example'))
    expect(outcomes(verification)).toEqual(both(/^signer: https:\/\/issuer\.example vouches/))
    expect(verification.requirements[0]).toMatchObject({ met: false, code: 'SIGNATURE_INVALID' })
  })

  test('a certificate that had expired when the log saw the signature', async () => {
    expect(outcomes(await judge(by(), { delay: 11 }))).toEqual(both(/^certificate: .*(expired|valid)/))
    expect(outcomes(await judge(by(), { delay: -1 }))).toEqual(both(/^certificate: /))
  })

  test('an authority or a log that is not trusted', async () => {
    expect(outcomes(await judge(by(EMAIL, ISSUER, other)))).toEqual(both(/^certificate: /))
    const mixed = { ...JSON.parse(sigstore.trustedRoot), tlogs: JSON.parse(other.trustedRoot).tlogs }
    const root = { ...sigstore, trustedRoot: JSON.stringify(mixed) }
    expect(outcomes(await judge(by(EMAIL, ISSUER, root)))).toEqual(both(/^log: /))
  })

  test('a certificate that the log of certificates has not seen', async () => {
    expect(outcomes(await judge(by(), { sct: false }))).toEqual(both(/^certificate: expected 1 SCTs, got 0/))
    const mixed = { ...JSON.parse(sigstore.trustedRoot), ctlogs: JSON.parse(other.trustedRoot).ctlogs }
    const root = { ...sigstore, trustedRoot: JSON.stringify(mixed) }
    expect(outcomes(await judge(by(EMAIL, ISSUER, root)))).toEqual(
      both(/^certificate: SCT verification failed/),
    )
  })

  test('a certificate for web servers', async () => {
    const verification = await judge(by(), { usage: '1.3.6.1.5.5.7.3.1' })
    expect(outcomes(verification)).toEqual(
      both(/^certificate: the certificate is not for the signing of code/),
    )
  })

  test('a signature that no log knows, and a time without the promise that vouches for it', async () => {
    const REKOR = 'dev.sigstore.cosign/bundle'
    const unlogged = await judge(
      by(),
      {},
      ({ annotations: { [REKOR]: _, ...annotations }, bundle, payload }) => ({
        annotations,
        payload,
        bundle: edit(bundle, (material) => ({ ...material, tlogEntries: [] })),
      }),
    )
    expect(outcomes(unlogged)).toEqual(both(/^log: expected 1 timestamps, got 0/))
    const unpromised = await judge(by(), {}, (signed) => ({
      ...signed,
      bundle: edit(signed.bundle, (material) => ({
        ...material,
        tlogEntries: (material.tlogEntries as object[]).map((each) => ({
          ...each,
          inclusionPromise: undefined,
        })),
      })),
    }))
    expect(outcomes(unpromised)).toMatchObject({
      bundle: 'log: expected 1 timestamps, got 0',
      attachment: 'accepted',
    })
  })

  test('an entry whose time was changed', async () => {
    const verification = await judge(by(), {}, (signed) => ({
      ...signed,
      annotations: Object.fromEntries(
        Object.entries(signed.annotations).map(([name, value]) => [
          name,
          value.replace(/"integratedTime":(\d+)/, (_, time) => `"integratedTime":${Number(time) + 1}`),
        ]),
      ),
      bundle: edit(signed.bundle, (material) => ({
        ...material,
        tlogEntries: (material.tlogEntries as { integratedTime: string }[]).map((each) => ({
          ...each,
          integratedTime: String(Number(each.integratedTime) + 1),
        })),
      })),
    }))
    expect(outcomes(verification)).toEqual(both(/^log: inclusion promise could not be verified/))
  })

  test('a checkpoint whose name is an expression that never ends', async () => {
    const verification = await judge(by(), {}, (signed) => ({
      ...signed,
      bundle: JSON.parse(JSON.stringify(signed.bundle).replaceAll('— rekor.example', '— (x+x+)+y')),
    }))
    expect(outcomes(verification).bundle).toMatch(/^format: a checkpoint is signed by "\(x\+x\+\)\+y"/)
  })

  test('a signature by a key has no certificate', async () => {
    const verification = await judge(by(), {}, (signed) => ({
      ...signed,
      bundle: edit(signed.bundle, ({ tlogEntries }) => ({ tlogEntries, publicKey: { hint: '' } })),
    }))
    expect(outcomes(verification).bundle).toBe('certificate: it was made by a key, not with a certificate')
  })
})

describe('with fulcio in a policy.json', () => {
  const by = (changes: object = {}, from = sigstore): Policy => ({
    default: [
      {
        type: 'sigstoreSigned',
        trust: {
          type: 'fulcio',
          ca: { data: utf8(from.root) },
          oidcIssuer: ISSUER,
          subjectEmail: EMAIL,
          rekorKeys: [{ data: utf8(from.rekorKey) }],
          ...changes,
        },
      },
    ],
    transports: {},
  })

  test('the address, directly and by an authority that came along', async () => {
    expect(outcomes(await judge(by()))).toEqual(ACCEPTED)
    const below = outcomes(await judge(by(), { byIntermediate: true }))
    // A bundle of today brings the leaf alone; the file of the policy has to hold what is between.
    expect(below).toEqual({ attachment: 'accepted', bundle: expect.stringMatching(/^certificate: .* root/) })
    const ca = { data: utf8(`${sigstore.root}\n${sigstore.intermediate}`) }
    expect(outcomes(await judge(by({ ca }), { byIntermediate: true }))).toEqual(ACCEPTED)
  })

  test.each<[string, object, RegExp]>([
    ['wrong address', { subjectEmail: 'somebody@example.com' }, /^signer: the signer is builder@example.com/],
    ['wrong issuer', { oidcIssuer: 'https://else.example' }, /^signer: https:\/\/issuer.example vouches/],
  ])('%s', async (_, changes, pattern) => {
    expect(outcomes(await judge(by(changes)))).toEqual(both(pattern))
  })

  test('a URI that reads like the address is none', async () => {
    expect(outcomes(await judge(by(), { uri: EMAIL }))).toEqual(
      both(/^signer: the signer is no e-mail address/),
    )
  })

  test('an authority, a log or a time that is not trusted', async () => {
    expect(outcomes(await judge(by({ ca: { data: utf8(other.root) } })))).toEqual(
      both(/^certificate: .*trusted root/),
    )
    expect(outcomes(await judge(by({ rekorKeys: [{ data: utf8(other.rekorKey) }] })))).toEqual(both(/^log: /))
    expect(outcomes(await judge(by(), { delay: 11 }))).toEqual(both(/^certificate: .*valid/))
    expect(outcomes(await judge(by(), { usage: '1.3.6.1.5.5.7.3.1' }))).toEqual(
      both(/not for the signing of code/),
    )
  })
})

function edit(
  bundle: Record<string, unknown>,
  change: (material: Record<string, unknown>) => object,
): Record<string, unknown> {
  return { ...bundle, verificationMaterial: change(bundle.verificationMaterial as Record<string, unknown>) }
}
