import { decodeUtf8 } from '@bootable/bytes'
import { type Annotations, type Digest, splitDigest } from '@bootable/oci'
import { decodeBase64, encodeBase64 } from '../payload/base64.ts'

// The keys of cosign's specification of signatures, "Properties".
const SIGNATURE = 'dev.cosignproject.cosign/signature'
const CERTIFICATE = 'dev.sigstore.cosign/certificate'
const CHAIN = 'dev.sigstore.cosign/chain'
const REKOR_BUNDLE = 'dev.sigstore.cosign/bundle'
const TIMESTAMP = 'dev.sigstore.cosign/rfc3161timestamp'

/** The oldest form of a bundle: the only one in which the log's promise is enough without its proof. */
const BUNDLE_V01 = 'application/vnd.dev.sigstore.bundle+json;version=0.1'

/**
 * The annotations of an attached signature as a bundle of sigstore, so that one verifier serves both.
 * @param digest of the payload, which is what was signed
 */
export function attachedBundle(
  annotations: Annotations,
  digest: Digest,
): { readonly bundle: unknown } | { readonly reason: string } {
  const signature = annotations[SIGNATURE]
  if (!signature) return { reason: `it has no annotation ${SIGNATURE}` }
  const { algorithm, encoded } = splitDigest(digest)
  if (algorithm !== 'sha256') return { reason: `its payload has a ${algorithm} digest; cosign uses sha256` }
  const rekor = annotations[REKOR_BUNDLE]
  const entry = rekor === undefined ? undefined : logEntry(rekor)
  if (rekor !== undefined && !entry) return { reason: `its annotation ${REKOR_BUNDLE} is no log entry` }
  const certificate = annotations[CERTIFICATE]
  const timestamp = annotations[TIMESTAMP]
  const timestamps = timestamp === undefined ? [] : [{ signedTimestamp: stamp(timestamp) }]
  const certificates = certificatesIn(`${certificate ?? ''}\n${annotations[CHAIN] ?? ''}`)
  return {
    bundle: {
      mediaType: BUNDLE_V01,
      messageSignature: {
        messageDigest: { algorithm: 'SHA2_256', digest: encodeBase64(bytesOf(encoded)) },
        signature,
      },
      verificationMaterial: {
        ...(certificate ? { x509CertificateChain: { certificates } } : { publicKey: { hint: '' } }),
        tlogEntries: entry ? [entry] : [],
        timestampVerificationData: { rfc3161Timestamps: timestamps },
      },
    },
  }
}

/** What Rekor gave back when the signature was entered, as cosign's `bundle` annotation keeps it. */
function logEntry(text: string): object | undefined {
  const { SignedEntryTimestamp, Payload } = (parseObject(text) ?? {}) as Record<string, unknown>
  const { body, integratedTime, logIndex, logID } = (Payload ?? {}) as Record<string, unknown>
  if (typeof SignedEntryTimestamp !== 'string' || typeof body !== 'string') return undefined
  if (!Number.isSafeInteger(integratedTime) || !Number.isSafeInteger(logIndex)) return undefined
  if (typeof logID !== 'string' || !/^(?:[0-9a-f]{2})+$/.test(logID)) return undefined
  const { kind, apiVersion } = parseObject(decodeUtf8(decodeBase64(body) ?? new Uint8Array()) ?? '') ?? {}
  if (typeof kind !== 'string' || typeof apiVersion !== 'string') return undefined
  return {
    logIndex: String(logIndex),
    logId: { keyId: encodeBase64(bytesOf(logID)) },
    kindVersion: { kind, version: apiVersion },
    integratedTime: String(integratedTime),
    inclusionPromise: { signedEntryTimestamp: SignedEntryTimestamp },
    canonicalizedBody: body,
  }
}

/** RFC 3161: cosign wraps the answer of the time stamper into an object. */
function stamp(text: string): string {
  const { SignedRFC3161Timestamp } = parseObject(text) ?? {}
  return typeof SignedRFC3161Timestamp === 'string' ? SignedRFC3161Timestamp : ''
}

/** The certificates of a PEM text, as DER in base64. */
function certificatesIn(pem: string): { rawBytes: string }[] {
  const blocks = pem.matchAll(/-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----/g)
  return [...blocks].slice(0, 10).map(([, body = '']) => ({ rawBytes: body.replace(/\s/g, '') }))
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}
