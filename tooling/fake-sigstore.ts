import { createHash, generateKeyPairSync, type KeyObject, randomInt, sign, webcrypto } from 'node:crypto'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'
import { X509Certificate as ParsedCertificate } from '@sigstore/core'

const { subtle } = webcrypto
const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const CODE_SIGNING = '1.3.6.1.5.5.7.3.3'
const ISSUER_V1 = '1.3.6.1.4.1.57264.1.1'
const ISSUER_V2 = '1.3.6.1.4.1.57264.1.8'
const SCT_LIST = '1.3.6.1.4.1.11129.2.4.2'
const MINUTE = 60_000

/** What a certificate says; a test changes what it wants to see refused. */
export interface CertificateRequest {
  readonly publicKey: KeyObject
  readonly email?: string
  readonly uri?: string
  /** The OIDC issuer. */
  readonly issuer: string
  /** @defaultValue ten minutes from now */
  readonly notBefore?: Date
  /** @defaultValue `codeSigning` */
  readonly usage?: string
  /** Whether the log of certificates has seen it. @defaultValue true */
  readonly sct?: boolean
  /** Signed by an intermediate authority in place of the root. */
  readonly byIntermediate?: boolean
}

/** An entry as Rekor answers with it. */
export interface LogEntry {
  readonly body: string
  readonly integratedTime: number
  readonly logID: string
  readonly logIndex: number
  readonly verification: {
    readonly signedEntryTimestamp: string
    readonly inclusionProof: {
      readonly checkpoint: string
      readonly hashes: readonly string[]
      readonly logIndex: number
      readonly rootHash: string
      readonly treeSize: number
    }
  }
}

/** Fulcio, its log of certificates and Rekor in miniature, with keys of their own. */
export interface FakeSigstore {
  /** PEM of the root authority. */
  readonly root: string
  /** PEM of an authority below it. */
  readonly intermediate: string
  /** PEM of Rekor's public key. */
  readonly rekorKey: string
  readonly ctLogKey: string
  /** `TrustedRoot` of sigstore's protobuf-specs. */
  readonly trustedRoot: string
  issue(request: CertificateRequest): Promise<Buffer>
  /** Enters a body into the log, whatever it is. */
  log(body: object, time?: Date): LogEntry
}

/** Makes one; `rekorUrl` is the name by which its checkpoints go. */
export async function createFakeSigstore(rekorUrl = 'https://rekor.example'): Promise<FakeSigstore> {
  const rekor = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const ctLog = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const rootKeys = await generateAuthorityKeys()
  const root = await createAuthority('CN=root,O=example', rootKeys, 'CN=root,O=example', rootKeys)
  const middleKeys = await generateAuthorityKeys()
  const intermediate = await createAuthority('CN=middle,O=example', middleKeys, 'CN=root,O=example', rootKeys)
  const logId = keyId(rekor.publicKey)

  async function issue(request: CertificateRequest): Promise<Buffer> {
    const { notBefore = new Date(), usage = CODE_SIGNING, sct = true, byIntermediate = false } = request
    const authority = byIntermediate ? intermediate : root
    const keys = byIntermediate ? middleKeys : rootKeys
    const spki = Uint8Array.from(request.publicKey.export({ type: 'spki', format: 'der' }))
    const publicKey = await subtle.importKey('spki', spki, EC, true, ['verify'])
    const names = [
      ...(request.email === undefined ? [] : [{ type: 'email' as const, value: request.email }]),
      ...(request.uri === undefined ? [] : [{ type: 'url' as const, value: request.uri }]),
    ]
    const parameters = {
      serialNumber: randomInt(2 ** 40)
        .toString(16)
        .padStart(12, '1'),
      issuer: authority.subject,
      notBefore,
      notAfter: new Date(notBefore.getTime() + 10 * MINUTE),
      publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: EC,
      extensions: [
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([usage]),
        new SubjectAlternativeNameExtension(names, true),
        await SubjectKeyIdentifierExtension.create(publicKey),
        await AuthorityKeyIdentifierExtension.create(keys.publicKey),
        new Extension(ISSUER_V1, false, Uint8Array.from(Buffer.from(request.issuer))),
        new Extension(ISSUER_V2, false, der(0x0c, Buffer.from(request.issuer))),
      ],
    }
    const plain = await X509CertificateGenerator.create(parameters)
    if (!sct) return Buffer.from(plain.rawData)
    const list = timestampList(Buffer.from(plain.rawData), authority, ctLog, notBefore)
    const extensions = [...parameters.extensions, new Extension(SCT_LIST, false, list)]
    return Buffer.from((await X509CertificateGenerator.create({ ...parameters, extensions })).rawData)
  }

  function log(content: object, time = new Date()): LogEntry {
    const body = Buffer.from(canonical(content)).toString('base64')
    const entry = {
      body,
      integratedTime: Math.floor(time.getTime() / 1000),
      logID: logId.toString('hex'),
      logIndex: randomInt(1_000_000),
    }
    const promise = sign('sha256', Buffer.from(canonical(entry)), rekor.privateKey)
    // The only entry of its tree: the root is the hash of the leaf (RFC 9162, 2.1).
    const rootHash = createHash('sha256').update('\0').update(Buffer.from(body, 'base64')).digest()
    const host = new URL(rekorUrl).host
    const note = `${host} - 1\n1\n${rootHash.toString('base64')}\n`
    const signed = Buffer.concat([logId.subarray(0, 4), sign('sha256', Buffer.from(note), rekor.privateKey)])
    return {
      ...entry,
      verification: {
        signedEntryTimestamp: promise.toString('base64'),
        inclusionProof: {
          checkpoint: `${note}\n\u2014 ${host} ${signed.toString('base64')}\n`,
          hashes: [],
          logIndex: 0,
          rootHash: rootHash.toString('hex'),
          treeSize: 1,
        },
      },
    }
  }

  const service = (url: string, key: KeyObject): object => ({
    baseUrl: url,
    hashAlgorithm: 'SHA2_256',
    publicKey: {
      rawBytes: key.export({ type: 'spki', format: 'der' }).toString('base64'),
      keyDetails: 'PKIX_ECDSA_P256_SHA_256',
      validFor: { start: '2020-01-01T00:00:00Z' },
    },
    logId: { keyId: keyId(key).toString('base64') },
  })
  const certificates = [intermediate, root].map(({ rawData }) => ({
    rawBytes: Buffer.from(rawData).toString('base64'),
  }))
  return {
    root: root.toString('pem'),
    intermediate: intermediate.toString('pem'),
    rekorKey: pemOf(rekor.publicKey),
    ctLogKey: pemOf(ctLog.publicKey),
    trustedRoot: JSON.stringify({
      mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
      tlogs: [service(rekorUrl, rekor.publicKey)],
      ctlogs: [service('https://ctfe.example', ctLog.publicKey)],
      certificateAuthorities: [
        {
          subject: { organization: 'example', commonName: 'root' },
          uri: 'https://fulcio.example',
          certChain: { certificates },
          validFor: { start: '2020-01-01T00:00:00Z' },
        },
      ],
      timestampAuthorities: [],
    }),
    issue,
    log,
  }
}

