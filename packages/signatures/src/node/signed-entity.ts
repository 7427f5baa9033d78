import { createHash, type KeyObject, verify } from 'node:crypto'
import { type Bundle, bundleFromJSON, isBundleWithMessageSignature } from '@sigstore/bundle'
import { dsse, X509Certificate } from '@sigstore/core'
import { HashAlgorithm } from '@sigstore/protobuf-specs'
import { type SignedEntity, toSignedEntity } from '@sigstore/verify'
import type { SignedBundle } from '../verify/verifier.ts'
import { refuseEntries } from './log-entry.ts'

/** A bundle that could be read. */
export interface ReadBundle {
  readonly entity: SignedEntity
  /** The leaf, where the bundle has one, and what came with it. */
  readonly certificates: readonly X509Certificate[]
}

const HASHES: Readonly<Record<number, string>> = {
  [HashAlgorithm.SHA2_256]: 'sha256',
  [HashAlgorithm.SHA2_384]: 'sha384',
  [HashAlgorithm.SHA2_512]: 'sha512',
}

const CURVE_HASHES: Readonly<Record<string, string>> = { secp384r1: 'sha384', secp521r1: 'sha512' }

/** Reads a bundle; throws for one that is malformed, or whose digest is not that of the message. */
export function readBundle({ bundle: json, message }: SignedBundle): ReadBundle {
  const bundle = bundleFromJSON(json)
  const refusal = refuseEntries(bundle)
  if (refusal !== undefined) throw new Error(refusal)
  const artifact = Buffer.from(message)
  // What the log says is compared with this digest, so it has to be that of the message.
  if (isBundleWithMessageSignature(bundle)) checkDigest(bundle, artifact)
  const entity = toSignedEntity(bundle, artifact)
  const { signature } = entity
  return {
    entity: {
      ...entity,
      signature: {
        signature: signature.signature,
        compareSignature: (other) => signature.compareSignature(other),
        compareDigest: (digest) => signature.compareDigest(digest),
        verifySignature: (key) =>
          signature.verifySignature(key) || verifyOtherwise(bundle, artifact, key, signature.signature),
      },
    },
    certificates: certificatesOf(bundle),
  }
}

/**
 * Signatures that the libraries do not know: they hash by SHA-256 whatever the key. Cosign 2.6 and 3
 * take the hash that has the size of the curve, and Ed25519 hashes by itself.
 */
function verifyOtherwise(bundle: Bundle, artifact: Buffer, key: KeyObject, signature: Buffer): boolean {
  const { content } = bundle
  const signed =
    content.$case === 'dsseEnvelope'
      ? dsse.preAuthEncoding(content.dsseEnvelope.payloadType, content.dsseEnvelope.payload)
      : artifact
  if (key.asymmetricKeyType === 'ed25519') return verify(null, signed, key, signature)
  const hash = CURVE_HASHES[key.asymmetricKeyDetails?.namedCurve ?? '']
  return hash !== undefined && verify(hash, signed, key, signature)
}

function checkDigest(bundle: Bundle & { content: { $case: 'messageSignature' } }, artifact: Buffer): void {
  const { algorithm, digest } = bundle.content.messageSignature.messageDigest
  const hash = HASHES[algorithm]
  if (hash === undefined) throw new Error(`its digest is of an unknown algorithm (${algorithm})`)
  if (createHash(hash).update(artifact).digest().equals(digest)) return
  throw new Error('its digest is not that of what it should be made over')
}

function certificatesOf({ verificationMaterial: { content } }: Bundle): X509Certificate[] {
  const parse = ({ rawBytes }: { rawBytes: Buffer }): X509Certificate =>
    X509Certificate.parse(Buffer.from(rawBytes))
  if (content.$case === 'certificate') return [parse(content.certificate)]
  return content.$case === 'x509CertificateChain' ? content.x509CertificateChain.certificates.map(parse) : []
}
