import { createPublicKey } from 'node:crypto'
import { Verifier } from '@sigstore/verify'
import type { SignatureTrust } from '../policy/types.ts'
import type { SignatureCheck } from '../verify/verifier.ts'
import { followChain, isForCodeSigning, readIdentity } from './certificate.ts'
import { runChecks } from './check.ts'
import { isEntryOf, logOf, promisedEntries } from './log-entry.ts'
import type { ReadBundle } from './signed-entity.ts'
import { readCertificates, readPublicKey } from './trust-source.ts'

/**
 * What podman checks for `fulcio` in a policy.json: the certificate leads to the authority and was valid when
 * a trusted log saw the signature, and it is for the one e-mail address. The policy names no log of
 * certificates, so their time stamps (SCT) are not looked at.
 */
export async function verifyByFulcio(
  { entity, certificates }: ReadBundle,
  trust: Extract<SignatureTrust, { type: 'fulcio' }>,
): Promise<readonly SignatureCheck[]> {
  const roots = await readCertificates(trust.ca)
  const logs = await Promise.all(trust.rekorKeys.map(readPublicKey))
  const [leaf, ...intermediates] = certificates
  if (!leaf)
    return [{ check: 'certificate', passed: false, message: 'it was made by a key, not with a certificate' }]
  const entries = promisedEntries(entity.tlogEntries)
  return runChecks([
    [
      'log',
      () => {
        const key = createPublicKey({ key: leaf.publicKey, format: 'der', type: 'spki' })
        const material: ConstructorParameters<typeof Verifier>[0] = {
          certificateAuthorities: [],
          timestampAuthorities: [],
          tlogs: logs.map(logOf),
          ctlogs: [],
          publicKey: () => ({ publicKey: key, validFor: (date) => leaf.validForDate(date) }),
        }
        const timestamps = entries.map((tlogEntry) => ({ $case: 'transparency-log', tlogEntry }) as const)
        const thresholds = { tlogThreshold: 1, ctlogThreshold: 0, timestampThreshold: 1 }
        const signer = { $case: 'public-key', hint: '' } as const
        new Verifier(material, thresholds).verify({
          ...entity,
          key: signer,
          timestamps,
          tlogEntries: entries,
        })
        if (!entries.every((entry) => isEntryOf(entry, key)))
          throw new Error('the log has it for another key')
        return 'a trusted log knows it'
      },
    ],
    ['signature', () => 'the key of the certificate made it'],
    [
      'certificate',
      () => {
        const moments = entries.map(({ integratedTime }) => new Date(Number(integratedTime) * 1000))
        const reason = followChain(leaf, intermediates, roots, moments)
        if (reason !== undefined) throw new Error(reason)
        if (!isForCodeSigning(leaf)) throw new Error('the certificate is not for the signing of code')
        return 'the certificate leads to the trusted authority'
      },
    ],
    [
      'signer',
      () => {
        const { issuer, email } = readIdentity(leaf)
        if (issuer !== trust.oidcIssuer)
          throw new Error(`${issuer} vouches for the signer, not ${trust.oidcIssuer}`)
        if (email !== trust.subjectEmail) {
          throw new Error(`the signer is ${email ?? 'no e-mail address'}, not ${trust.subjectEmail}`)
        }
        return `the signer is ${email}, by ${issuer}`
      },
    ],
  ])
}
