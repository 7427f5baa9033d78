import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { utf8 } from '@bootable/bytes'
import { parseReference } from '@bootable/oci'
import { type ImageLocation, type Policy, parsePolicy, verifyImage } from '@bootable/signatures'
import { defaultPolicyPaths, loadPolicy, sigstoreVerifier } from '@bootable/signatures/node'
import { describe, expect, test } from 'vitest'
import { temporaryFolder } from '../../../tooling/oracles.ts'
import { imageStore, LOCATION } from '../../../tooling/signing.ts'
import { findRequirements } from '../src/policy/scope.ts'
import { compareIdentity } from '../src/policy/signed-identity.ts'

const parse = (policy: unknown): Policy =>
  parsePolicy(utf8(typeof policy === 'string' ? policy : JSON.stringify(policy)))
const requirement = (fields: object): unknown => ({ default: [{ type: 'sigstoreSigned', ...fields }] })
const REJECT = [{ type: 'reject' }]

describe('parsePolicy', () => {
  test('reads what containers-policy.json(5) shows', () => {
    const policy = parse({
      default: [{ type: 'reject' }],
      transports: {
        docker: {
          'quay.io/fedora': [
            {
              type: 'sigstoreSigned',
              keyPath: '/etc/fedora.pub',
              signedIdentity: { type: 'matchRepository' },
            },
          ],
          '*.example.com': [
            {
              type: 'sigstoreSigned',
              fulcio: { caData: 'AAAA', oidcIssuer: 'https://issuer.example', subjectEmail: 'a@example.com' },
              rekorPublicKeyDatas: ['AAAA', 'AAAB'],
              signedIdentity: {
                type: 'remapIdentity',
                prefix: 'mirror.example',
                signedPrefix: 'quay.io/fedora',
              },
            },
          ],
          '': [{ type: 'signedBy', keyType: 'GPGKeys', keyPath: '/etc/key.gpg' }],
        },
        'containers-storage': { '': [{ type: 'insecureAcceptAnything' }] },
      },
    })
    expect(policy.transports.docker?.['quay.io/fedora']).toEqual([
      {
        type: 'sigstoreSigned',
        trust: { type: 'keys', keys: [{ path: '/etc/fedora.pub' }] },
        signedIdentity: { type: 'matchRepository' },
      },
    ])
    expect(policy.transports.docker?.['*.example.com']?.[0]).toMatchObject({
      trust: { type: 'fulcio', ca: { data: Uint8Array.of(0, 0, 0) }, rekorKeys: [{}, {}] },
    })
    expect(policy.transports.docker?.['']).toEqual([{ type: 'signedBy' }])
  })

  test.each<[string, unknown, RegExp]>([
    ['no JSON', '{', /not JSON/],
    ['no object', [], /not an object/],
    ['no default', { transports: {} }, /default: it is missing/],
    ['no requirement', { default: [] }, /at least one/],
    ['an unknown key', { default: REJECT, more: 1 }, /more: there is no such key/],
    [
      'a key twice',
      '{"default":[{"type":"reject"}],"default":[{"type":"insecureAcceptAnything"}]}',
      /default: it stands there twice/,
    ],
    [
      'a key twice in disguise',
      '{"default":[{"type":"reject","t\\u0079pe":"insecureAcceptAnything"}]}',
      /type: it stands there twice/,
    ],
    ['an unknown requirement', { default: [{ type: 'accept' }] }, /no such requirement/],
    [
      'a key that a requirement lacks',
      { default: [{ type: 'reject', keyPath: 'x' }] },
      /keyPath: there is no such key/,
    ],
    ['no key at all', requirement({}), /exactly one of keyPath/],
    ['two kinds of keys', requirement({ keyPath: 'a', keyData: 'AAAA' }), /only one may be given/],
    ['key and fulcio', requirement({ keyPath: 'a', fulcio: {}, rekorPublicKeyPath: 'r' }), /exactly one of/],
    ['an empty list of keys', requirement({ keyPaths: [] }), /at least one/],
    ['no base64', requirement({ keyData: '*' }), /not base64/],
    [
      'fulcio without a log',
      requirement({ fulcio: { caPath: 'a', oidcIssuer: 'i', subjectEmail: 'e' } }),
      /needs a rekorPublicKey/,
    ],
    [
      'fulcio without an address',
      requirement({ rekorPublicKeyPath: 'r', fulcio: { caPath: 'a', oidcIssuer: 'i' } }),
      /subjectEmail/,
    ],
    [
      'an unknown identity',
      requirement({ keyPath: 'a', signedIdentity: { type: 'matchAny' } }),
      /no such identity/,
    ],
    [
      'a reference without a tag',
      requirement({
        keyPath: 'a',
        signedIdentity: { type: 'exactReference', dockerReference: 'quay.io/a/b' },
      }),
      /needs a tag/,
    ],
    [
      'a repository with a tag',
      requirement({
        keyPath: 'a',
        signedIdentity: { type: 'exactRepository', dockerRepository: 'quay.io/a/b:1' },
      }),
      /not a repository/,
    ],
    [
      'a prefix that ends nowhere',
      requirement({
        keyPath: 'a',
        signedIdentity: { type: 'remapIdentity', prefix: 'quay.io/', signedPrefix: 'a.example' },
      }),
      /not the start of a name/,
    ],
  ])('refuses %s', (_, policy, pattern) => {
    expect(() => parse(policy)).toThrow(
      expect.objectContaining({ code: 'POLICY_INVALID', message: expect.stringMatching(pattern) }),
    )
  })
})

