import * as http from 'node:http'
import * as https from 'node:https'
import type { LookupFunction } from 'node:net'
import type { HttpRequest, HttpResponse, Transport } from '../http/transport.ts'
import { addressOf, createConnections, SIGNAL, type Way } from './connections.ts'
import type { HostTlsSource, HostTlsTable } from './host-tls.ts'
import { fixedProxy, type ProxyChoice } from './proxy.ts'
import { sendBody } from './send-body.ts'
import { proxyAuthorization, proxyRefusal } from './tunnel.ts'

/** Options of {@link nodeTransport}. */
export interface NodeTransportOptions {
  /** Milliseconds that an idle connection is kept. @defaultValue 10 000 */
  readonly keepAlive?: number
  /** Authorities and certificates of single hosts. @defaultValue none */
  readonly hosts?: HostTlsTable | HostTlsSource
  /** A proxy for everything, or the choice of one for each URL. @defaultValue none */
  readonly proxy?: string | ProxyChoice
  /** Resolves names. @defaultValue as the host does it */
  readonly lookup?: LookupFunction
}

/** Bytes and milliseconds that are spent on the rest of a body to save its connection. */
const MAX_DRAIN = 64 * 1024
const DRAIN_TIMEOUT = 1_000

/**
 * A transport over `node:http` and `node:https`: half of the processor time of `fetch` in Node.
 * @throws BootableError `CONFIGURATION_INVALID` for the address of a proxy
 */
export function nodeTransport(options: NodeTransportOptions = {}): Transport {
  const { keepAlive = 10_000, hosts = {}, proxy = () => undefined, lookup } = options
  const connections = createConnections({
    keepAlive,
    hosts: typeof hosts === 'function' ? hosts : async (host) => hosts[host],
    proxy: typeof proxy === 'string' ? fixedProxy(proxy) : proxy,
    lookup,
  })

  return {
    async send({ method, url, headers, body, nearest, insecure }, { signal }) {
      const way = await connections.wayTo({ url, nearest, insecure })
      const { protocol } = way.proxy ?? url
      // Before there is a connection, which would wait and might die while the source is slow.
      const chunks = body && !(body instanceof Uint8Array) ? await body.open() : undefined
      return new Promise<HttpResponse>((resolve, reject) => {
        signal.throwIfAborted()
        const request = (protocol === 'https:' ? https : http).request(url, {
          ...addressOf(url, way),
          method,
          headers: {
            ...headers,
            ...(way.proxy && { Host: url.host, ...proxyAuthorization(way.proxy) }),
            ...(body && { 'Content-Length': lengthOf(body) }),
          },
          agent: way.agent,
          [SIGNAL]: signal,
        } as http.RequestOptions)
        // Not by Node's own `signal`: that destroys the socket even when it is already another request's.
        let end = (): unknown => request.destroy()
        signal.addEventListener('abort', () => end(), { once: true })
        request.on('error', reject)
        request.on('response', (message) => {
          end = () => message.destroy()
          // What is left of a body that was answered early is not sent, so nothing can follow it.
          message.once('close', () => request.writableFinished || request.destroy())
          try {
            resolve(responseOf(message, method, url, way))
          } catch (error) {
            // A header that `Headers` does not take.
            message.destroy()
            reject(error)
          }
        })
        if (chunks) sendBody(request, chunks, lengthOf(body)).catch(reject)
        else request.end(body)
      })
    },
    async close() {
      connections.close()
    },
  }
}

function lengthOf(body: HttpRequest['body']): number {
  return body instanceof Uint8Array ? body.length : (body?.size ?? 0)
}

function responseOf(message: http.IncomingMessage, method: string, url: URL, way: Way): HttpResponse {
  if (way.proxy && message.statusCode === 407) throw proxyRefusal(way.proxy, 407, url.host)
  const headers = new Headers()
  for (let index = 0; index + 1 < message.rawHeaders.length; index += 2) {
    headers.append(message.rawHeaders[index] as string, message.rawHeaders[index + 1] as string)
  }
  // The iterator reports what breaks; a body that nobody reads must not end the process with it.
  message.on('error', () => {})
  return {
    status: message.statusCode ?? 0,
    headers,
    peer: way.isDirect ? message.socket.remoteAddress : undefined,
    body: message,
    cancel: () => giveUp(message, method),
  }
}

/** Reads what is left if it is short, as after a redirect, so that the connection serves again. */
function giveUp(message: http.IncomingMessage, method: string): Promise<void> {
  const promised = method === 'HEAD' ? 0 : Number(message.headers['content-length'] ?? 0)
  return new Promise((resolve) => {
    if (message.closed) return resolve()
    const timer = setTimeout(() => message.destroy(), DRAIN_TIMEOUT)
    message.once('close', () => {
      clearTimeout(timer)
      resolve()
    })
    if (promised > MAX_DRAIN) return message.destroy()
    let length = 0
    message.on('data', (chunk: Uint8Array) => {
      length += chunk.length
      if (length > MAX_DRAIN) message.destroy()
    })
  })
}
