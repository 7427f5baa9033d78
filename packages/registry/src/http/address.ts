/** How far away a host is, judged by its name alone. Names that need DNS count as public. */
export type AddressScope = 'loopback' | 'link-local' | 'private' | 'public'

/**
 * The scope of the host of a URL. `URL` has already brought odd spellings (`0x7f.1`, `[::FFFF:7f00:1]`)
 * into one form. Ranges are those of the IANA special-purpose address registries.
 */
export function addressScope(url: URL): AddressScope {
  const host = url.hostname.replace(/\.$/, '')
  if (host === 'localhost' || host.endsWith('.localhost')) return 'loopback' // RFC 6761, 6.3
  if (host.startsWith('[')) return scopeOfIpv6(host.slice(1, -1))
  const octets = /^(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(host)
  return octets ? scopeOfIpv4(Number(octets[1]), Number(octets[2])) : 'public'
}

function scopeOfIpv4(first: number, second: number): AddressScope {
  // 0.0.0.0 reaches the host itself on Linux.
  if (first === 127 || first === 0) return 'loopback'
  if (first === 169 && second === 254) return 'link-local'
  const isPrivate =
    first === 10 ||
    (first === 172 && second >= 16 && second < 32) ||
    (first === 192 && second === 168) ||
    (first === 100 && second >= 64 && second < 128) // RFC 6598
  return isPrivate ? 'private' : 'public'
}

function scopeOfIpv6(address: string): AddressScope {
  if (address === '::1' || address === '::') return 'loopback'
  // IPv4-mapped (RFC 4291, 2.5.5.2), IPv4-compatible, and NAT64 (RFC 6052): judged by the address inside.
  const inner = /^(?:::ffff:|::|64:ff9b::)([0-9a-f]{1,4}):[0-9a-f]{1,4}$/.exec(address)
  if (inner?.[1]) {
    const high = Number.parseInt(inner[1], 16)
    return scopeOfIpv4(high >> 8, high & 0xff)
  }
  const first = Number.parseInt(address.split(':', 1)[0] || '0', 16)
  if ((first & 0xffc0) === 0xfe80) return 'link-local'
  return (first & 0xfe00) === 0xfc00 ? 'private' : 'public'
}

/** The scope of an IP address as a resolver writes it: `10.0.0.1`, `fe80::1%eth0`. */
export function scopeOfAddress(address: string): AddressScope {
  const bare = address.replace(/%.*$/, '')
  return addressScope(new URL(`http://${bare.includes(':') ? `[${bare}]` : bare}/`))
}

const SCOPES: readonly AddressScope[] = ['loopback', 'link-local', 'private', 'public']

/** Whether one scope is nearer to this machine than another: where a stranger must not send us. */
export function isNearer(scope: AddressScope, than: AddressScope): boolean {
  return SCOPES.indexOf(scope) < SCOPES.indexOf(than)
}

/** The nearest of several scopes. */
export function nearestOf(...scopes: readonly AddressScope[]): AddressScope {
  return SCOPES.find((scope) => scopes.includes(scope)) ?? 'public'
}
