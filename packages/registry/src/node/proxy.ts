import { BlockList, isIP } from 'node:net'
import { registryError } from '../errors.ts'
import { addressScope } from '../http/address.ts'

/** Says through which proxy a URL is reached; `undefined` for the direct way. */
export type ProxyChoice = (url: URL) => URL | undefined

/**
 * One proxy for everything: `http://user:password@proxy.lan:3128`.
 * @throws BootableError `CONFIGURATION_INVALID`
 */
export function fixedProxy(address: string): ProxyChoice {
  const proxy = parseProxy(address, 'the address of the proxy')
  return () => proxy
}

/**
 * The proxies that the environment names: `https_proxy`, `http_proxy`, `all_proxy` and `no_proxy`, in lower
 * case first, as curl reads them, or in capitals. What is on this machine is always reached directly.
 *
 * `no_proxy` is a list with commas, as Go's httpproxy reads it: `example.org` with what is below it,
 * `.example.org` for only what is below, addresses, networks (`10.0.0.0/8`), each but the last with a port
 * if wanted, or `*`.
 * @throws BootableError `CONFIGURATION_INVALID` when it is first asked for a URL that a broken address is for
 */
export function environmentProxy(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): ProxyChoice {
  const isExempt = parseNoProxy(environment.no_proxy || environment.NO_PROXY || '')
  return (url) => {
    if (addressScope(url) === 'loopback' || isExempt(url)) return undefined
    for (const name of [url.protocol === 'https:' ? 'https_proxy' : 'http_proxy', 'all_proxy']) {
      const address = environment[name] || fromCapitals(name, environment)
      if (address) return parseProxy(address, name)
    }
    return undefined
  }
}

/** A web server puts a request's header `Proxy` into `HTTP_PROXY` of its CGI programs (CVE-2016-5385). */
function fromCapitals(
  name: string,
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  if (name === 'http_proxy' && environment.REQUEST_METHOD) return undefined
  return environment[name.toUpperCase()]
}

/** What is wrong is never quoted: there may be a password in it. */
function parseProxy(address: string, where: string): URL {
  const text = address.includes('://') ? address : `http://${address}`
  if (!URL.canParse(text)) {
    throw registryError('CONFIGURATION_INVALID', `${where} is not a URL`)
  }
  const url = new URL(text)
  if (url.protocol === 'http:' || url.protocol === 'https:') return url
  const message = `${where} begins with ${url.protocol}; only http: and https: proxies are known here`
  throw registryError('CONFIGURATION_INVALID', message)
}

function parseNoProxy(text: string): (url: URL) => boolean {
  const rules = text.split(/[\s,]+/).filter((entry) => entry !== '')
  const matchers = rules.map(parseRule)
  return (url) => {
    const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase()
    const port = url.port || (url.protocol === 'https:' ? '443' : '80')
    return matchers.some((matches) => matches(host, port))
  }
}

function parseRule(rule: string): (host: string, port: string) => boolean {
  if (rule === '*') return () => true
  const [, network = '', length = ''] = /^(.+)\/(\d{1,3})$/.exec(rule) ?? []
  if (isIP(network)) return networkRule(network, Number(length))
  const [, bracketed, plain, port] = /^(?:\[(.+)\]|([^:]+|.*:.*:.*?))(?::(\d+))?$/.exec(rule) ?? []
  const name = (bracketed ?? plain ?? rule).toLowerCase().replace(/^\*\./, '.')
  const isAsked = (asked: string): boolean => port === undefined || port === asked
  if (isIP(name))
    return (host, asked) =>
      host === new URL(`http://${urlHost(name)}`).hostname.replace(/^\[|\]$/g, '') && isAsked(asked)
  const suffix = name.startsWith('.') ? name : `.${name}`
  return (host, asked) => (host === name || host.endsWith(suffix)) && isAsked(asked)
}

function networkRule(network: string, length: number): (host: string) => boolean {
  const family = isIP(network) === 6 ? 'ipv6' : 'ipv4'
  if (length > (family === 'ipv6' ? 128 : 32)) return () => false
  const list = new BlockList()
  list.addSubnet(network, length, family)
  return (host) => isIP(host) !== 0 && list.check(host, isIP(host) === 6 ? 'ipv6' : 'ipv4')
}

function urlHost(address: string): string {
  return address.includes(':') ? `[${address}]` : address
}
