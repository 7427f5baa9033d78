import { X509Certificate as NodeCertificate } from 'node:crypto'
import type { X509Certificate } from '@sigstore/core'

// Fulcio's extensions: https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md
const ISSUER_V1 = '1.3.6.1.4.1.57264.1.1'
const ISSUER_V2 = '1.3.6.1.4.1.57264.1.8'
const OTHER_NAME = '1.3.6.1.4.1.57264.1.7'
/** `id-kp-codeSigning` of RFC 5280, 4.2.1.12. */
const CODE_SIGNING = '1.3.6.1.5.5.7.3.3'

/** Certificates that may come along with a leaf. */
const MAX_INTERMEDIATES = 10

/** Whom a certificate of Fulcio is for, and who said so. */
export interface CertificateIdentity {
  readonly issuer: string
  readonly email?: string
  readonly uri?: string
  readonly userName?: string
}

/**
 * The identity in a certificate; the issuer is the DER string of the newer extension or the bare text of the
 * older one, and where both stand there they have to agree.
 * @throws Error where there is none
 */
export function readIdentity(certificate: X509Certificate): CertificateIdentity {
  const older = certificate.extension(ISSUER_V1)?.value.toString('utf8')
  const newer = certificate.extension(ISSUER_V2)?.valueObj.subs[0]?.value.toString('utf8')
  const issuer = newer ?? older
  if (issuer === undefined) throw new Error('the certificate does not say who vouched for its identity')
  if (older !== undefined && older !== issuer) throw new Error('the certificate names two issuers')
  const names = certificate.extSubjectAltName
  const [email, uri, userName] = [names?.rfc822Name, names?.uri, names?.otherName(OTHER_NAME)]
  return { issuer, ...(email && { email }), ...(uri && { uri }), ...(userName && { userName }) }
}

/**
 * What the libraries do not look at: a certificate for anything but the signing of code, such as one of a
 * web server by the same authority, signs no image.
 */
export function isForCodeSigning(certificate: X509Certificate): boolean {
  return new NodeCertificate(certificate.root.toDER()).keyUsage?.includes(CODE_SIGNING) ?? false
}

/**
 * Follows a certificate to a trusted root through the intermediates that came with the signature: RFC 5280,
 * section 6.1, as far as Fulcio's chains need it.
 *
 * @param moments at all of which every certificate has to be valid
 * @returns why there is no way, or `undefined` where there is one
 */
export function followChain(
  leaf: X509Certificate,
  intermediates: readonly X509Certificate[],
  roots: readonly X509Certificate[],
  moments: readonly Date[],
): string | undefined {
  const isValid = (certificate: X509Certificate): boolean =>
    moments.length > 0 && moments.every((moment) => certificate.validForDate(moment))
  if (!isValid(leaf)) return 'the certificate was not valid when it was used'
  // Breadth first, each certificate once: many of one name and key would otherwise make as many ways as there
  // are orders of them. The first way to a certificate is the shortest, which its path length likes best.
  const reached = [{ certificate: leaf, below: 0 }]
  const left = new Set(intermediates.slice(0, MAX_INTERMEDIATES))
  for (const { certificate, below } of reached) {
    const isIssuer = (issuer: X509Certificate): boolean =>
      issuer.isCA &&
      // `below` counts the authorities between the leaf and the issuer that is looked for.
      (issuer.extBasicConstraints?.pathLenConstraint ?? BigInt(below)) >= BigInt(below) &&
      isValid(issuer) &&
      issuer.subject.equals(certificate.issuer) &&
      certificate.verify(issuer)
    if (roots.some(isIssuer)) return undefined
    for (const issuer of left) {
      if (!isIssuer(issuer)) continue
      left.delete(issuer)
      reached.push({ certificate: issuer, below: below + 1 })
    }
  }
  return 'the certificate does not lead to a trusted root'
}