/** Authorities of one name and one key, each of which has signed all the others and none of which is trusted. */
export async function createIslands(count: number): Promise<string[]> {
  const keys = await generateAuthorityKeys()
  const name = 'CN=island,O=example'
  const islands = Array.from({ length: count }, () => createAuthority(name, keys, name, keys))
  return (await Promise.all(islands)).map((island) => island.toString('pem'))
}

/** JSON as RFC 8785 has it, for objects of plain texts and numbers. */
export function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${fields.map(([name, each]) => `${JSON.stringify(name)}:${canonical(each)}`).join(',')}}`
}

/** A public key or certificate of a key, in PEM. */
export function pemOf(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'pem' }) as string
}

function keyId(key: KeyObject): Buffer {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest()
}

async function generateAuthorityKeys(): Promise<webcrypto.CryptoKeyPair> {
  return (await subtle.generateKey(EC, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair
}

async function createAuthority(
  subject: string,
  keys: webcrypto.CryptoKeyPair,
  issuer: string,
  issuerKeys: webcrypto.CryptoKeyPair,
): Promise<X509Certificate> {
  return X509CertificateGenerator.create({
    serialNumber: randomInt(2 ** 40)
      .toString(16)
      .padStart(12, '1'),
    subject,
    issuer,
    notBefore: new Date('2020-01-01'),
    notAfter: new Date('2049-01-01'),
    publicKey: keys.publicKey,
    signingKey: issuerKeys.privateKey,
    signingAlgorithm: EC,
    extensions: [
      new BasicConstraintsExtension(true, subject === issuer ? 1 : 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(issuerKeys.publicKey),
    ],
  })
}

/** `SignedCertificateTimestampList` with one stamp: RFC 6962, 3.2 and 3.3. */
function timestampList(
  certificate: Buffer,
  authority: X509Certificate,
  log: { readonly publicKey: KeyObject; readonly privateKey: KeyObject },
  time: Date,
): Uint8Array<ArrayBuffer> {
  const tbs = ParsedCertificate.parse(Buffer.from(certificate)).tbsCertificate.toDER()
  const moment = Buffer.alloc(8)
  moment.writeBigUInt64BE(BigInt(time.getTime()))
  const issuerKeyHash = createHash('sha256').update(Buffer.from(authority.publicKey.rawData)).digest()
  const signed = [
    Buffer.of(0, 0),
    moment,
    Buffer.of(0, 1),
    issuerKeyHash,
    number(tbs.length, 3),
    tbs,
    number(0, 2),
  ]
  const signature = sign('sha256', Buffer.concat(signed), log.privateKey)
  const stamp = Buffer.concat([
    ...[Buffer.of(0), keyId(log.publicKey), moment, number(0, 2)],
    // sha256 and ecdsa, by TLS 1.2's numbers.
    ...[Buffer.of(4, 3), number(signature.length, 2), signature],
  ])
  const list = Buffer.concat([number(stamp.length + 2, 2), number(stamp.length, 2), stamp])
  return der(0x04, list)
}

function number(value: number, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes)
  buffer.writeUIntBE(value, 0, bytes)
  return buffer
}

/** A primitive value of less than 128 bytes, in DER. */
function der(tag: number, value: Buffer): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(tag, value.length, ...value)
}
