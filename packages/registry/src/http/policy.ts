import { registryError } from '../errors.ts'
import { type AddressScope, addressScope, isNearer, nearestOf, scopeOfAddress } from './address.ts'
import { redactUrl } from './redact.ts'

/**
 * The one place that decides where a registry may send us. Its answers (redirects, token realms, places to
 * upload to, links to the next page) and the manifests in it are a stranger's words, and each of them has
 * been used to fetch credentials or to reach into somebody's own network.
 *
 * Names are judged here; what they stand for is judged by the transport, which is told how near it may be.
 */
export interface Destination {
  readonly url: URL
  /** The nearest address that the name may turn out to have: {@link HttpRequest.nearest}. */
  readonly nearest: AddressScope
}

/** What is known about a server whose words are judged. */
export interface Bounds {
  /** The address that it answered from. */
  readonly peer?: string | undefined
  /** What it was bound to itself: whoever was sent there by a stranger gets no further in. */
  readonly nearest?: AddressScope | undefined
}

/** Checks the target of a redirect. @throws BootableError `POLICY`, `PROTOCOL` */
export function checkRedirect(location: string, from: URL, bounds: Bounds = {}): Destination {
  return checkMove('redirect', location, from, bounds)
}

/**
 * Checks the `Location` at which an upload goes on, absolute or relative: as a redirect, but for one thing.
 * Registries behind a proxy that ends TLS name themselves with http (distribution without
 * `X-Forwarded-Proto`); what leads to the same host stays with the origin that was spoken to.
 *
 * Whoever compares `origin` knows whether credentials may go along. An explicit `:443` makes no difference
 * there: `URL` leaves out the port that its scheme has anyway, which some registries do as well and some
 * do not (oras-project/oras-go#177).
 * @throws BootableError `POLICY`, `PROTOCOL`
 */
export function checkUploadLocation(location: string, from: URL, bounds: Bounds = {}): Destination {
  const target = parse(location, from, 'upload location')
  const isDowngrade = from.protocol === 'https:' && target.protocol === 'http:'
  const own =
    isDowngrade && target.hostname === from.hostname
      ? `${from.origin}${target.pathname}${target.search}`
      : location
  return checkMove('upload location', own, from, bounds)
}

function checkMove(what: string, location: string, from: URL, { peer, nearest }: Bounds): Destination {
  const url = parse(location, from, what)
  if (from.protocol === 'https:' && url.protocol !== 'https:') {
    throw refused(what, url, from, 'it leads from https to http')
  }
  refuseUser(what, url, from)
  // Storage on an address of the same network is normal, whatever name the registry itself has.
  const own = nearestOf(scopeOf(from, peer), 'private')
  const bound = nearest !== undefined && isNearer(own, nearest) ? nearest : own
  if (url.hostname !== from.hostname) refuseNearer(what, url, from, bound)
  return { url, nearest: bound }
}

/**
 * Checks the `realm` of a bearer challenge before anything is sent there.
 * @param peer the address that the registry answered from
 * @throws BootableError `POLICY`, `PROTOCOL`
 */
export function checkRealm(realm: string, registry: URL, peer?: string): Destination {
  const what = 'token realm'
  const url = parse(realm, undefined, what)
  if (url.protocol !== 'https:' && registry.protocol === 'https:') {
    throw refused(what, url, registry, 'it is not https')
  }
  refuseUser(what, url, registry)
  // Ports may differ: a token server often runs beside its registry.
  const nearest = scopeOf(registry, peer)
  if (url.hostname !== registry.hostname) refuseNearer(what, url, registry, nearest)
  return { url, nearest }
}

/** Checks the next page of a list: the same origin, always. @throws BootableError `POLICY`, `PROTOCOL` */
export function checkNextPage(target: string, from: URL): URL {
  const next = parse(target, from, 'link')
  refuseUser('link', next, from)
  if (next.origin !== from.origin) throw refused('link', next, from, 'it leads to another origin')
  return next
}

/**
 * Checks one of the `urls` of a layer that its registry does not hold: image-spec, "Descriptors". Whoever
 * wrote the manifest chose it (the class of CVE-2020-15157): https only, and nothing nearer than the registry.
 * @throws BootableError `POLICY`, `PROTOCOL`
 */
export function checkForeignUrl(text: string, registry: URL): Destination {
  const what = 'foreign URL'
  const url = parse(text, undefined, what)
  if (url.protocol !== 'https:') throw refused(what, url, registry, 'it is not https')
  refuseUser(what, url, registry)
  const nearest = addressScope(registry)
  refuseNearer(what, url, registry, nearest)
  return { url, nearest }
}

/** How near a server is, by its name and by the address that it answered from. */
function scopeOf(url: URL, peer: string | undefined): AddressScope {
  return peer === undefined ? addressScope(url) : nearestOf(addressScope(url), scopeOfAddress(peer))
}

/** Of another host at that: `fetch` refuses such URLs, and nobody needs them. */
function refuseUser(what: string, url: URL, from: URL): void {
  if (url.username !== '' || url.password !== '') throw refused(what, url, from, 'it contains a user name')
}

function refuseNearer(what: string, url: URL, from: URL, nearest: AddressScope): void {
  const scope = addressScope(url)
  if (isNearer(scope, nearest)) throw refused(what, url, from, `it leads to a ${scope} address`)
}

function parse(text: string, base: URL | undefined, what: string): URL {
  let url: URL
  try {
    url = new URL(text, base)
  } catch {
    throw registryError('PROTOCOL', `the ${what} is not a URL`, base && { url: redactUrl(base) })
  }
  if (url.protocol === 'https:' || url.protocol === 'http:') return url
  throw registryError(
    'POLICY',
    `a ${what} to ${url.protocol} is not followed`,
    base && { url: redactUrl(base) },
  )
}

function refused(what: string, target: URL, from: URL, reason: string): Error {
  const details = { url: redactUrl(from), target: redactUrl(target) }
  return registryError('POLICY', `${from.host} gave a ${what} to ${target.host}, refused: ${reason}`, details)
}
