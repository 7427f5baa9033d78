import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { createFakeSigstore, type FakeSigstore } from './fake-sigstore.ts'

/** The identity that the token of {@link startFakeSigstore} stands for. */
export const SUBJECT = 'https://ci.example/machine/build.yml@refs/heads/main'

/** Fulcio and Rekor at one address of the loopback interface, as far as cosign asks them to sign. */
export interface FakeSigstoreServer extends FakeSigstore {
  readonly url: string
  /** An identity token that it believes. */
  readonly token: string
  close(): Promise<void>
}

export async function startFakeSigstore(issuer: string): Promise<FakeSigstoreServer> {
  let sigstore: FakeSigstore
  const server = createServer(async (request, response) => {
    try {
      const { status, type, body } = await answer(sigstore, issuer, request.url ?? '', await text(request))
      // The id of an entry, which Rekor's clients look for in this header; other answers have it for nothing.
      response.writeHead(status, { 'Content-Type': type, ETag: ENTRY_ID }).end(body)
    } catch (error) {
      response.writeHead(400).end(String(error))
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  sigstore = await createFakeSigstore(url)
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = { iss: issuer, sub: SUBJECT, aud: 'sigstore', exp: 4_000_000_000, iat: 1 }
  const token = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}.c2ln`
  return { ...sigstore, url, token, close: () => closeServer(server) }
}

const ENTRY_ID = '0'.repeat(64)

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

async function answer(sigstore: FakeSigstore, issuer: string, url: string, body: string): Promise<Answer> {
  if (url === '/api/v1/log/publicKey') {
    return { status: 200, type: 'application/x-pem-file', body: sigstore.rekorKey }
  }
  const request = JSON.parse(body) as Record<string, never>
  if (url === '/api/v1/log/entries') {
    const entry = sigstore.log(entered(request))
    return { status: 201, type: 'application/json', body: JSON.stringify({ [ENTRY_ID]: entry }) }
  }
  const { publicKey } = request as { publicKey?: { content: string } }
  const { publicKeyRequest } = request as { publicKeyRequest?: { publicKey: { content: string } } }
  const { certificateSigningRequest: csr } = request as { certificateSigningRequest?: string | null }
  const key = !csr
    ? createPublicKey(
        publicKey
          ? Buffer.from(publicKey.content, 'base64')
          : (publicKeyRequest?.publicKey.content as string),
      )
    : await keyOfRequest(Buffer.from(csr, 'base64').toString())
  const der = await sigstore.issue({ publicKey: key, issuer, uri: SUBJECT })
  const lines = der.toString('base64').match(/.{1,64}/g) as string[]
  const leaf = `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
  // Cosign 2 speaks the older interface.
  if (url === '/api/v1/signingCert') {
    return { status: 201, type: 'application/pem-certificate-chain', body: `${leaf}${sigstore.root}\n` }
  }
  const chain = { certificates: [leaf, `${sigstore.root}\n`] }
  return {
    status: 200,
    type: 'application/json',
    body: JSON.stringify({ signedCertificateEmbeddedSct: { chain } }),
  }
}

async function keyOfRequest(pem: string): Promise<KeyObject> {
  const { Pkcs10CertificateRequest } = await import('@peculiar/x509')
  const key = Buffer.from(new Pkcs10CertificateRequest(pem).publicKey.rawData)
  return createPublicKey({ key, format: 'der', type: 'spki' })
}

/** What Rekor stores of a proposal: of an envelope it keeps hashes and who can verify it. */
function entered(proposal: {
  kind?: string
  spec?: { proposedContent: { envelope: string; verifiers: string[] } }
}): object {
  if (proposal.kind !== 'dsse' || !proposal.spec) return proposal
  const { envelope, verifiers } = proposal.spec.proposedContent
  const { payload, signatures } = JSON.parse(envelope) as { payload: string; signatures: { sig: string }[] }
  const sha256 = (data: string | Buffer): object => ({
    algorithm: 'sha256',
    value: createHash('sha256').update(data).digest('hex'),
  })
  return {
    apiVersion: '0.0.1',
    kind: 'dsse',
    spec: {
      envelopeHash: sha256(envelope),
      payloadHash: sha256(Buffer.from(payload, 'base64')),
      signatures: signatures.map(({ sig }, index) => ({ signature: sig, verifier: verifiers[index] })),
    },
  }
}

function closeServer(server: Server): Promise<void> {
  server.closeAllConnections()
  return new Promise((resolve) => server.close(() => resolve()))
}
