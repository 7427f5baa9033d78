import type { SignatureCheck, SignatureVerifier, SignedBundle } from '../verify/verifier.ts'
import { verifyByFulcio } from './by-fulcio.ts'
import { verifyByKeys } from './by-keys.ts'
import { verifyByTrustedRoot } from './by-trusted-root.ts'
import { failedCheck } from './check.ts'
import { type ReadBundle, readBundle } from './signed-entity.ts'

/**
 * The verifier of `verifyImage` and `enforcePolicy`: what sigstore's own libraries check, and what they leave
 * to their callers. Nothing is fetched; keys and roots are read from the files that the policy names.
 */
export function sigstoreVerifier(): SignatureVerifier {
  return {
    async verify(signature, trust) {
      const bundle = tryRead(signature)
      if ('failed' in bundle) return [bundle.failed]
      switch (trust.type) {
        case 'keys':
          return verifyByKeys(bundle, trust)
        case 'fulcio':
          return verifyByFulcio(bundle, trust)
        case 'trusted-root':
          return verifyByTrustedRoot(bundle, trust)
        case 'pki':
          return [{ check: 'certificate', passed: false, message: 'certificates of a pki are not supported' }]
      }
    },
  }
}

function tryRead(signature: SignedBundle): ReadBundle | { readonly failed: SignatureCheck } {
  try {
    return readBundle(signature)
  } catch (error) {
    return { failed: failedCheck(error, 'format') }
  }
}
