import type { OperationOptions } from '@bootable/bytes'
import type { Digest } from '@bootable/oci'
import type { SignaturesErrorCode } from '../errors.ts'
import { findSignatures } from '../find/find-signatures.ts'
import type { FoundSignature } from '../find/signature.ts'
import type { SignedImage } from '../find/subjects.ts'
import { findRequirements, type ImageLocation, referenceOf } from '../policy/scope.ts'
import type { Policy, PolicyRequirement } from '../policy/types.ts'
import { type JudgedSignature, judgeSignature } from './judge.ts'
import type { SignatureVerifier } from './verifier.ts'

/** Options of {@link verifyImage}. */
export interface VerifyImageOptions extends OperationOptions {
  /** Where the image comes from: it decides which part of the policy applies, and what name is signed. */
  readonly location: ImageLocation
  /** `sigstoreVerifier()` of `@bootable/signatures/node`. */
  readonly verifier: SignatureVerifier
}

/** How one requirement of a policy came out. */
export interface RequirementResult {
  readonly type: PolicyRequirement['type']
  readonly met: boolean
  /** Where it is not met. */
  readonly code?: SignaturesErrorCode
  /** One sentence on why it is met or not. */
  readonly message: string
  /** Every signature that was looked at for it. */
  readonly signatures: readonly JudgedSignature[]
}

/** What a policy says of an image. */
export interface ImageVerification {
  /** Every requirement is met. */
  readonly accepted: boolean
  /** Of the image's manifest. */
  readonly digest: Digest
  /** The part of the policy that applied: `default`, or transport and scope. */
  readonly scope: string
  readonly requirements: readonly RequirementResult[]
}

/**
 * Asks a policy about an image. Only manifests and signatures are fetched, and those only where a requirement
 * needs them. Every requirement of the list that applies has to be met; one good signature meets one.
 *
 * @throws BootableError of the store. What the policy refuses is a result, not an error: see `enforcePolicy`
 */
export async function verifyImage(
  image: SignedImage,
  policy: Policy,
  options: VerifyImageOptions,
): Promise<ImageVerification> {
  const { location, verifier, signal } = options
  const { requirements, scope } = findRequirements(policy, location)
  let finding: Promise<readonly FoundSignature[]> | undefined
  const results: RequirementResult[] = []
  for (const requirement of requirements) {
    signal?.throwIfAborted()
    if (requirement.type !== 'sigstoreSigned') {
      results.push(withoutSignatures(requirement.type))
      continue
    }
    finding ??= findSignatures(image, signal ? { signal } : {})
    const signatures: JudgedSignature[] = []
    for (const found of await finding) {
      signatures.push(await judgeSignature(found, requirement, referenceOf(location), verifier))
    }
    results.push(requirementResult(requirement.trust.type, signatures))
  }
  // A list is never empty in a policy that was parsed; one that was made by hand must not accept by that.
  const accepted = results.length > 0 && results.every(({ met }) => met)
  return { accepted, digest: image.manifest.descriptor.digest, scope, requirements: results }
}

function withoutSignatures(type: Exclude<PolicyRequirement['type'], 'sigstoreSigned'>): RequirementResult {
  const common = { type, signatures: [] }
  switch (type) {
    case 'insecureAcceptAnything':
      return { ...common, met: true, message: 'the policy accepts anything' }
    case 'reject':
      return { ...common, met: false, code: 'POLICY_REJECTED', message: 'the policy rejects it' }
    case 'signedBy':
    case 'signedBaseLayer':
      return {
        ...common,
        met: false,
        code: 'POLICY_UNSUPPORTED',
        message: `the policy asks for ${type}, which cannot be checked here`,
      }
  }
}

function requirementResult(trust: string, signatures: readonly JudgedSignature[]): RequirementResult {
  const common = { type: 'sigstoreSigned', signatures } as const
  if (trust === 'pki') {
    const message = 'the policy asks for a PKI of its own (pki), which cannot be checked here'
    return { ...common, met: false, code: 'POLICY_UNSUPPORTED', message }
  }
  const good = signatures.filter(({ accepted }) => accepted).length
  if (good > 0)
    return { ...common, met: true, message: `${good} of ${signatures.length} signatures are good` }
  if (signatures.length === 0) {
    return { ...common, met: false, code: 'SIGNATURE_REQUIRED', message: 'it is not signed' }
  }
  const reasons = new Set(signatures.map(({ checks }) => checks.at(-1)?.message ?? ''))
  const some = [...reasons].slice(0, 3).join('; ')
  const message = `none of its ${signatures.length} signatures is accepted: ${some}`
  return { ...common, met: false, code: 'SIGNATURE_INVALID', message }
}
