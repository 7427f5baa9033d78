import { type Clock, unlessAborted } from '../clock.ts'
import { registryError } from '../errors.ts'
import type { RegistryEventListener } from '../events.ts'
import type { Redactor } from '../http/redact.ts'
import type { HttpRequest, HttpResponse } from '../http/transport.ts'
import { type Challenge, parseChallenges } from './challenge.ts'
import {
  basicAuthorization,
  type Credential,
  type Credentials,
  type CredentialTarget,
} from './credentials.ts'
import { scopesOf } from './scope.ts'
import { fetchToken } from './token.ts'

/** For which repository of which registry a request is, and what it wants there. */
export interface AuthorizationTarget extends CredentialTarget {
  /** Where the registry answers. */
  readonly origin: URL
  /** Whatever certificate it shows is trusted. */
  readonly insecure?: boolean | undefined
  /** The scope of the request itself, whatever the registry calls it. */
  readonly scope: string
}

/** What goes into the header `Authorization`. */
export interface Authorization {
  readonly value: string
  /** A token that was given to nobody in particular. */
  readonly anonymous: boolean
}

/** Keeps the tokens of a registry client. */
export interface Authorizer {
  /** What is known to open the target, renewed if it is about to expire. The first request has nothing. */
  current(target: AuthorizationTarget, signal?: AbortSignal): Promise<Authorization | undefined>
  /**
   * Answers a 401. `undefined` when nothing new can be offered.
   * @param refused what the request had carried
   * @param peer the address that the challenge came from
   */
  answer(
    target: AuthorizationTarget,
    challenge: { readonly header: string; readonly peer?: string | undefined },
    refused: Authorization | undefined,
    signal?: AbortSignal,
  ): Promise<Authorization | undefined>
}

/** Options of {@link createAuthorizer}. */
export interface AuthorizerOptions {
  readonly credentials: Credentials
  readonly clock: Clock
  readonly redactor: Redactor
  readonly send: (request: HttpRequest) => Promise<HttpResponse>
  readonly onEvent?: RegistryEventListener | undefined
}

/** Milliseconds before its end at which a token is no longer used: a request takes time to arrive. */
const EARLY = 5_000

interface Given extends Authorization {
  readonly usableUntil: number
}

interface Entry extends Given {
  readonly challenge: Challenge
  readonly peer: string | undefined
}

/**
 * Tokens are kept by what the request wants, not by what the challenge names: a registry behind a rewriting
 * proxy names other repositories. Calls that need the same token wait for one fetch.
 */
export function createAuthorizer(options: AuthorizerOptions): Authorizer {
  const { credentials, clock, redactor, send, onEvent } = options
  const entries = new Map<string, Entry>()
  const pending = new Map<string, Promise<Entry | undefined>>()
  /** Identity tokens that a server has replaced by newer ones. */
  const replaced = new Map<string, string>()
  const keyOf = ({ origin, scope }: AuthorizationTarget): string => `${origin.origin} ${scope}`

  async function obtain(
    target: AuthorizationTarget,
    challenge: Challenge,
    peer: string | undefined,
  ): Promise<Entry | undefined> {
    const { host, repository, key } = target
    const credential = await credentials({ host, repository, key }, {})
    for (const secret of secretsOf(credential)) redactor.add(secret)
    const given = await (challenge.scheme === 'basic'
      ? basic(credential)
      : bearer(target, challenge, credential, peer))
    if (!given) return undefined
    const entry = { ...given, challenge, peer }
    entries.set(keyOf(target), entry)
    const { anonymous } = entry
    const scheme = challenge.scheme === 'basic' ? 'basic' : 'bearer'
    onEvent?.({ type: 'authenticated', host, scheme, anonymous, scope: target.scope })
    return entry
  }

  async function basic(credential: Credential | undefined): Promise<Given | undefined> {
    if (credential?.type !== 'password') return undefined
    const value = basicAuthorization(credential.username, credential.password)
    return { value, anonymous: false, usableUntil: Number.POSITIVE_INFINITY }
  }

  async function bearer(
    target: AuthorizationTarget,
    challenge: Challenge,
    credential: Credential | undefined,
    peer: string | undefined,
  ): Promise<Given> {
    if (credential?.type === 'registry-token') {
      const value = `Bearer ${headerSafe(credential.token, target.host)}`
      return { value, anonymous: false, usableUntil: Number.POSITIVE_INFINITY }
    }
    const start = clock.now()
    const identity = credential?.type === 'identity-token' ? credential.token : undefined
    const known = identity === undefined ? undefined : replaced.get(identity)
    const { token, lifetime, refreshToken } = await fetchToken({
      challenge,
      scopes: scopesOf(challenge.parameters.get('scope'), target.scope),
      credential: known === undefined ? credential : { type: 'identity-token', token: known },
      registry: target.origin,
      peer,
      insecure: target.insecure,
      send,
      redactor,
    })
    redactor.add(token)
    if (identity !== undefined && refreshToken !== undefined) {
      redactor.add(refreshToken)
      replaced.set(identity, refreshToken)
    }
    const usableUntil = start + lifetime * 1000 - EARLY
    return { value: `Bearer ${token}`, anonymous: credential === undefined, usableUntil }
  }

  function obtainOnce(
    target: AuthorizationTarget,
    challenge: Challenge,
    peer: string | undefined,
  ): Promise<Entry | undefined> {
    const key = keyOf(target)
    const running = pending.get(key)
    if (running) return running
    // Without a caller's signal: whoever gives up must not take the others along.
    const started = obtain(target, challenge, peer).finally(() => pending.delete(key))
    pending.set(key, started)
    return started
  }

  return {
    async current(target, signal) {
      const entry = entries.get(keyOf(target))
      if (!entry || clock.now() < entry.usableUntil) return entry
      return unlessAborted(obtainOnce(target, entry.challenge, entry.peer), signal)
    },
    async answer(target, { header, peer }, refused, signal) {
      const known = entries.get(keyOf(target))
      // Another call was quicker.
      if (known && known.value !== refused?.value && clock.now() < known.usableUntil) return known
      const challenge = chooseChallenge(parseChallenges(header)) ?? known?.challenge
      if (!challenge) return undefined
      const entry = await unlessAborted(obtainOnce(target, challenge, peer), signal)
      return entry?.value === refused?.value ? undefined : entry
    },
  }
}

/** A bearer token shows the registry less than a password does. Other schemes are not spoken. */
function chooseChallenge(challenges: readonly Challenge[]): Challenge | undefined {
  const bearer = challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm'))
  return bearer ?? challenges.find(({ scheme }) => scheme === 'basic')
}

/** A credential in every form in which it is sent, and may be sent back. */
function secretsOf(credential: Credential | undefined): string[] {
  if (!credential) return []
  const [username, secret] =
    credential.type === 'password'
      ? [credential.username, credential.password]
      : ['<token>', credential.token]
  return [secret, basicAuthorization(username, secret).slice('Basic '.length)]
}

/** Refused here, since whoever builds the header would quote it in the error. */
function headerSafe(token: string, host: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token
  throw registryError(
    'CREDENTIALS_UNREADABLE',
    `the token stored for ${host} has characters that no header may have`,
  )
}
