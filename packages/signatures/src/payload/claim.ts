import { decodeUtf8 } from '@bootable/bytes'
import { type Digest, isDigest } from '@bootable/oci'

/** What a signature says, once it is known who made it. */
export interface Claim {
  /** Digests of the manifests that it is for. */
  readonly digests: readonly Digest[]
  /** The name that it is for; bundles of cosign 3 hold none. */
  readonly reference?: string
}

/** What a payload claims, or why it claims nothing. */
export type ParsedClaim = { readonly claim: Claim } | { readonly reason: string }

/** The type of a payload by cosign: its specification of signatures, "Simple Signing". */
const SIMPLE_SIGNING_TYPE = 'cosign container image signature'

/** What the statement of `cosign sign` is about; other statements are attestations, not signatures. */
export const COSIGN_SIGN_PREDICATE = 'https://sigstore.dev/cosign/sign/v1'
/** Before in-toto 1.0 and since: `_type` of a statement. */
const STATEMENT_TYPES = ['https://in-toto.io/Statement/v0.1', 'https://in-toto.io/Statement/v1']
const MAX_SUBJECTS = 1000

/** The payload of an attached signature: containers-signature(5), "JSON Data Format". */
export function parseSimpleSigning(payload: Uint8Array): ParsedClaim {
  const root = fields(parse(payload), ['critical', 'optional'])
  const critical = fields(root?.critical, ['type', 'image', 'identity'])
  if (!critical) return { reason: 'the payload is not a simple signing document' }
  if (critical.type !== SIMPLE_SIGNING_TYPE) {
    return { reason: `the payload's type is not ${JSON.stringify(SIMPLE_SIGNING_TYPE)}` }
  }
  const digest = fields(critical.image, ['docker-manifest-digest'])?.['docker-manifest-digest']
  const reference = fields(critical.identity, ['docker-reference'])?.['docker-reference']
  if (!isDigest(digest)) return { reason: 'the payload names no manifest' }
  if (typeof reference !== 'string') return { reason: 'the payload names no image' }
  return { claim: { digests: [digest], reference } }
}

/**
 * The payload of a bundle by cosign 3: an in-toto statement. Statements about anything else, such as what
 * a scanner found, are not taken for a signature, whoever made them.
 */
export function parseStatement(payload: Uint8Array): ParsedClaim {
  const statement = fields(parse(payload))
  if (!statement || !STATEMENT_TYPES.includes(statement._type as string)) {
    return { reason: 'the payload is not an in-toto statement' }
  }
  if (statement.predicateType !== COSIGN_SIGN_PREDICATE) {
    const type = JSON.stringify(String(statement.predicateType).slice(0, 200))
    return { reason: `it is an attestation of the type ${type}, not a signature` }
  }
  const { subject } = statement
  if (!Array.isArray(subject) || subject.length === 0 || subject.length > MAX_SUBJECTS) {
    return { reason: 'the statement has no subject' }
  }
  const digests = subject.flatMap((each) =>
    Object.entries(fields(fields(each)?.digest) ?? {})
      .map(([algorithm, hex]) => `${algorithm}:${hex}`)
      .filter(isDigest),
  )
  const name = subject.length === 1 ? fields(subject[0])?.name : undefined
  return { claim: { digests, ...(typeof name === 'string' && name !== '' && { reference: name }) } }
}

function parse(payload: Uint8Array): unknown {
  try {
    return JSON.parse(decodeUtf8(payload) ?? '')
  } catch {
    return undefined
  }
}

/** The fields of an object, if it has no others than the ones that are known. */
function fields(value: unknown, known?: readonly string[]): Record<string, unknown> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  if (known && Object.keys(value).some((name) => !known.includes(name))) return undefined
  return value as Record<string, unknown>
}
