import { collect, decodeUtf8 } from '@bootable/bytes'
import { registryError } from '../errors.ts'
import { responseError } from '../http/failure.ts'
import { checkRealm, type Destination } from '../http/policy.ts'
import { type Redactor, redactUrl } from '../http/redact.ts'
import type { HttpRequest, HttpResponse } from '../http/transport.ts'
import type { Challenge } from './challenge.ts'
import { basicAuthorization, type Credential } from './credentials.ts'

const MAX_BODY = 1024 * 1024
/** distribution's token specification: the least a token lives, and what is meant when nothing is said. */
const MIN_LIFETIME = 60
const CLIENT_ID = 'bootable'

/** What {@link fetchToken} asks for. */
export interface TokenRequest {
  /** A bearer challenge. */
  readonly challenge: Challenge
  readonly scopes: readonly string[]
  /** Anonymous without it. */
  readonly credential?: Exclude<Credential, { type: 'registry-token' }> | undefined
  /** Whose challenge it is: bounds where its realm may be. */
  readonly registry: URL
  /** The address that the registry answered from. */
  readonly peer?: string | undefined
  /** Whatever certificate the registry shows is trusted: {@link HttpRequest.insecure}. */
  readonly insecure?: boolean | undefined
  readonly send: (request: HttpRequest) => Promise<HttpResponse>
  readonly redactor: Redactor
}

/** A bearer token. */
export interface Token {
  readonly token: string
  /** Seconds, counted from before the request was sent. */
  readonly lifetime: number
  /** Replaces the identity token that was used. */
  readonly refreshToken?: string
}

/**
 * Fetches a bearer token: distribution, "Token Authentication Specification" and "OAuth2 Token
 * Authentication". No redirect is followed: the credentials in the request are for this host alone.
 * @throws BootableError `POLICY`, `AUTH_DENIED`, `PROTOCOL`, and those of the network
 */
export async function fetchToken(request: TokenRequest): Promise<Token> {
  const { challenge, registry, peer } = request
  const realm = checkRealm(challenge.parameters.get('realm') ?? '', registry, peer)
  if (request.credential?.type !== 'identity-token') return readToken(get(realm, request), request)
  const post = oauth2(realm, request, request.credential.token)
  const answer = await request.send(post)
  // Servers that know no OAuth2 say so in one of these ways.
  if (answer.status !== 404 && answer.status !== 405) return readToken(post, request, answer)
  await answer.cancel()
  return readToken(get(realm, request), request)
}

/** How the token server may be reached: as its registry is, where it is the same host. */
function reach(
  { url, nearest }: Destination,
  { registry, insecure }: TokenRequest,
): Pick<HttpRequest, 'nearest' | 'insecure'> {
  return url.hostname === registry.hostname ? { insecure } : { nearest }
}

function get(realm: Destination, request: TokenRequest): HttpRequest {
  const { challenge, scopes, credential } = request
  const url = new URL(realm.url)
  const service = challenge.parameters.get('service')
  if (service !== undefined) url.searchParams.set('service', service)
  for (const scope of scopes) url.searchParams.append('scope', scope)
  const headers: Record<string, string> = { Accept: 'application/json' }
  if (credential?.type === 'password') {
    headers.Authorization = basicAuthorization(credential.username, credential.password)
  } else if (credential) {
    // The user name that Docker stores beside an identity token.
    headers.Authorization = basicAuthorization('<token>', credential.token)
  }
  return { method: 'GET', url, headers, ...reach(realm, request) }
}

function oauth2(realm: Destination, request: TokenRequest, refreshToken: string): HttpRequest {
  const { challenge, scopes } = request
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    client_id: CLIENT_ID,
    service: challenge.parameters.get('service') ?? realm.url.host,
    scope: scopes.join(' '),
    refresh_token: refreshToken,
  })
  return {
    method: 'POST',
    url: realm.url,
    ...reach(realm, request),
    headers: { Accept: 'application/json', 'Content-Type': 'application/x-www-form-urlencoded' },
    body: new TextEncoder().encode(form.toString()),
  }
}

async function readToken(sent: HttpRequest, request: TokenRequest, answer?: HttpResponse): Promise<Token> {
  const { method, url } = sent
  const response = answer ?? (await request.send(sent))
  if (response.status >= 300 && response.status < 400) {
    await response.cancel()
    const details = { method, url: redactUrl(url), status: response.status }
    throw registryError('POLICY', `the token server ${url.host} redirects; that is not followed`, details)
  }
  if (response.status !== 200) {
    throw await responseError(response, { method, url, redactor: request.redactor })
  }
  const document = parseDocument(await collect(response.body, MAX_BODY))
  const token = document.token ?? document.access_token
  // It goes into a header as it is; anything else would show up in the error of whoever refuses it.
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) {
    const details = { method, url: redactUrl(url), status: 200 }
    throw registryError('PROTOCOL', `the token server ${url.host} gave no usable token`, details)
  }
  const seconds = typeof document.expires_in === 'number' ? document.expires_in : 0
  const refreshToken = document.refresh_token
  return {
    token,
    lifetime: Math.max(MIN_LIFETIME, seconds),
    ...(typeof refreshToken === 'string' && refreshToken !== '' && { refreshToken }),
  }
}

function parseDocument(bytes: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(decodeUtf8(bytes) ?? '')
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
