import type { Digest, Reference } from '@bootable/oci'
import type { FoundSignature } from '../find/signature.ts'
import type { Claim } from '../payload/claim.ts'
import { compareIdentity } from '../policy/signed-identity.ts'
import type { SigstoreRequirement } from '../policy/types.ts'
import type { SignatureCheck, SignatureVerifier } from './verifier.ts'

/** What one signature is worth to one requirement. */
export interface JudgedSignature {
  readonly kind: FoundSignature['kind']
  /** Of its payload or bundle. */
  readonly digest: Digest
  /** The manifest beside which it was found: the image's, or that of an index that holds it. */
  readonly subject: Digest
  readonly accepted: boolean
  /** In the order in which they were made; the first that failed is the last. */
  readonly checks: readonly SignatureCheck[]
}

/** Who signed is found out first; only then is what they say looked at. */
export async function judgeSignature(
  { kind, digest, subject, content }: FoundSignature,
  requirement: SigstoreRequirement,
  wanted: Reference | undefined,
  verifier: SignatureVerifier,
): Promise<JudgedSignature> {
  const checks: SignatureCheck[] = []
  const judged = (): JudgedSignature => ({
    kind,
    digest,
    subject,
    accepted: checks.every(({ passed }) => passed),
    checks,
  })
  if ('reason' in content) {
    checks.push({ check: 'format', passed: false, message: content.reason })
    return judged()
  }
  checks.push(...(await verifier.verify(content.signed, requirement.trust)))
  if (!judged().accepted) return judged()
  if ('reason' in content.claim) {
    checks.push({ check: 'format', passed: false, message: content.claim.reason })
    return judged()
  }
  const { claim } = content.claim
  checks.push(checkDigest(claim, subject))
  if (judged().accepted) checks.push(checkIdentity(claim, requirement, wanted))
  return judged()
}

function checkDigest({ digests }: Claim, subject: Digest): SignatureCheck {
  const passed = digests.includes(subject)
  const named = digests.slice(0, 3).join(', ') || 'nothing that is known'
  const message = passed ? `it is for ${subject}` : `it is for ${named}, not for ${subject}`
  return { check: 'digest', passed, message }
}

/**
 * Bundles of cosign 3 hold no name. Where the policy leaves `signedIdentity` out, the digest is enough for
 * them; where it says what the name has to be, they cannot say that it is.
 */
function checkIdentity(
  { reference }: Claim,
  { signedIdentity }: SigstoreRequirement,
  wanted: Reference | undefined,
): SignatureCheck {
  if (reference === undefined) {
    const isAsked = signedIdentity !== undefined && signedIdentity.type !== 'matchAny'
    const message = isAsked
      ? `it names no image, but the policy asks for ${signedIdentity.type}`
      : 'it names no image: the digest is enough'
    return { check: 'identity', passed: !isAsked, message }
  }
  const reason = compareIdentity(signedIdentity ?? { type: 'matchRepoDigestOrExact' }, reference, wanted)
  return { check: 'identity', passed: reason === undefined, message: reason ?? `it is for ${reference}` }
}
