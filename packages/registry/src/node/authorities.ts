import { readFileSync } from 'node:fs'
import * as tls from 'node:tls'

/**
 * Where systems keep the authorities that all their programs trust; Go, and so podman and skopeo, looks
 * there. An administrator who has added one of his own expects it to count everywhere.
 */
const BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt', // Debian, Ubuntu, Arch
  '/etc/pki/tls/certs/ca-bundle.crt', // Fedora, RHEL
  '/etc/ssl/ca-bundle.pem', // openSUSE
  '/etc/ssl/cert.pem', // Alpine, macOS
]

let known: string[] | undefined

/**
 * The authorities that vouch for all hosts, in PEM: those that come with Node, those of the system, or of
 * `SSL_CERT_FILE`, and those of `NODE_EXTRA_CA_CERTS`. To name authorities of its own, a connection has to
 * name these as well. Read once.
 */
export function commonAuthorities(): readonly string[] {
  known ??= [...new Map([...ofNode(), ...ofSystem()].map((pem) => [pem.replaceAll(/\s/g, ''), pem])).values()]
  return known
}

function ofNode(): readonly string[] {
  const { NODE_EXTRA_CA_CERTS: extra } = process.env
  const certificates = tls.rootCertificates
  return extra ? [...certificates, ...(readBundle(extra) ?? [])] : certificates
}

function ofSystem(): readonly string[] {
  const { SSL_CERT_FILE: own } = process.env
  for (const path of own ? [own] : BUNDLES) {
    const bundle = readBundle(path)
    if (bundle) return bundle
  }
  // macOS and Windows have a store instead, which Node 22 and later can read.
  const { getCACertificates } = tls as { getCACertificates?: (type: 'system') => string[] }
  return getCACertificates?.('system') ?? []
}

/** The certificates in a file; one that is not there, or cannot be read, holds none. */
function readBundle(path: string): string[] | undefined {
  try {
    const text = readFileSync(path, 'latin1')
    return text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? undefined
  } catch {
    return undefined
  }
}
