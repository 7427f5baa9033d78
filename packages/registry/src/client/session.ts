import { type BootableError, portableRuntime, type Runtime } from '@bootable/bytes'
import { type AuthorizationTarget, type Authorizer, createAuthorizer } from '../auth/authorizer.ts'
import { ACTIONS, type RepositoryAction, repositoryScope } from '../auth/scope.ts'
import { systemClock, unlessAborted } from '../clock.ts'
import type { RegistryEvent } from '../events.ts'
import type { AddressScope } from '../http/address.ts'
import { DEFAULT_TIMEOUT } from '../http/exchange.ts'
import { responseError } from '../http/failure.ts'
import { fetchTransport } from '../http/fetch.ts'
import { warningsOf } from '../http/headers.ts'
import { createPace } from '../http/pace.ts'
import type { Destination } from '../http/policy.ts'
import { createRedactor } from '../http/redact.ts'
import { type FollowedResponse, followRedirects } from '../http/redirect.ts'
import { type Backoff, createBackoff, retrying } from '../http/retry.ts'
import type { HttpRequest, HttpResponse } from '../http/transport.ts'
import { isInsecure, isLoopback, probeOrigin } from './endpoint.ts'
import type { RepositoryName } from './name.ts'
import type { RegistryOptions } from './options.ts'
import { createRoutes, type Endpoint, type PullKind, type Routes } from './route.ts'

/** One request to a repository. */
export interface RepositoryRequest {
  readonly method: HttpRequest['method']
  /**
   * Below `/v2/<repository>/`, or below the origin where it begins with `/`, or a whole URL that the registry
   * gave and the policy let pass.
   */
  readonly path: string | URL
  /** How near the host of such a URL may be, as the policy said. */
  readonly nearest?: AddressScope | undefined
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: HttpRequest['body']
  readonly action: RepositoryAction
  /** Scopes that the request needs instead of that of its action. */
  readonly scope?: string
  /** Milliseconds that the answer may take longer than others: to move what was uploaded to its place. */
  readonly patience?: number
  /** Any other status is an error. */
  readonly expected: readonly number[]
  /** Error codes for a status that means something special here, such as 404 for a blob. */
  readonly codes?: Readonly<Record<number, string>>
  /** What of it other places may answer, such as mirrors; without it the registry that the name says is asked. */
  readonly pull?: PullKind
  /** Mirrors that are not asked: {@link Session.abandon}. */
  readonly broken?: ReadonlySet<Endpoint>
  readonly signal?: AbortSignal | undefined
}

/** An answer, and who gave it. */
export interface EndpointResponse extends FollowedResponse {
  readonly endpoint: Endpoint
}

/**
 * What all repositories of one client share: connections, tokens, the way to ask.
 *
 * Three rings lie around the transport: `exchange` watches over one request, `followRedirects` keeps
 * credentials at home, and `ask` authorises; `request` repeats all of that.
 */
export interface Session {
  readonly runtime: Runtime
  /** One try. @throws BootableError with the answer's error for any status that was not expected */
  ask(name: RepositoryName, request: RepositoryRequest): Promise<EndpointResponse>
  /** Like `ask`, with repetitions after passing failures. */
  request(name: RepositoryName, request: RepositoryRequest): Promise<EndpointResponse>
  /** Like `request`, and reads the answer; a body that breaks is a passing failure, too. */
  read<T>(
    name: RepositoryName,
    request: RepositoryRequest,
    consume: (response: EndpointResponse) => Promise<T>,
  ): Promise<T>
  /** Whether layers may come from the `urls` of their descriptors. */
  readonly foreignUrls: boolean
  /** One GET of a place outside of the registry, as nobody in particular; redirects are followed. */
  fetch(place: Destination, headers: HttpRequest['headers'], signal?: AbortSignal): Promise<FollowedResponse>
  /** A mirror answered, but its content does not come: {@link Routes.abandon}. */
  abandon: Routes['abandon']
  /** For a download that goes on where it broke. */
  backoff(signal: AbortSignal | undefined, offset: () => number): Backoff
  emit(event: RegistryEvent): void
  close(): Promise<void>
}

