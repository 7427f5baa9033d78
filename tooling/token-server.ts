import { createPrivateKey, sign, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { runOk } from './oracles.ts'

/** Who may do everything. Everybody else may pull below `public/`. */
export interface TokenUser {
  readonly username: string
  readonly password: string
  /** Taken in place of the password by POST: an identity token. */
  readonly refreshToken: string
}

/** A running token server on the loopback interface. */
export interface TokenServer {
  readonly realm: string
  readonly service: string
  readonly issuer: string
  /** Path of the certificate that its tokens are signed by. */
  readonly certificates: string
  /** What it was asked for, such as `GET tester repository:lab/image:pull`. */
  readonly asked: string[]
  close(): Promise<void>
}

/** Seconds: short, so that a test can see one expire. */
const LIFETIME = 300

/**
 * Starts a token server that docker-registry believes: distribution, "Token Authentication Specification".
 * @param folder takes its key and certificate, which openssl makes
 */
export async function startTokenServer(folder: string, user: TokenUser): Promise<TokenServer> {
  const [key, certificates] = [join(folder, 'token.key'), join(folder, 'token.crt')]
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=token', '-days', '2']
  await runOk('openssl', [...request, '-keyout', key, '-out', certificates])
  const [service, issuer] = ['loopback-registry', 'loopback-issuer']
  const issue = tokenIssuer({ key, certificates, service, issuer })
  const asked: string[] = []

  const server = createServer(async (request, response) => {
    const { grant, username, allowed, scopes } = await readRequest(request, user)
    asked.push(`${request.method} ${grant ?? username ?? 'nobody'} ${scopes.join(' ')}`)
    if (!allowed) return void response.writeHead(401).end()
    const access = scopes
      .map(parseScope)
      .filter(({ name }) => username !== undefined || name.startsWith('public/'))
    if (username === undefined)
      for (const each of access) each.actions = each.actions.filter((a) => a === 'pull')
    const token = issue(username ?? '', access)
    response.setHeader('Content-Type', 'application/json')
    response.end(JSON.stringify({ token, access_token: token, expires_in: LIFETIME }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const close = (): Promise<void> => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(() => resolve()))
  }
  return { realm: `http://127.0.0.1:${port}/token`, service, issuer, certificates, asked, close }
}

interface Access {
  readonly type: string
  readonly name: string
  actions: string[]
}

function parseScope(scope: string): Access {
  const [type = '', ...rest] = scope.split(':')
  return { type, name: rest.slice(0, -1).join(':'), actions: (rest.at(-1) ?? '').split(',') }
}

async function readRequest(
  request: IncomingMessage,
  user: TokenUser,
): Promise<{ grant?: string; username?: string; allowed: boolean; scopes: string[] }> {
  if (request.method === 'POST') {
    const form = new URLSearchParams(Buffer.concat(await request.toArray()).toString())
    const isKnown = form.get('refresh_token') === user.refreshToken
    const scopes = (form.get('scope') ?? '').split(' ')
    return { grant: form.get('grant_type') ?? '', username: user.username, allowed: isKnown, scopes }
  }
  const scopes = new URL(request.url ?? '', 'http://token').searchParams.getAll('scope')
  const { authorization } = request.headers
  if (authorization === undefined) return { allowed: true, scopes }
  const expected = `Basic ${Buffer.from(`${user.username}:${user.password}`).toString('base64')}`
  return { username: user.username, allowed: authorization === expected, scopes }
}

/** Makes JWTs signed with RS256 whose certificate stands in `x5c`. */
function tokenIssuer(from: {
  readonly key: string
  readonly certificates: string
  readonly service: string
  readonly issuer: string
}): (subject: string, access: readonly Access[]) => string {
  const key = createPrivateKey(readFileSync(from.key))
  const x5c = [new X509Certificate(readFileSync(from.certificates)).raw.toString('base64')]
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  let count = 0
  return (subject, access) => {
    const now = Math.floor(Date.now() / 1000)
    const claims = {
      iss: from.issuer,
      sub: subject,
      aud: from.service,
      exp: now + LIFETIME,
      nbf: now - 10,
      iat: now,
      jti: `${++count}`,
      access,
    }
    const text = `${encode({ typ: 'JWT', alg: 'RS256', x5c })}.${encode(claims)}`
    return `${text}.${sign('RSA-SHA256', Buffer.from(text), key).toString('base64url')}`
  }
}
