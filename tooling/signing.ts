import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { memorySource, utf8 } from '@bootable/bytes'
import {
  blobOf,
  type Descriptor,
  type Digest,
  type Image,
  type ImageStore,
  MEDIA_TYPE,
  memoryStore,
  openImage,
  putImage,
} from '@bootable/oci'
import { attachmentTag, referrersTag } from '@bootable/signatures'
import { type FakeSigstore, type LogEntry, pemOf } from './fake-sigstore.ts'

/** The name under which the images of these tests are asked for. */
export const NAME = { host: 'registry.example', repository: 'machine', tag: '1' }
export const LOCATION = { transport: 'docker', reference: NAME } as const
export const ISSUER = 'https://issuer.example'
export const EMAIL = 'builder@example.com'
export const COSIGN_SIGN = 'https://sigstore.dev/cosign/sign/v1'

export interface KeyPair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

export function keyPair(): KeyPair {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
}

export function pemSource({ publicKey }: KeyPair): { data: Uint8Array } {
  return { data: utf8(pemOf(publicKey)) }
}

/** A store with one image of no layers under the name `1`; every call makes another. */
export async function imageStore(
  created = '2024-01-01T00:00:00Z',
): Promise<{ store: ImageStore; image: Image }> {
  const store = memoryStore()
  await putImage(store, { layers: [], created }, { reference: '1' })
  return { store, image: await openImage(store, '1') }
}

/** The payload of a signature as cosign writes it. */
export function simpleSigning(digest: Digest, reference = 'registry.example/machine:1'): Buffer {
  const critical = {
    identity: { 'docker-reference': reference },
    image: { 'docker-manifest-digest': digest },
    type: 'cosign container image signature',
  }
  return Buffer.from(JSON.stringify({ critical, optional: null }))
}

export function annotationsOf(signature: Buffer): Record<string, string> {
  return { 'dev.cosignproject.cosign/signature': signature.toString('base64') }
}

/** What Rekor is told of an attached signature. */
export function hashedrekord(payload: Buffer, signature: Buffer, pem: string): object {
  return {
    apiVersion: '0.0.1',
    kind: 'hashedrekord',
    spec: {
      data: { hash: { algorithm: 'sha256', value: createHash('sha256').update(payload).digest('hex') } },
      signature: { content: signature.toString('base64'), publicKey: { content: base64(pem) } },
    },
  }
}

/** The annotation in which cosign keeps Rekor's answer. */
export function rekorAnnotation(entry: LogEntry): Record<string, string> {
  const { verification, ...Payload } = entry
  const bundle = { SignedEntryTimestamp: verification.signedEntryTimestamp, Payload }
  return { 'dev.sigstore.cosign/bundle': JSON.stringify(bundle) }
}

