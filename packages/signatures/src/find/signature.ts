import type { Digest } from '@bootable/oci'
import type { ParsedClaim } from '../payload/claim.ts'
import type { SignedBundle } from '../verify/verifier.ts'

/** A signature as it was found, nothing of it believed yet. */
export interface FoundSignature {
  /** An attachment of cosign up to 2 (`sha256-….sig`), or a bundle that refers to the image. */
  readonly kind: 'attachment' | 'bundle'
  /** Of its payload or bundle. */
  readonly digest: Digest
  /** The manifest beside which it was found. */
  readonly subject: Digest
  readonly content:
    | { readonly signed: SignedBundle; readonly claim: ParsedClaim }
    /** What made it unreadable. */
    | { readonly reason: string }
}
