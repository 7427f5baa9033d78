import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runOk } from './oracles.ts'

/** Paths of PEM files. */
export interface Certificates {
  /** The authority that signed the others. Nobody else knows it. */
  readonly ca: string
  readonly server: { readonly cert: string; readonly key: string }
  readonly client: { readonly cert: string; readonly key: string }
}

/** Makes an authority and what it signs, with openssl: a server on the loopback interface and a client. */
export async function makeCertificates(folder: string): Promise<Certificates> {
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const [ca, caKey] = [join(folder, 'ca.pem'), join(folder, 'ca.key')]
  const authority = ['-addext', 'basicConstraints=critical,CA:TRUE', '-keyout', caKey, '-out', ca]
  await runOk('openssl', ['req', '-x509', ...newKey, '-days', '2', '-subj', '/CN=authority', ...authority])

  const sign = async (name: string, extension: string): Promise<{ cert: string; key: string }> => {
    const [cert, key, request] = ['pem', 'key', 'csr'].map((end) => join(folder, `${name}.${end}`)) as [
      string,
      string,
      string,
    ]
    await runOk('openssl', ['req', ...newKey, '-subj', `/CN=${name}`, '-keyout', key, '-out', request])
    const extensions = join(folder, `${name}.ext`)
    writeFileSync(extensions, extension)
    const by = ['-CA', ca, '-CAkey', caKey, '-CAcreateserial', '-days', '2', '-extfile', extensions]
    await runOk('openssl', ['x509', '-req', '-in', request, '-out', cert, ...by])
    return { cert, key }
  }
  const server = await sign('server', 'subjectAltName=DNS:localhost,IP:127.0.0.1')
  return { ca, server, client: await sign('client', 'extendedKeyUsage=clientAuth') }
}
