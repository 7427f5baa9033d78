import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { type Descriptor, MEDIA_TYPE, parseDigest } from '@bootable/oci'
import { onTestFinished } from 'vitest'

/** What a scripted server saw of a request. */
export interface Seen {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export interface ScriptedServer {
  readonly host: string
  readonly url: string
  readonly port: number
  /** Requests in the order of their arrival, without the probe of the scheme. */
  readonly seen: Seen[]
}

/** A server on the loopback interface that answers as the test says; ends with the test. */
export async function scriptedServer(
  answer: (request: Seen, response: ServerResponse, seen: readonly Seen[]) => void | Promise<void>,
  options: { readonly tls?: ServerOptions } = {},
): Promise<ScriptedServer> {
  const seen: Seen[] = []
  const { tls } = options
  const create = tls ? createSecureServer.bind(undefined, tls) : createServer
  const server = create(async (request, response) => {
    const body = (await request.toArray()).join('')
    const each = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body }
    // The client's question whether this is http; a scripted server is not asked twice.
    if (each.path === '/v2/' && seen.length === 0) return response.end()
    seen.push(each)
    await answer(each, response, seen)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { host: `127.0.0.1:${port}`, url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`, port, seen }
}

/** A port of the loopback interface that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

export function digestOf(content: string | Uint8Array): Descriptor['digest'] {
  return parseDigest(`sha256:${createHash('sha256').update(content).digest('hex')}`)
}

/** A blob's descriptor. */
export function describeBlob(content: string | Uint8Array, mediaType: string = MEDIA_TYPE.layer): Descriptor {
  return { mediaType, digest: digestOf(content), size: Buffer.byteLength(content) }
}

/** The smallest image there is: an empty configuration and no layers. */
export const CONFIG = JSON.stringify({
  architecture: 'amd64',
  os: 'linux',
  rootfs: { type: 'layers', diff_ids: [] },
})
export const MANIFEST = JSON.stringify({
  schemaVersion: 2,
  mediaType: MEDIA_TYPE.manifest,
  config: describeBlob(CONFIG, MEDIA_TYPE.config),
  layers: [],
})

export function sendManifest(response: ServerResponse, manifest: string = MANIFEST): void {
  response
    .writeHead(200, {
      'Content-Type': `${MEDIA_TYPE.manifest}; charset=utf-8`,
      'Content-Length': Buffer.byteLength(manifest),
      'Docker-Content-Digest': digestOf(manifest),
    })
    .end(manifest)
}
