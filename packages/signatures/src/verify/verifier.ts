import type { SignatureTrust } from '../policy/types.ts'

/** One thing that was looked at, and how that went. */
export interface SignatureCheck {
  readonly check: /** The signature as it lies in the store could be read. */
    | 'format'
    /** A trusted key or certificate made it. */
    | 'signature'
    /** The certificate leads to a trusted root and was valid when it was used. */
    | 'certificate'
    /** The certificate is for whom the policy names. */
    | 'signer'
    /** A trusted log knows the signature, or a trusted time stamper has seen it. */
    | 'log'
    /** It is for this image. */
    | 'digest'
    /** It is for the name that the policy wants. */
    | 'identity'
  readonly passed: boolean
  /** What was found, or what is wrong. */
  readonly message: string
}

/** A signature in the form in which all of them are verified. */
export interface SignedBundle {
  /** sigstore's bundle as JSON; older signatures are put into that form. */
  readonly bundle: unknown
  /** What a bundle of the `messageSignature` kind is made over; unused for a DSSE envelope. */
  readonly message: Uint8Array
}

/** Looks at one signature: the seam that `@bootable/signatures/node` fills with the sigstore libraries. */
export interface SignatureVerifier {
  /**
   * Every check up to the first that fails. Bad bytes in a signature are a failed check, not an error.
   * @throws BootableError `POLICY_UNREADABLE`, `POLICY_INVALID` for keys and certificates of the policy
   */
  verify(signature: SignedBundle, trust: SignatureTrust): Promise<readonly SignatureCheck[]>
}
