import * as http from 'node:http'
import * as https from 'node:https'
import type { Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { registryError } from '../errors.ts'

/** Milliseconds that a proxy has to connect. */
const PATIENCE = 30_000

/** What a proxy is asked to connect to. */
export interface TunnelTarget {
  readonly host: string
  readonly port: number
}

/**
 * A connection through a proxy: CONNECT, RFC 9110, 9.3.6. The signal closes it while it is being made; a proxy
 * that stays silent must not keep a socket, and with it the process.
 *
 * What a proxy says when it refuses is its own answer, never the server's: a challenge in it is not for us.
 * @param proxyTls for a proxy that is spoken to with TLS itself
 * @throws BootableError `NETWORK`, `TIMEOUT`
 */
export function openTunnel(
  proxy: URL,
  target: TunnelTarget,
  proxyTls: ConnectionOptions,
  signal?: AbortSignal,
): Promise<Socket> {
  const authority = `${target.host.includes(':') ? `[${target.host}]` : target.host}:${target.port}`
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const request = (proxy.protocol === 'https:' ? https : http).request({
      ...proxyTls,
      ...proxyAddress(proxy),
      method: 'CONNECT',
      path: authority,
      headers: { Host: authority, ...proxyAuthorization(proxy) },
      agent: false,
      timeout: PATIENCE,
    })
    const abort = (): unknown => request.destroy(signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })
    request.on('close', () => signal?.removeEventListener('abort', abort))
    request.on('timeout', () => request.destroy(tooSlow(proxy)))
    request.on('error', (error: NodeJS.ErrnoException) => {
      reject(signal?.aborted ? signal.reason : unreachable(proxy, error))
    })
    request.on('connect', ({ statusCode = 0 }: http.IncomingMessage, socket: Socket, head: Uint8Array) => {
      socket.setTimeout(0)
      if (statusCode < 200 || statusCode > 299) {
        socket.destroy()
        return reject(proxyRefusal(proxy, statusCode, authority))
      }
      if (head.length > 0) socket.unshift(head)
      resolve(socket)
    })
    request.end()
  })
}

/** Where a proxy listens. */
export function proxyAddress(proxy: URL): { readonly host: string; readonly port: number } {
  const host = proxy.hostname.replace(/^\[|\]$/g, '')
  return { host, port: Number(proxy.port) || (proxy.protocol === 'https:' ? 443 : 80) }
}

/** The user and password in the address of a proxy. */
export function proxyAuthorization(proxy: URL): { readonly 'Proxy-Authorization'?: string } {
  if (proxy.username === '' && proxy.password === '') return {}
  const [username, password] = [proxy.username, proxy.password].map(decoded)
  return {
    'Proxy-Authorization': `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`,
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The error of a proxy that does not do what it is asked. */
export function proxyRefusal(proxy: URL, status: number, authority: string): Error {
  const message = `the proxy ${proxy.host} does not connect to ${authority}: it answered ${status}`
  const details = { proxy: proxy.host, target: authority, proxyStatus: status, retryable: status >= 500 }
  const hint = 'the address of the proxy needs a user and a password: http://user:password@host:port'
  return registryError('NETWORK', message, details, status === 407 ? { hint } : {})
}

function tooSlow(proxy: URL): Error {
  const message = `the proxy ${proxy.host} did not connect for ${PATIENCE} ms`
  return registryError('TIMEOUT', message, { proxy: proxy.host, retryable: true })
}

function unreachable(proxy: URL, error: NodeJS.ErrnoException): Error {
  if (error.name === 'BootableError') return error
  const message = `the proxy ${proxy.host} cannot be reached: ${error.code ?? error.message}`
  const retryable = error.code !== 'ENOTFOUND'
  return registryError(
    'NETWORK',
    message,
    { proxy: proxy.host, retryable, cause: error.code },
    { cause: error },
  )
}
