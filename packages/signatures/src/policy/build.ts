import type { IdentityPattern, Policy, TrustSource } from './types.ts'

/**
 * A policy for every image: signed by one of these public keys, whatever name is signed, as
 * `cosign verify --key` has it.
 * @param options `rekorKeys`: where given, a log must have promised to include the signature
 */
export function keyPolicy(
  keys: readonly TrustSource[],
  options: { readonly rekorKeys?: readonly TrustSource[] } = {},
): Policy {
  const { rekorKeys } = options
  return {
    default: [
      {
        type: 'sigstoreSigned',
        trust: { type: 'keys', keys, ...(rekorKeys && { rekorKeys }) },
        signedIdentity: { type: 'matchAny' },
      },
    ],
    transports: {},
  }
}

/** Who must have signed: arguments of {@link keylessPolicy}. */
export interface KeylessOptions {
  /** `TrustedRoot` of sigstore's protobuf-specs, as JSON: certificate authorities, logs, time stampers. */
  readonly trustedRoot: TrustSource
  /** `--certificate-oidc-issuer`, or `-regexp` where it is an expression. */
  readonly issuer: IdentityPattern
  /** `--certificate-identity`, or `-regexp` where it is an expression. */
  readonly identity: IdentityPattern
}

/**
 * A policy for every image: signed with a certificate that was issued to this identity, as
 * `cosign verify --certificate-identity --certificate-oidc-issuer` has it.
 */
export function keylessPolicy(options: KeylessOptions): Policy {
  return {
    default: [
      {
        type: 'sigstoreSigned',
        trust: { type: 'trusted-root', ...options },
        signedIdentity: { type: 'matchAny' },
      },
    ],
    transports: {},
  }
}
