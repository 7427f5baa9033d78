/** A certificate that nobody here vouches for, in the words of OpenSSL and Node. */
const UNTRUSTED = /SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)|CERT_UNTRUSTED/
/** What a server that wants a certificate of ours says when it gets none, or one that it does not know. */
const WANTS_OURS =
  /ALERT_(CERTIFICATE_REQUIRED|BAD_CERTIFICATE|UNKNOWN_CA|CERTIFICATE_UNKNOWN)|TLSV13_ALERT_CERT/

/** What to do about a TLS connection that failed with this code: containers-certs.d(5). */
export function tlsHint(code: string | undefined, { host }: URL): string | undefined {
  if (code === undefined) return undefined
  if (UNTRUSTED.test(code)) {
    return `if you trust it, put the certificate of its authority into /etc/containers/certs.d/${host}/ca.crt`
  }
  if (WANTS_OURS.test(code)) {
    return `it asks for a certificate of yours: client.cert and client.key in /etc/containers/certs.d/${host}`
  }
  return undefined
}
