import { registryError } from '../errors.ts'
import { addressScope, isNearer } from './address.ts'
import { redactUrl } from './redact.ts'

/**
 * The one place that decides where a registry may send us. Its answers (redirects, token realms, links to
 * the next page) are a stranger's words, and each of them has been used to fetch credentials or to reach
 * into somebody's own network.
 */

/** Checks the target of a redirect. @throws BootableError `POLICY`, `PROTOCOL` */
export function checkRedirect(location: string, from: URL): URL {
  const target = parse(location, from, 'redirect')
  if (from.protocol === 'https:' && target.protocol !== 'https:') {
    throw refused('redirect', target, from, 'it leads from https to http')
  }
  // Of another host at that: `fetch` refuses such URLs, and nobody needs them.
  if (target.username !== '' || target.password !== '') {
    throw refused('redirect', target, from, 'it contains a user name')
  }
  const scope = addressScope(target)
  if ((scope === 'loopback' || scope === 'link-local') && isNearer(target, from)) {
    throw refused('redirect', target, from, `it leads to a ${scope} address`)
  }
  return target
}

/**
 * Checks the `Location` at which an upload goes on: as a redirect, but for one thing. Registries behind a
 * proxy that ends TLS name themselves with http (distribution without `X-Forwarded-Proto`); what leads to the
 * same host stays with the origin that was spoken to.
 * @throws BootableError `POLICY`, `PROTOCOL`
 */
export function checkUploadLocation(location: string, from: URL): URL {
  const target = parse(location, from, 'Location')
  if (from.protocol === 'https:' && target.protocol === 'http:' && target.hostname === from.hostname) {
    return checkRedirect(`${from.origin}${target.pathname}${target.search}`, from)
  }
  return checkRedirect(location, from)
}

/** Checks the `realm` of a bearer challenge before anything is sent there. @throws BootableError `POLICY` */
export function checkRealm(realm: string, registry: URL): URL {
  const target = parse(realm, undefined, 'token realm')
  if (target.protocol !== 'https:' && registry.protocol === 'https:') {
    throw refused('token realm', target, registry, 'it is not https')
  }
  if (target.username !== '' || target.password !== '') {
    throw refused('token realm', target, registry, 'it contains a user name')
  }
  // Ports may differ: a token server often runs beside its registry.
  if (target.hostname !== registry.hostname && isNearer(target, registry)) {
    throw refused('token realm', target, registry, `it is a ${addressScope(target)} address`)
  }
  return target
}

/** Checks the next page of a list: the same origin, always. @throws BootableError `POLICY` */
export function checkNextPage(target: string, from: URL): URL {
  const next = parse(target, from, 'link')
  if (next.origin !== from.origin) throw refused('link', next, from, 'it leads to another origin')
  return next
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
