import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * What goes wrong with the first GET of each blob. `429` is a limit of the host: it refuses every GET of a blob
 * until the pause that it asked for at the first is over.
 */
export type ProxyFault = 'cut' | 'flip' | 'stall' | '500' | '503' | '429' | 'redirect'

/** Options of {@link startFaultProxy}. */
export interface FaultProxyOptions {
  /** The registry behind it: `127.0.0.1:41237`. */
  readonly host: string
  readonly fault: ProxyFault
  /** Answers later requests whole, whatever range they ask for. */
  readonly ignoreRange?: boolean
  /** Lets the fault meet every GET of a blob. */
  readonly always?: boolean
}

/** A request for a blob that the proxy saw. */
export interface ProxiedRequest {
  /** The host that the client named: a redirect leads to another. */
  readonly host: string
  readonly path: string
  readonly range?: string
  readonly authorization?: string
}

export interface FaultProxy {
  readonly host: string
  /** Requests for blobs in the order of arrival. */
  readonly seen: ProxiedRequest[]
  close(): Promise<void>
}

/** Seconds, of `Retry-After`. */
const PAUSE = 3

/** A proxy on the loopback interface that breaks what a registry sends, over real sockets. */
export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const seen: ProxiedRequest[] = []
  const met = new Set<string>()
  let closedUntil: number | undefined
  const server = createServer((incoming, response) => {
    const path = incoming.url ?? ''
    if (!/\/blobs\/sha256:/.test(path) || incoming.method !== 'GET') {
      return forward(incoming, response, options.host, undefined, false)
    }
    const { host = '', range, authorization } = incoming.headers
    seen.push({ host, path, ...(range && { range }), ...(authorization && { authorization }) })
    closedUntil ??= performance.now() + PAUSE * 1000
    const isRefused = options.fault === '429' && performance.now() < closedUntil
    const isFirst = options.fault === '429' ? isRefused : options.always === true || !met.has(path)
    met.add(path)
    if (isFirst && answers(options.fault, path, server.address() as AddressInfo, response)) return
    forward(incoming, response, options.host, isFirst ? options.fault : undefined, options.ignoreRange)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    async close() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

/** Faults that need no registry. */
function answers(fault: ProxyFault, path: string, { port }: AddressInfo, response: ServerResponse): boolean {
  if (fault === '500' || fault === '503') response.writeHead(Number(fault)).end()
  else if (fault === '429') response.writeHead(429, { 'Retry-After': String(PAUSE) }).end()
  else if (fault === 'redirect')
    response.writeHead(307, { Location: `http://localhost:${port}${path}` }).end()
  else return false
  return true
}

function forward(
  incoming: IncomingMessage,
  response: ServerResponse,
  host: string,
  fault: ProxyFault | undefined,
  ignoreRange = false,
): void {
  const headers = { ...incoming.headers }
  if (ignoreRange) delete headers.range
  const [hostname = '', port = ''] = host.split(':')
  const { method, url } = incoming
  const outgoing = request({ hostname, port, method, path: url, headers }, async (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
    if (fault === undefined) return void answer.pipe(response)
    const bytes = Buffer.concat(await answer.toArray())
    const half = Math.floor(bytes.length / 2)
    if (fault === 'flip') {
      bytes[half] = (bytes[half] ?? 0) ^ 1
      return void response.end(bytes)
    }
    response.write(bytes.subarray(0, half))
    // A reset would overtake what was sent.
    if (fault === 'cut') setTimeout(() => response.socket?.resetAndDestroy(), 20)
  })
  outgoing.on('error', () => response.destroy())
  incoming.pipe(outgoing)
}
