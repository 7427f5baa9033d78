import { createHash, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto'
import type { Bundle, TransparencyLogEntry } from '@sigstore/bundle'
import type { TrustMaterial } from '@sigstore/verify'

/** Log entries and time stamps in one bundle; each costs a signature to verify. */
const MAX_ENTRIES = 16
/** The libraries take the name of who signed a checkpoint for a regular expression. */
const CHECKPOINT_NAME = /^[A-Za-z0-9._/:-]{1,200}$/

/** Why the log entries of a bundle are not even looked at; `undefined` where they are. */
export function refuseEntries({ verificationMaterial }: Bundle): string | undefined {
  const { tlogEntries, timestampVerificationData } = verificationMaterial
  const count = Math.max(tlogEntries.length, timestampVerificationData?.rfc3161Timestamps.length ?? 0)
  if (count > MAX_ENTRIES) return `it has ${count} log entries or time stamps; ${MAX_ENTRIES} are allowed`
  for (const { inclusionProof } of tlogEntries) {
    const envelope = inclusionProof?.checkpoint?.envelope ?? ''
    for (const [, name = ''] of envelope.matchAll(/\u2014 (\S+) /g)) {
      if (!CHECKPOINT_NAME.test(name))
        return `a checkpoint is signed by ${JSON.stringify(name.slice(0, 100))}`
    }
  }
  return undefined
}

/** A log known by its key alone, as a policy.json has it: its id is the hash of the key. */
export function logOf(publicKey: KeyObject): TrustMaterial['tlogs'][number] {
  const logID = createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest()
  return {
    logID,
    baseURL: '',
    publicKey,
    validFor: { start: new Date(0), end: new Date(8_640_000_000_000_000) },
  }
}

/**
 * The entries with the log's promise alone: the time in an entry is signed by nothing else, and a
 * log that is known by its key alone has no name that its checkpoints could be compared with.
 */
export function promisedEntries(entries: readonly TransparencyLogEntry[]): TransparencyLogEntry[] {
  return entries
    .filter(({ inclusionPromise }) => inclusionPromise !== undefined)
    .map((entry) => ({ ...entry, inclusionProof: undefined }))
}

/**
 * Whether an entry was made for this key. The libraries compare signature and digest; for some algorithms
 * another key can be found under which the same signature is good as well.
 */
export function isEntryOf(entry: TransparencyLogEntry, key: KeyObject): boolean {
  const expected = key.export({ type: 'spki', format: 'der' })
  const keys = keysIn(JSON.parse(entry.canonicalizedBody.toString('utf8')) as EntryBody)
  return (
    keys.length > 0 && keys.every((each) => each.export({ type: 'spki', format: 'der' }).equals(expected))
  )
}

/** The parts of an entry that hold keys, by Rekor's type and version. */
interface EntryBody {
  readonly spec?: {
    /** hashedrekord 0.0.1 */
    readonly signature?: { readonly publicKey?: { readonly content?: string } }
    /** dsse 0.0.1 */
    readonly signatures?: readonly { readonly verifier?: string }[]
    /** intoto 0.0.2 */
    readonly content?: {
      readonly envelope?: { readonly signatures?: readonly { readonly publicKey?: string }[] }
    }
    /** Rekor 2 */
    readonly hashedRekordV002?: { readonly signature?: { readonly verifier?: Verifier } }
    readonly dsseV002?: { readonly signatures?: readonly { readonly verifier?: Verifier }[] }
  }
}

interface Verifier {
  readonly publicKey?: { readonly rawBytes?: string }
  readonly x509Certificate?: { readonly rawBytes?: string }
}

function keysIn({ spec = {} }: EntryBody): KeyObject[] {
  const pems = [
    spec.signature?.publicKey?.content,
    ...(spec.signatures ?? []).map(({ verifier }) => verifier),
    ...(spec.content?.envelope?.signatures ?? []).map(({ publicKey }) => publicKey),
  ]
  const verifiers = [
    spec.hashedRekordV002?.signature?.verifier,
    ...(spec.dsseV002?.signatures ?? []).map(({ verifier }) => verifier),
  ]
  return [
    ...pems.filter((pem) => pem !== undefined).map((pem) => keyOf(Buffer.from(pem, 'base64'))),
    ...verifiers.filter((each) => each !== undefined).map(keyOfVerifier),
  ]
}

function keyOf(pem: Buffer): KeyObject {
  return pem.includes('BEGIN CERTIFICATE') ? new X509Certificate(pem).publicKey : createPublicKey(pem)
}

function keyOfVerifier({ publicKey, x509Certificate }: Verifier): KeyObject {
  const certificate = x509Certificate?.rawBytes
  if (certificate !== undefined) return new X509Certificate(Buffer.from(certificate, 'base64')).publicKey
  return createPublicKey({
    key: Buffer.from(publicKey?.rawBytes ?? '', 'base64'),
    format: 'der',
    type: 'spki',
  })
}
