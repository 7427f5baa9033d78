import * as http from 'node:http'
import * as https from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import * as tls from 'node:tls'
import { registryError } from '../errors.ts'
import type { HttpRequest } from '../http/transport.ts'
import { commonAuthorities } from './authorities.ts'
import type { HostTls, HostTlsSource } from './host-tls.ts'
import type { ProxyChoice } from './proxy.ts'
import { boundedLookup } from './resolve.ts'
import { openTunnel, proxyAddress } from './tunnel.ts'

/** Options of {@link createConnections}. */
export interface ConnectionsOptions {
  readonly keepAlive: number
  readonly hosts: HostTlsSource
  readonly proxy: ProxyChoice
  readonly lookup: LookupFunction | undefined
}

/** The way to one server. */
export interface Way {
  readonly agent: http.Agent
  /** The proxy that a request without TLS is sent to in full; one with TLS goes through a tunnel. */
  readonly proxy?: URL | undefined
  /** Whether the other end of a connection is the server itself. */
  readonly isDirect: boolean
}

/** Keeps connections, apart from each other where they are not trusted alike. */
export interface Connections {
  /** @throws BootableError `CONFIGURATION_INVALID` */
  wayTo(request: Pick<HttpRequest, 'url' | 'nearest' | 'insecure'>): Promise<Way>
  close(): void
}

/**
 * Bytes that a socket may hold: one read, while the one before is being hashed. Of more, Node joins what has
 * gathered, which costs a copy of everything and as much garbage.
 */
const HIGH_WATER_MARK = 64 * 1024

/** The signal of the request for which a connection is made, among the options of that request. */
export const SIGNAL = Symbol('signal')

export function createConnections({ keepAlive, hosts, proxy, lookup }: ConnectionsOptions): Connections {
  const agents = new Map<string, http.Agent>()
  const trusts = new Map<string, Promise<HostTls | undefined>>()
  const common = { keepAlive: true, timeout: keepAlive, highWaterMark: HIGH_WATER_MARK }

  function agentOf(key: string, create: () => http.Agent): http.Agent {
    const agent = agents.get(key) ?? create()
    agents.set(key, agent)
    return agent
  }

  function trustOf(host: string): Promise<HostTls | undefined> {
    let trust = trusts.get(host)
    if (!trust) {
      trust = hosts(host)
      trusts.set(host, trust)
      trust.catch(() => trusts.delete(host))
    }
    return trust
  }

  return {
    async wayTo({ url, nearest, insecure = false }) {
      const through = proxy(url)
      const resolve = nearest === undefined ? lookup : boundedLookup(nearest, lookup)
      const resolving = { ...common, ...(resolve && !through && { lookup: resolve }) }
      // A proxy that is spoken to with TLS is a host like others.
      const proxyTls = through?.protocol === 'https:' && {
        ...tlsOptions(through.host, await trustOf(through.host), false),
        servername: serverName(through),
      }
      if (url.protocol !== 'https:') {
        const key = `${through?.href ?? nearest}`
        const create = (): http.Agent =>
          proxyTls ? new https.Agent({ ...resolving, ...proxyTls }) : new http.Agent(resolving)
        return { agent: agentOf(`plain ${key}`, create), proxy: through, isDirect: !through }
      }
      const trust = await trustOf(url.host)
      const key = `${trust ? url.host : ''} ${insecure} ${through?.href ?? nearest}`
      const create = (): http.Agent => {
        const agent = new https.Agent({ ...resolving, ...tlsOptions(url.host, trust, insecure) })
        return through ? tunnelled(agent, through, proxyTls || {}) : agent
      }
      return { agent: agentOf(`secure ${key}`, create), isDirect: !through }
    },
    close() {
      for (const agent of agents.values()) agent.destroy()
    },
  }
}

/** The same context for all hosts about which nothing special is known. */
let commonContext: tls.SecureContext | undefined

function tlsOptions(host: string, trust: HostTls | undefined, insecure: boolean): tls.ConnectionOptions {
  const rejectUnauthorized = !insecure && (trust?.rejectUnauthorized ?? true)
  if (!trust) {
    commonContext ??= tls.createSecureContext({ ca: [...commonAuthorities()] })
    return { secureContext: commonContext, rejectUnauthorized }
  }
  const { ca = [], cert, key } = trust
  try {
    const secureContext = tls.createSecureContext({
      ca: [...commonAuthorities(), ...[ca].flat()],
      ...(cert !== undefined && { cert: [cert].flat() }),
      ...(key !== undefined && { key: [key].flat() }),
    })
    return { secureContext, rejectUnauthorized }
  } catch (cause) {
    // OpenSSL says what is wrong with a certificate or key without repeating any of it.
    const { code, message } = cause as NodeJS.ErrnoException
    throw registryError('CONFIGURATION_INVALID', `the certificates for ${host} are unusable: ${message}`, {
      host,
      cause: code,
    })
  }
}

/** The name that a certificate is for. Node would take it from the header `Host`, which names the target. */
function serverName({ hostname }: URL): string {
  return isIP(hostname.replace(/^\[|\]$/g, '')) ? '' : hostname
}

/** Gives an agent connections through a proxy; Node lets them come later, by the callback. */
function tunnelled(agent: https.Agent, proxy: URL, proxyTls: tls.ConnectionOptions): https.Agent {
  const createConnection = (
    options: tls.ConnectionOptions & { readonly [SIGNAL]?: AbortSignal },
    callback: (error: Error | null, socket?: tls.TLSSocket) => void,
  ): void => {
    const target = { host: options.host ?? '', port: Number(options.port) }
    openTunnel(proxy, target, proxyTls, options[SIGNAL]).then(
      (socket) => callback(null, tls.connect({ ...options, socket })),
      (error: Error) => callback(error),
    )
  }
  return Object.assign(agent, { createConnection })
}

/** Where a request is sent: to the server itself, or in full to a proxy. */
export function addressOf(url: URL, { proxy }: Way): http.RequestOptions {
  if (!proxy) return {}
  const target = new URL(url)
  target.hash = ''
  const { host, port } = proxyAddress(proxy)
  // Node prefers `hostname`, which the target's URL has set.
  return { protocol: proxy.protocol, host, hostname: host, port, path: target.href }
}