describe('scopes', () => {
  const at = (reference: string): ImageLocation => ({
    transport: 'docker',
    reference: parseReference(reference),
  })
  const SCOPES = [
    'quay.io/org/name:1',
    'quay.io/org/name',
    'quay.io/org',
    'quay.io',
    '*.io',
    '*.example.com',
    'host.example.com:5000',
    '',
  ]
  const policyOf = (scopes: readonly string[], transport = 'docker'): Policy =>
    parse({
      default: REJECT,
      transports: { [transport]: Object.fromEntries(scopes.map((scope) => [scope, REJECT])) },
    })

  test.each<[string, readonly string[]]>([
    ['quay.io/org/name:1', ['quay.io/org/name:1', 'quay.io/org/name', 'quay.io/org', 'quay.io', '*.io', '']],
    ['quay.io/org/name', ['quay.io/org/name', 'quay.io/org', 'quay.io', '*.io', '']],
    ['quay.io/organisation/name', ['quay.io', '*.io', '']],
    ['host.example.com:5000/name', ['host.example.com:5000', '*.example.com', '']],
    ['debian', ['*.io', '']],
  ])('%s: the most specific one that is there', (reference, expected) => {
    const left = [...SCOPES]
    for (const scope of expected) {
      const { scope: found } = findRequirements(policyOf(left), at(reference))
      expect(found).toBe(`docker: ${scope || 'every image'}`)
      left.splice(left.indexOf(scope), 1)
    }
    expect(findRequirements(policyOf(left), at(reference)).scope).toBe('default')
  })

  test('folders above a layout; other transports have scopes of their own', () => {
    const layout = { transport: 'oci', path: '/srv/images/machine' }
    expect(findRequirements(policyOf(['/srv/images', '/srv'], 'oci'), layout).scope).toBe('oci: /srv/images')
    expect(findRequirements(policyOf(['/srv/image'], 'oci'), layout).scope).toBe('default')
    expect(findRequirements(policyOf(['/srv'], 'docker'), layout).scope).toBe('default')
    const archive = { transport: 'docker-archive', path: '/srv/a.tar' }
    expect(findRequirements(policyOf(['/srv/a.tar', ''], 'docker-archive'), archive).scope).toBe(
      'docker-archive: every image',
    )
  })

  test.each(['containers-storage', 'docker-daemon'] as const)('of %s is not guessed', (transport) => {
    expect(findRequirements(policyOf([], transport), { transport }).scope).toBe('default')
    expect(findRequirements(policyOf([''], transport), { transport }).scope).toBe(`${transport}: every image`)
    expect(() => findRequirements(policyOf(['quay.io/a/b'], transport), { transport })).toThrow(
      expect.objectContaining({ code: 'POLICY_UNSUPPORTED' }),
    )
  })
})

