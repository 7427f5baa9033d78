/** Bytes of a key, a certificate or a trusted root: a file, or the content itself. */
export type TrustSource = { readonly path: string } | { readonly data: Uint8Array }

/** What an identity in a certificate has to be: the same text, or a text that the whole expression fits. */
export type IdentityPattern = string | RegExp

/** Whom a `sigstoreSigned` requirement trusts. */
export type SignatureTrust =
  /** Public keys, any of which is enough: `keyPath`, `keyPaths`, `keyData`, `keyDatas`. */
  | {
      readonly type: 'keys'
      readonly keys: readonly TrustSource[]
      /** Where given, one of these logs must have promised to include the signature. */
      readonly rekorKeys?: readonly TrustSource[]
    }
  /** Certificates of a Fulcio for one e-mail address, at the time that a Rekor vouches for. */
  | {
      readonly type: 'fulcio'
      /** PEM with one or more root certificates. */
      readonly ca: TrustSource
      readonly oidcIssuer: string
      readonly subjectEmail: string
      readonly rekorKeys: readonly TrustSource[]
    }
  /** What `cosign verify --trusted-root` checks. A policy.json cannot say it; `keylessPolicy` does. */
  | {
      readonly type: 'trusted-root'
      /** `TrustedRoot` of sigstore's protobuf-specs, as JSON. */
      readonly trustedRoot: TrustSource
      /** Who vouched for the identity: the OIDC issuer in the certificate. */
      readonly issuer: IdentityPattern
      /** The e-mail address or URI that the certificate is for. */
      readonly identity: IdentityPattern
    }
  /** A PKI of one's own, which is not supported: the requirement fails. */
  | { readonly type: 'pki' }

/** What the name inside of a signature has to be: `signedIdentity` of containers-policy.json(5). */
export type SignedIdentity =
  | { readonly type: 'matchExact' }
  | { readonly type: 'matchRepoDigestOrExact' }
  | { readonly type: 'matchRepository' }
  | { readonly type: 'exactReference'; readonly dockerReference: string }
  | { readonly type: 'exactRepository'; readonly dockerRepository: string }
  | { readonly type: 'remapIdentity'; readonly prefix: string; readonly signedPrefix: string }
  /** Any name will do, as for `cosign verify`. A policy.json cannot say it. */
  | { readonly type: 'matchAny' }

/** At least one signature by somebody trusted: `sigstoreSigned`. */
export interface SigstoreRequirement {
  readonly type: 'sigstoreSigned'
  readonly trust: SignatureTrust
  /** Left out, it is `matchRepoDigestOrExact` for signatures that hold a name. */
  readonly signedIdentity?: SignedIdentity
}

/** One entry of a list of containers-policy.json(5), every one of which has to be met. */
export type PolicyRequirement =
  | { readonly type: 'insecureAcceptAnything' }
  | { readonly type: 'reject' }
  /** Signatures by GPG, which cannot be checked here: the requirement fails. */
  | { readonly type: 'signedBy' | 'signedBaseLayer' }
  | SigstoreRequirement

/** What has to be so for an image to be used: containers-policy.json(5). */
export interface Policy {
  readonly default: readonly PolicyRequirement[]
  /** Requirements by transport and scope; the scope `''` is the default of its transport. */
  readonly transports: Readonly<Record<string, Readonly<Record<string, readonly PolicyRequirement[]>>>>
}
