import { collect, decodeUtf8 } from '@bootable/bytes'
import type { Clock } from '../clock.ts'
import { answer, type Call, failure, jsonAnswer } from './answer.ts'
import type { TestAccess, TestAuth, TestUser } from './options.ts'

/** What a request wants. The catalog is a scope of its own; a ping wants nothing but a login. */
export interface Scope {
  readonly type: 'repository' | 'registry'
  readonly name: string
  readonly actions: readonly string[]
}

/** The doorman. */
export interface Gate {
  /** Why a request may not pass, or `undefined`. */
  check(call: Call, scopes: readonly Scope[]): Response | undefined
  /** The token endpoint. */
  issueToken(call: Call): Promise<Response>
}

interface Token {
  readonly scopes: readonly Scope[]
  /** Milliseconds on the clock. */
  readonly expires: number
}

export const TOKEN_PATH = '/token'
const MAX_FORM = 64 * 1024

export function createGate(auth: TestAuth | undefined, clock: Clock): Gate {
  if (!auth) return { check: () => undefined, issueToken: async () => answer(404) }
  const { type, users, anonymous = [], lifetime = 300, service = 'test-registry' } = auth
  const tokens = new Map<string, Token>()
  const refreshTokens = new Map<string, TestUser>()
  for (const user of users) if (user.identityToken !== undefined) refreshTokens.set(user.identityToken, user)

  /** The part of what is wanted that this one may have. */
  function grant(access: readonly TestAccess[] | undefined, wanted: readonly Scope[]): Scope[] {
    if (!access) return [...wanted]
    return wanted.map((scope) => ({
      ...scope,
      actions: scope.actions.filter((action) =>
        access.some(
          ({ repository, actions }) =>
            scope.type === 'repository' &&
            new RegExp(`^(?:${repository})$`).test(scope.name) &&
            actions.some((each) => each === action),
        ),
      ),
    }))
  }

  const covers = (granted: readonly Scope[], wanted: readonly Scope[]): boolean =>
    wanted.every(({ type: kind, name, actions }) =>
      actions.every((action) =>
        granted.some((each) => each.type === kind && each.name === name && each.actions.includes(action)),
      ),
    )

  const login = (headers: Headers): TestUser | undefined => {
    const credentials = basicOf(headers)
    return users.find(
      ({ username, password }) => username === credentials?.username && password === credentials.password,
    )
  }

  function checkBasic({ headers }: Call, wanted: readonly Scope[]): Response | undefined {
    const user = login(headers)
    // skopeo's answer to a challenge when it has no login is an empty one.
    const isStranger = (basicOf(headers)?.username ?? '') === ''
    if (isStranger && wanted.length > 0 && covers(grant(anonymous, wanted), wanted)) return undefined
    if (!user) {
      return failure(401, 'UNAUTHORIZED', 'authentication required', {
        'WWW-Authenticate': `Basic realm="${service}"`,
      })
    }
    return covers(grant(user.access, wanted), wanted)
      ? undefined
      : failure(403, 'DENIED', 'requested access to the resource is denied')
  }

  function checkToken({ headers, url }: Call, wanted: readonly Scope[]): Response | undefined {
    const text = /^Bearer (\S+)$/.exec(headers.get('authorization') ?? '')?.[1]
    const token = text === undefined ? undefined : tokens.get(text)
    const isValid = token !== undefined && clock.now() < token.expires
    if (isValid && covers(token.scopes, wanted)) return undefined
    const scope = wanted.map(({ type: kind, name, actions }) => `${kind}:${name}:${actions.join(',')}`)
    const parameters = {
      realm: new URL(TOKEN_PATH, url).href,
      service,
      ...(scope.length > 0 && { scope: scope.join(' ') }),
      ...(text !== undefined && { error: isValid ? 'insufficient_scope' : 'invalid_token' }),
    }
    const challenge = Object.entries(parameters).map(([key, value]) => `${key}="${value}"`)
    return failure(401, 'UNAUTHORIZED', 'authentication required', {
      'WWW-Authenticate': `Bearer ${challenge.join(',')}`,
    })
  }

  async function issueToken(call: Call): Promise<Response> {
    if (type !== 'token') return answer(404)
    const request = await tokenRequest(call)
    const { form } = request
    if ((form.get('service') ?? service) !== service) return failure(400, 'DENIED', 'another service')
    const credentials = request.grant === 'password' ? formLogin(form) : undefined
    const user =
      request.grant === 'refresh_token'
        ? refreshTokens.get(form.get('refresh_token') ?? '')
        : (credentials ?? login(call.headers))
    const isNamed = call.headers.has('authorization') || request.grant !== undefined
    if (isNamed && !user) return failure(401, 'UNAUTHORIZED', 'wrong credentials')
    const scopes = grant(user ? user.access : anonymous, request.scopes)
    const token = randomText()
    tokens.set(token, { scopes, expires: clock.now() + lifetime * 1000 })
    const wantsRefresh = form.get('offline_token') === 'true' || form.get('access_type') === 'offline'
    const refreshToken = user && wantsRefresh ? randomText() : undefined
    if (user && refreshToken !== undefined) refreshTokens.set(refreshToken, user)
    return jsonAnswer({
      token,
      access_token: token,
      expires_in: lifetime,
      issued_at: new Date().toISOString(),
      ...(refreshToken !== undefined && { refresh_token: refreshToken }),
    })
  }

  const formLogin = (form: URLSearchParams): TestUser | undefined =>
    users.find(
      ({ username, password }) => username === form.get('username') && password === form.get('password'),
    )

  return { check: type === 'basic' ? checkBasic : checkToken, issueToken }
}

/** GET with parameters, or the form of OAuth2: both of distribution's token specifications. */
async function tokenRequest({ method, url, body }: Call): Promise<{
  readonly form: URLSearchParams
  readonly grant?: string
  readonly scopes: Scope[]
}> {
  const form =
    method === 'POST'
      ? new URLSearchParams(decodeUtf8(await collect(body, MAX_FORM)) ?? '')
      : url.searchParams
  const grant = method === 'POST' ? (form.get('grant_type') ?? '') : undefined
  const scopes = form.getAll('scope').flatMap((each) => each.split(' ').filter((scope) => scope !== ''))
  return { form, ...(grant !== undefined && { grant }), scopes: scopes.map(parseScope) }
}

function parseScope(text: string): Scope {
  const [type, ...rest] = text.split(':')
  const actions = (rest.pop() ?? '').split(',')
  return { type: type === 'registry' ? 'registry' : 'repository', name: rest.join(':'), actions }
}

function basicOf(headers: Headers): { readonly username: string; readonly password: string } | undefined {
  const encoded = /^Basic (\S+)$/.exec(headers.get('authorization') ?? '')?.[1]
  if (encoded === undefined) return undefined
  try {
    const bytes = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0))
    const [username = '', ...password] = (decodeUtf8(bytes) ?? '').split(':')
    return { username, password: password.join(':') }
  } catch {
    return undefined
  }
}

function randomText(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(18)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('')
}