/** Puts payloads beside a manifest, as cosign up to 2 does. */
export async function attach(
  store: ImageStore,
  subject: Digest,
  signatures: readonly { readonly payload: Buffer; readonly annotations: Record<string, string> }[],
): Promise<void> {
  const layers: Descriptor[] = []
  for (const { payload, annotations } of signatures) {
    const put = await store.putBlob(blobOf(memorySource(payload)))
    layers.push({ ...put, mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json', annotations })
  }
  await putManifest(store, { config: await emptyConfig(store), layers }, attachmentTag(subject))
}

/** Makes a bundle of a statement, as cosign 3 does; `predicateType` says what the statement is. */
export function statementEnvelope(
  { privateKey }: KeyPair,
  digest: Digest,
  options: { readonly predicateType?: string; readonly name?: string } = {},
): { payload: Buffer; envelope: object; signature: Buffer } {
  const { predicateType = COSIGN_SIGN, name } = options
  const [algorithm = '', hex = ''] = digest.split(':')
  const subject = [{ ...(name !== undefined && { name }), digest: { [algorithm]: hex } }]
  const payload = Buffer.from(
    JSON.stringify({ _type: 'https://in-toto.io/Statement/v1', subject, predicateType, predicate: {} }),
  )
  const payloadType = 'application/vnd.in-toto+json'
  const encoded = Buffer.concat([
    Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} `),
    payload,
  ])
  const signature = sign('sha256', encoded, privateKey)
  const signatures = [{ sig: signature.toString('base64'), keyid: '' }]
  return { payload, envelope: { payload: payload.toString('base64'), payloadType, signatures }, signature }
}

/** What Rekor keeps of an envelope. */
export function dsseEntry(payload: Buffer, signature: Buffer, pem: string): object {
  return {
    apiVersion: '0.0.1',
    kind: 'dsse',
    spec: {
      payloadHash: { algorithm: 'sha256', value: createHash('sha256').update(payload).digest('hex') },
      signatures: [{ signature: signature.toString('base64'), verifier: base64(pem) }],
    },
  }
}

/** A log entry as bundles have it. */
export function tlogEntry(entry: LogEntry, kind: string): Record<string, unknown> {
  const { checkpoint, ...proof } = entry.verification.inclusionProof
  return {
    logIndex: String(entry.logIndex),
    logId: { keyId: Buffer.from(entry.logID, 'hex').toString('base64') },
    kindVersion: { kind, version: '0.0.1' },
    integratedTime: String(entry.integratedTime),
    inclusionPromise: { signedEntryTimestamp: entry.verification.signedEntryTimestamp },
    inclusionProof: {
      logIndex: String(proof.logIndex),
      rootHash: Buffer.from(proof.rootHash, 'hex').toString('base64'),
      treeSize: String(proof.treeSize),
      hashes: [],
      checkpoint: { envelope: checkpoint },
    },
    canonicalizedBody: entry.body,
  }
}

export const BUNDLE = 'application/vnd.dev.sigstore.bundle.v0.3+json'

/** Puts bundles beside a manifest and lists them under the tag for referrers. */
export async function refer(
  store: ImageStore,
  subject: Descriptor,
  bundles: readonly object[],
): Promise<void> {
  const manifests: Descriptor[] = []
  for (const bundle of bundles) {
    const raw = utf8(JSON.stringify(bundle))
    const layer = { ...(await store.putBlob(blobOf(memorySource(raw)))), mediaType: BUNDLE }
    const { mediaType, digest, size } = subject
    const artifact = { artifactType: BUNDLE, config: await emptyConfig(store), layers: [layer] }
    const put = await putManifest(store, { ...artifact, subject: { mediaType, digest, size } })
    manifests.push({ ...put, artifactType: BUNDLE })
  }
  const index = utf8(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests }))
  await store.putManifest(index, { mediaType: MEDIA_TYPE.index, reference: referrersTag(subject.digest) })
}

export function keyBundle(envelope: object, entries: readonly object[] = []): object {
  return {
    mediaType: BUNDLE,
    verificationMaterial: { publicKey: { hint: '' }, tlogEntries: entries },
    dsseEnvelope: envelope,
  }
}

/** A keyless signature of an image in both forms, as cosign would make it with this sigstore. */
export async function signKeyless(
  sigstore: FakeSigstore,
  digest: Digest,
  options: {
    readonly email?: string
    readonly uri?: string
    readonly issuer?: string
    readonly usage?: string
  } & {
    readonly sct?: boolean
    readonly byIntermediate?: boolean
    /** The name in the attached signature. */
    readonly reference?: string
    /** When the log saw it, in minutes after the certificate was made. */
    readonly delay?: number
  } = {},
): Promise<{ bundle: Record<string, unknown>; payload: Buffer; annotations: Record<string, string> }> {
  const { email, uri, issuer = ISSUER, usage, sct, byIntermediate, delay = 1 } = options
  const keys = keyPair()
  const notBefore = new Date('2026-03-01T12:00:00Z')
  const der = await sigstore.issue({
    publicKey: keys.publicKey,
    issuer,
    notBefore,
    ...(email === undefined && uri === undefined ? { email: EMAIL } : {}),
    ...(email !== undefined && { email }),
    ...(uri !== undefined && { uri }),
    ...(usage !== undefined && { usage }),
    ...(sct !== undefined && { sct }),
    ...(byIntermediate !== undefined && { byIntermediate }),
  })
  const time = new Date(notBefore.getTime() + delay * 60_000)
  const pem = `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replace(/(.{64})/g, '$1\n')}\n-----END CERTIFICATE-----\n`

  const payload = simpleSigning(digest, options.reference)
  const signature = sign('sha256', payload, keys.privateKey)
  const annotations = {
    ...annotationsOf(signature),
    ...rekorAnnotation(sigstore.log(hashedrekord(payload, signature, pem), time)),
    'dev.sigstore.cosign/certificate': pem,
    'dev.sigstore.cosign/chain': byIntermediate
      ? `${sigstore.intermediate}\n${sigstore.root}`
      : sigstore.root,
  }
  const statement = statementEnvelope(keys, digest)
  const entry = sigstore.log(dsseEntry(statement.payload, statement.signature, pem), time)
  const bundle = {
    mediaType: BUNDLE,
    verificationMaterial: {
      certificate: { rawBytes: der.toString('base64') },
      tlogEntries: [tlogEntry(entry, 'dsse')],
    },
    dsseEnvelope: statement.envelope,
  }
  return { bundle, payload, annotations }
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}

async function emptyConfig(store: ImageStore): Promise<Descriptor> {
  return { ...(await store.putBlob(blobOf(memorySource(utf8('{}'))))), mediaType: MEDIA_TYPE.empty }
}

async function putManifest(store: ImageStore, fields: object, reference?: string): Promise<Descriptor> {
  const raw = utf8(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.manifest, ...fields }))
  return store.putManifest(raw, {
    mediaType: MEDIA_TYPE.manifest,
    ...(reference !== undefined && { reference }),
  })
}