export function createSession(options: RegistryOptions): Session {
  const { transport = fetchTransport(), timeouts = {}, retry = {}, clock = systemClock } = options
  const { runtime = portableRuntime, onEvent, userAgent = 'bootable' } = options
  const redactor = createRedactor()
  const origins = new Map<string, Promise<URL>>()
  const emit = (event: RegistryEvent): void => onEvent?.(event)
  const routes = createRoutes(options.router, emit)
  const pace = createPace({ clock, maxBytesPerSecond: options.maxBytesPerSecond, onEvent })

  const send = (request: HttpRequest, signal?: AbortSignal, patience = 0): Promise<HttpResponse> => {
    // Compressing proxies would change length and digest of what is sent.
    const headers = { 'User-Agent': userAgent, 'Accept-Encoding': 'identity', ...request.headers }
    const response = (timeouts.response ?? DEFAULT_TIMEOUT) + patience
    return pace.exchange({ ...request, headers }, { transport, timeouts: { ...timeouts, response }, signal })
  }
  const authorizer: Authorizer = createAuthorizer({
    credentials: options.credentials ?? (async () => undefined),
    clock,
    redactor,
    send,
    onEvent,
  })

  function originOf(server: string, insecure: boolean): Promise<URL> {
    const key = `${server} ${insecure}`
    let origin = origins.get(key)
    if (!origin) {
      origin =
        insecure || isLoopback(server)
          ? probeOrigin(server, (request) => send({ ...request, insecure }))
          : Promise.resolve(new URL(`https://${server}`))
      origins.set(key, origin)
      origin.catch(() => origins.delete(key))
    }
    return origin
  }

  async function askEndpoint(endpoint: Endpoint, request: RepositoryRequest): Promise<EndpointResponse> {
    const { name } = endpoint
    const { method, path, headers, body, action, expected, codes, signal, patience, nearest } = request
    const insecure = endpoint.insecure || isInsecure(name.server, options.insecure)
    const origin = await unlessAborted(originOf(name.server, insecure), signal)
    const url = typeof path === 'string' ? new URL(path, new URL(`/v2/${name.repository}/`, origin)) : path
    const target: AuthorizationTarget = {
      host: name.host,
      repository: name.repository,
      key: name.credentialKey,
      origin,
      insecure,
      scope: request.scope ?? repositoryScope(name.repository, ...ACTIONS[action]),
    }
    // A `Location` may lead to another host, which has no right to what was meant for this one.
    const isHome = url.origin === origin.origin
    const { response, isAnonymous } = await authorised(target, signal, (authorization) =>
      followRedirects(
        {
          method,
          url,
          headers: { ...headers, ...(isHome && authorization) },
          ...(body && { body }),
          ...(url.hostname === origin.hostname ? { insecure } : { nearest }),
        },
        (each) => send(each, signal, patience),
      ),
    )
    for (const message of warningsOf(response.headers)) {
      emit({ type: 'warning', message: `${name.host}: ${redactor.clean(message, response.url)}` })
    }
    if (expected.includes(response.status)) return { ...response, endpoint }
    const wantsLogin = response.status === 401 && isAnonymous && response.url.origin === origin.origin
    throw await responseError(response, {
      method,
      url: response.url,
      redactor,
      home: origin,
      codes: { ...(wantsLogin && { 401: 'AUTH_REQUIRED' }), ...codes },
      hint: wantsLogin
        ? `there may be no such repository, or it is private: log in with \`podman login ${name.host}\``
        : undefined,
    })
  }

  /** Tries, and once more with an answer to the challenge, if there is one. */
  async function authorised(
    target: AuthorizationTarget,
    signal: AbortSignal | undefined,
    attempt: (headers: { readonly Authorization?: string }) => Promise<FollowedResponse>,
  ): Promise<{ response: FollowedResponse; isAnonymous: boolean }> {
    const known = await authorizer.current(target, signal)
    const first = await attempt(known ? { Authorization: known.value } : {})
    const asFirst = { response: first, isAnonymous: known?.anonymous ?? true }
    // A host that a redirect led to gets no answer to its challenges.
    if (first.status !== 401 || first.url.origin !== target.origin.origin) return asFirst
    try {
      const header = first.headers.get('www-authenticate') ?? (await pingChallenges(target, signal))
      const answer = await authorizer.answer(target, { header, peer: first.peer }, known, signal)
      if (!answer) return asFirst
      await first.cancel()
      return { response: await attempt({ Authorization: answer.value }), isAnonymous: answer.anonymous }
    } catch (error) {
      await first.cancel()
      throw error
    }
  }

  /** Google's registries have answered 401 without a challenge; only the root told how to log in. */
  async function pingChallenges(
    { origin, insecure }: AuthorizationTarget,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const url = new URL('/v2/', origin)
    const response = await send({ method: 'GET', url, headers: {}, insecure }, signal)
    await response.cancel()
    return response.headers.get('www-authenticate') ?? ''
  }

  const onRetry =
    (offset: () => number) =>
    (error: BootableError, attempt: number, delay: number): void => {
      const { code, message, details } = error
      pace.hold(error, delay)
      const url = typeof details.url === 'string' ? details.url : ''
      const position = offset()
      emit({ type: 'retry', url, code, message, attempt, delay, ...(position > 0 && { offset: position }) })
    }

  function read<T>(
    name: RepositoryName,
    request: RepositoryRequest,
    consume: (response: EndpointResponse) => Promise<T>,
  ): Promise<T> {
    const { signal, pull, broken } = request
    const atEndpoint = (endpoint: Endpoint, isLast: boolean): Promise<T> => {
      const work = async (): Promise<T> => consume(await askEndpoint(endpoint, request))
      // The next endpoint is the second try.
      const policy = isLast ? retry : { ...retry, attempts: 1 }
      return retrying(work, { policy, clock, signal, onRetry: onRetry(() => 0) })
    }
    return routes.attempt(name, pull, atEndpoint, broken)
  }

  return {
    runtime,
    ask: (name, request) =>
      routes.attempt(name, request.pull, (endpoint) => askEndpoint(endpoint, request), request.broken),
    request: (name, request) => read(name, request, async (response) => response),
    read,
    abandon: routes.abandon,
    foreignUrls: options.foreignUrls ?? false,
    async fetch({ url, nearest }, headers, signal) {
      const request = { method: 'GET', url, nearest, headers } as const
      const response = await followRedirects(request, (each) => send(each, signal))
      if (response.status === 200 || response.status === 206) return response
      throw await responseError(response, { method: 'GET', url: response.url, redactor })
    },
    backoff: (signal, offset) => createBackoff({ policy: retry, clock, signal, onRetry: onRetry(offset) }),
    emit,
    close: async () => transport.close?.(),
  }
}
