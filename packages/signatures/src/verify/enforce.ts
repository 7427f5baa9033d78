import { BootableError } from '@bootable/bytes'
import type { SignaturesErrorCode } from '../errors.ts'
import type { SignedImage } from '../find/subjects.ts'
import type { Policy } from '../policy/types.ts'
import { type ImageVerification, type VerifyImageOptions, verifyImage } from './verify-image.ts'

/** What to do about each refusal. */
const HINTS: Partial<Record<SignaturesErrorCode, string>> = {
  POLICY_REJECTED: 'the policy has to name the registry or repository before its images may be used',
  POLICY_UNSUPPORTED: 'ask for a sigstoreSigned with keyPath or fulcio instead',
  SIGNATURE_REQUIRED:
    'sign it, for instance with "cosign sign --key"; a copy may have left its signatures behind',
  SIGNATURE_INVALID:
    'either the image is not the one that was signed, or the policy names others than those who signed it',
}

/**
 * Refuses an image that a policy does not accept: {@link verifyImage}, with an error for its no.
 *
 * @returns what was found out about an image that is accepted
 * @throws BootableError `POLICY_REJECTED`, `POLICY_UNSUPPORTED`, `SIGNATURE_REQUIRED`, `SIGNATURE_INVALID`,
 *   with the whole {@link ImageVerification} as `details.verification`; those of the store
 */
export async function enforcePolicy(
  image: SignedImage,
  policy: Policy,
  options: VerifyImageOptions,
): Promise<ImageVerification> {
  const verification = await verifyImage(image, policy, options)
  if (verification.accepted) return verification
  const { digest, scope, requirements } = verification
  const failed = requirements.find(({ met }) => !met)
  const code = failed?.code ?? 'POLICY_REJECTED'
  const hint = HINTS[code]
  throw new BootableError<SignaturesErrorCode>(
    code,
    `the image ${digest} of ${image.store.name} is refused: ${failed?.message ?? 'the policy asks for nothing'}`,
    {
      details: { digest, store: image.store.name, scope, verification },
      ...(hint !== undefined && { hint }),
    },
  )
}
