import { TrustedRoot } from '@sigstore/protobuf-specs'
import { type TrustMaterial, toTrustMaterial, Verifier } from '@sigstore/verify'
import type { IdentityPattern, SignatureTrust, TrustSource } from '../policy/types.ts'
import type { SignatureCheck } from '../verify/verifier.ts'
import { isForCodeSigning, readIdentity } from './certificate.ts'
import { runChecks } from './check.ts'
import { isEntryOf } from './log-entry.ts'
import type { ReadBundle } from './signed-entity.ts'
import { readJson, unusable } from './trust-source.ts'

/**
 * What cosign checks without a key: the certificate's chain, its entry in a log of certificates, the entry of
 * the signature in a log or a time stamp, and whom the certificate is for. A kind of service of which the
 * root lists none is not asked for.
 */
export async function verifyByTrustedRoot(
  { entity, certificates }: ReadBundle,
  trust: Extract<SignatureTrust, { type: 'trusted-root' }>,
): Promise<readonly SignatureCheck[]> {
  const material = await readMaterial(trust.trustedRoot)
  const [leaf] = certificates
  if (!leaf)
    return [{ check: 'certificate', passed: false, message: 'it was made by a key, not with a certificate' }]
  const hasLog = material.tlogs.length > 0
  const tlogEntries = hasLog ? entity.tlogEntries : []
  // The time in an entry is signed by the log's promise and by nothing else, its proof included.
  const timestamps = entity.timestamps.filter(
    (each) =>
      each.$case === 'timestamp-authority' || (hasLog && each.tlogEntry.inclusionPromise !== undefined),
  )
  return runChecks([
    [
      'certificate',
      () => {
        const verifier = new Verifier(material, {
          tlogThreshold: hasLog ? 1 : 0,
          ctlogThreshold: material.ctlogs.length > 0 ? 1 : 0,
          timestampThreshold: 1,
        })
        const { key } = verifier.verify({ ...entity, timestamps, tlogEntries })
        if (!tlogEntries.every((entry) => isEntryOf(entry, key)))
          throw new Error('the log has it for another key')
        if (!isForCodeSigning(leaf)) throw new Error('the certificate is not for the signing of code')
        return 'the certificate leads to a trusted authority'
      },
    ],
    ['log', () => `${tlogEntries.length} entries in trusted logs, ${timestamps.length} times vouched for`],
    ['signature', () => 'the key of the certificate made it'],
    [
      'signer',
      () => {
        const { issuer, email, uri, userName } = readIdentity(leaf)
        const names = [email, uri, userName].filter((name) => name !== undefined)
        if (!matches(trust.issuer, issuer))
          throw new Error(`${issuer} vouches for the signer, not ${trust.issuer}`)
        const name = names.find((each) => matches(trust.identity, each))
        if (name === undefined)
          throw new Error(`the signer is ${names.join(', ') || 'nobody'}, not ${trust.identity}`)
        return `the signer is ${name}, by ${issuer}`
      },
    ],
  ])
}

async function readMaterial(source: TrustSource): Promise<TrustMaterial> {
  const json = await readJson(source)
  try {
    const root = TrustedRoot.fromJSON(json)
    if (root.certificateAuthorities.length === 0) throw new Error('it names no certificate authority')
    return toTrustMaterial(root)
  } catch (error) {
    throw unusable(source, `it is not a trusted root of sigstore: ${(error as Error).message}`)
  }
}

/** An expression has to fit the whole text, so that `example.com` in a longer name is not enough. */
function matches(pattern: IdentityPattern, text: string): boolean {
  if (typeof pattern === 'string') return pattern === text
  return new RegExp(`^(?:${pattern.source})$`, pattern.flags.replace(/[gy]/g, '')).test(text)
}