describe('signedIdentity', () => {
  const exact = 'quay.io/org/name:1'
  test.each<[Parameters<typeof compareIdentity>[0], string, string, boolean]>([
    [{ type: 'matchExact' }, exact, exact, true],
    [{ type: 'matchExact' }, 'quay.io/org/name:2', exact, false],
    [{ type: 'matchExact' }, 'quay.io/org/name', exact, false],
    [{ type: 'matchExact' }, 'docker.io/library/debian:12', 'debian:12', true],
    [{ type: 'matchRepository' }, 'quay.io/org/name', exact, true],
    [{ type: 'matchRepository' }, 'quay.io/org/name2', exact, false],
    [{ type: 'matchRepoDigestOrExact' }, exact, exact, true],
    [{ type: 'matchRepoDigestOrExact' }, 'quay.io/org/name', exact, false],
    [
      { type: 'matchRepoDigestOrExact' },
      'quay.io/org/name:9',
      `quay.io/org/name@sha256:${'a'.repeat(64)}`,
      true,
    ],
    [
      { type: 'matchRepoDigestOrExact' },
      'quay.io/org/else:9',
      `quay.io/org/name@sha256:${'a'.repeat(64)}`,
      false,
    ],
    [{ type: 'exactReference', dockerReference: exact }, exact, 'mirror.example/x:7', true],
    [{ type: 'exactReference', dockerReference: exact }, 'quay.io/org/name:2', exact, false],
    [
      { type: 'exactRepository', dockerRepository: 'quay.io/org/name' },
      'quay.io/org/name:3',
      'mirror.example/x',
      true,
    ],
    [
      { type: 'remapIdentity', prefix: 'mirror.example', signedPrefix: 'quay.io/org' },
      exact,
      'mirror.example/name:1',
      true,
    ],
    [
      { type: 'remapIdentity', prefix: 'mirror.example/a', signedPrefix: 'quay.io' },
      exact,
      'mirror.example/ab:1',
      false,
    ],
    [
      { type: 'remapIdentity', prefix: 'mirror.example/a', signedPrefix: 'quay.io/org/name' },
      exact,
      'mirror.example/a:1',
      true,
    ],
    [{ type: 'matchExact' }, 'NO IMAGE', exact, false],
  ])('%j: %s for %s: %s', (rule, signed, wanted, accepted) => {
    expect(compareIdentity(rule, signed, parseReference(wanted)) === undefined).toBe(accepted)
  })

  test('an image in files has no name', () => {
    expect(compareIdentity({ type: 'matchRepository' }, exact, undefined)).toMatch(/has no name/)
    expect(
      compareIdentity({ type: 'exactReference', dockerReference: exact }, exact, undefined),
    ).toBeUndefined()
  })
})

describe('requirements that need no signature', () => {
  const verifier = sigstoreVerifier()
  const verdict = async (requirements: object[]) => {
    const { image } = await imageStore()
    return verifyImage(image, parse({ default: requirements }), { location: LOCATION, verifier })
  }

  test('accept, reject, and what cannot be checked', async () => {
    expect(await verdict([{ type: 'insecureAcceptAnything' }])).toMatchObject({ accepted: true })
    expect(await verdict(REJECT)).toMatchObject({
      accepted: false,
      requirements: [{ code: 'POLICY_REJECTED' }],
    })
    expect(await verdict([{ type: 'insecureAcceptAnything' }, ...REJECT])).toMatchObject({ accepted: false })
    expect(await verdict([{ type: 'signedBy', keyType: 'GPGKeys', keyPath: '/k' }])).toMatchObject({
      accepted: false,
      requirements: [{ code: 'POLICY_UNSUPPORTED', message: expect.stringContaining('signedBy') }],
    })
    expect(
      await verdict([{ type: 'sigstoreSigned', pki: { caRootsPath: '/ca', subjectEmail: 'a@b.example' } }]),
    ).toMatchObject({
      accepted: false,
      requirements: [{ code: 'POLICY_UNSUPPORTED', message: expect.stringContaining('pki') }],
    })
    const { image } = await imageStore()
    const empty = { default: [], transports: {} }
    expect(await verifyImage(image, empty, { location: LOCATION, verifier })).toMatchObject({
      accepted: false,
    })
  })
})

describe('loadPolicy', () => {
  const folder = temporaryFolder()

  test('reads a file, names it in its errors, and knows where the host has one', async () => {
    const path = join(folder, 'policy.json')
    await writeFile(path, JSON.stringify({ default: REJECT }))
    expect(await loadPolicy(path)).toEqual({ default: REJECT, transports: Object.create(null) })
    await symlink(path, join(folder, 'link.json'))
    expect((await loadPolicy(join(folder, 'link.json'))).default).toEqual(REJECT)
    await writeFile(path, '{"default":[]}')
    await expect(loadPolicy(path)).rejects.toMatchObject({ code: 'POLICY_INVALID', details: { file: path } })
    await expect(loadPolicy(join(folder, 'none'))).rejects.toMatchObject({ code: 'POLICY_UNREADABLE' })
    expect(defaultPolicyPaths('/home/u')).toEqual([
      '/home/u/.config/containers/policy.json',
      '/etc/containers/policy.json',
    ])
  })
})
