import type { BootableError } from '@bootable/bytes'
import { addressScope } from '../http/address.ts'
import type { HttpRequest, HttpResponse } from '../http/transport.ts'

/** Whether a server may be spoken to without TLS: loopback, or the user said so. */
export function mayBePlain(server: string, insecure: boolean | readonly string[] = false): boolean {
  if (insecure === true || (insecure !== false && insecure.includes(server))) return true
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
