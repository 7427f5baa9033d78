import { utf8 } from '@bootable/bytes'
import { openImage } from '@bootable/oci'
import { keylessPolicy, keyPolicy, type Policy, verifyImage } from '@bootable/signatures'
import { sigstoreVerifier } from '@bootable/signatures/node'
import { beforeAll, describe, expect, test } from 'vitest'
import { type CosignImages, openCosignImages, signByCosign } from '../../tooling/cosign-images.ts'
import { SUBJECT } from '../../tooling/fake-sigstore-server.ts'
import { findTool, oracle, run, temporaryFolder } from '../../tooling/oracles.ts'
import { ISSUER } from '../../tooling/signing.ts'

// Debian has no cosign and it is slow to build, so its absence is no failure: what it made of the same images
// is kept beside the unit tests.
const cosign = findTool('cosign')
if (!cosign) console.warn('tests skipped: cosign is not installed')

describe.runIf(cosign)('cosign', () => {
  oracle('docker-registry', () => {
    const folder = temporaryFolder()
    let images: CosignImages
    beforeAll(async () => {
      const help = await run('cosign', ['sign', '--help'])
      const isThree = help.stdout.includes('--use-signing-config=true')
      images = await signByCosign(folder, { [isThree ? 'bundling' : 'attaching']: cosign as string })
    })

    async function accepted(name: string, policy: Policy): Promise<boolean> {
      const image = await openImage(await openCosignImages(images), name)
      const reference = { host: 'registry.example', repository: 'machine', tag: name }
      const location = { transport: 'docker', reference } as const
      return (await verifyImage(image, policy, { location, verifier: sigstoreVerifier() })).accepted
    }
    const byKey = (name: string): Policy => keyPolicy([{ data: utf8(images.keys[name] as string) }])

    test.each(['p256', 'p384', 'rsa', 'index'])(
      'what it signs with a key of %s is good by that key alone',
      async (name) => {
        expect(await accepted(name, byKey(name))).toBe(true)
        expect(await accepted(name, byKey(name === 'rsa' ? 'p256' : 'rsa'))).toBe(false)
      },
    )

    test('what it signs without a key is good for its signer alone', async () => {
      const by = (identity: string): Policy =>
        keylessPolicy({ trustedRoot: { data: utf8(images.trustedRoot) }, issuer: ISSUER, identity })
      expect(await accepted('keyless', by(SUBJECT))).toBe(true)
      expect(await accepted('keyless', by('https://ci.example/else'))).toBe(false)
    })

    test('what it did not sign is not signed', async () => {
      expect(await accepted('inside', byKey('p256'))).toBe(false)
      expect(await accepted('attested', byKey('p256'))).toBe(false)
    })
  })
})
