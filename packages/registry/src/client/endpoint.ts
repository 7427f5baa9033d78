import type { BootableError } from '@bootable/bytes'
import { addressScope } from '../http/address.ts'
import type { HttpRequest, HttpResponse } from '../http/transport.ts'

/** Whether the user said that a server needs no certificate, and no TLS at all. */
export function isInsecure(server: string, insecure: boolean | readonly string[] = false): boolean {
  return insecure === true || (insecure !== false && insecure.includes(server))
}

/** Whether a server is on this machine: what is said to it without TLS nobody else hears. */
export function isLoopback(server: string): boolean {
  return addressScope(new URL(`https://${server}/`)) === 'loopback'
}

/**
 * The origin of a server that may be without TLS: https if it answers there, else http.
 *
 * Which of the two is asked without any credentials. A server that has TLS is never spoken to in the clear.
 */
export async function probeOrigin(
  server: string,
  send: (request: HttpRequest) => Promise<HttpResponse>,
): Promise<URL> {
  const ask = async (origin: URL): Promise<number> => {
    const response = await send({ method: 'GET', url: new URL('/v2/', origin), headers: {} })
    await response.cancel()
    return response.status
  }
  const secure = new URL(`https://${server}`)
  const plain = new URL(`http://${server}`)
  try {
    await ask(secure)
    return secure
  } catch (error) {
    // An untrusted certificate is still TLS: nothing is sent in the clear because of it. And 400 is what
    // servers that expect TLS answer to plain text.
    if (isCertificateProblem(error) || (await ask(plain)) === 400) throw error
    return plain
  }
}

function isCertificateProblem(error: unknown): boolean {
  const cause = (error as BootableError | undefined)?.details?.cause
  return typeof cause === 'string' && /CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(cause)
}
