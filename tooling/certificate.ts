import { join } from 'node:path'
import { runOk } from './oracles.ts'

/** Paths of PEM files. */
export interface CertificateFiles {
  readonly certificate: string
  readonly key: string
}

/**
 * A certificate that nobody but itself vouches for, by openssl; valid for two days.
 * @param names as `subjectAltName` has them: `DNS:localhost,IP:127.0.0.1`
 */
export async function selfSignedCertificate(folder: string, names: string): Promise<CertificateFiles> {
  const [certificate, key] = [join(folder, 'self-signed.crt'), join(folder, 'self-signed.key')]
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=loopback', '-days', '2']
  const files = ['-keyout', key, '-out', certificate]
  await runOk('openssl', [...request, '-addext', `subjectAltName=${names}`, ...files])
  return { certificate, key }
}
