import { readFile } from 'node:fs/promises'
import type { Credential } from '../auth/credentials.ts'
import { registryError } from '../errors.ts'

/** Docker's `config.json` and the `auth.json` of containers-auth.json(5), as far as they speak of logins. */
export interface AuthFile {
  readonly auths?: Readonly<Record<string, AuthEntry | null>>
  readonly credHelpers?: Readonly<Record<string, string>>
  readonly credsStore?: string
}

/** What one login left in the file. */
export interface AuthEntry {
  /** Base64 of `user:password`. */
  readonly auth?: string
  readonly username?: string
  readonly password?: string
  readonly identitytoken?: string
  readonly registrytoken?: string
}

const MAX_FILE = 4 * 1024 * 1024

/**
 * Reads such a file; `undefined` when it does not exist.
 * @throws BootableError `CREDENTIALS_UNREADABLE`
 */
export async function readConfigFile(path: string): Promise<AuthFile | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw registryError('CREDENTIALS_UNREADABLE', `${path} cannot be read: ${code}`, { path }, { cause })
  }
  return parseConfig(text, path)
}

/**
 * Reads the text of such a file.
 * @param place for messages
 * @throws BootableError `CREDENTIALS_UNREADABLE`
 */
export function parseConfig(text: string, place: string): AuthFile {
  const value = text.length <= MAX_FILE ? parseObject(text) : undefined
  if (!value) throw registryError('CREDENTIALS_UNREADABLE', `${place} is not a JSON object`, { path: place })
  return value
}

/** Without the parser's error: Node's quotes the text, and with it what it holds. */
function parseObject(text: string): AuthFile | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}

/**
 * The credential in an entry; an entry without one belongs to a helper and is none.
 * @throws BootableError `CREDENTIALS_UNREADABLE`
 */
export function decodeAuth(entry: AuthEntry | null | undefined, path: string): Credential | undefined {
  if (typeof entry !== 'object' || entry === null) return undefined
  for (const name of ['auth', 'username', 'password', 'identitytoken', 'registrytoken'] as const) {
    if (['string', 'undefined'].includes(typeof (entry[name] ?? undefined))) continue
    throw registryError('CREDENTIALS_UNREADABLE', `a \`${name}\` in ${path} is not text`, { path })
  }
  if (entry.identitytoken) return { type: 'identity-token', token: entry.identitytoken }
  if (entry.registrytoken) return { type: 'registry-token', token: entry.registrytoken }
  if (entry.username && typeof entry.password === 'string') {
    return { type: 'password', username: entry.username, password: entry.password }
  }
  if (!entry.auth) return undefined
  const decoded = Buffer.from(entry.auth, 'base64').toString('utf8')
  const colon = decoded.indexOf(':')
  if (colon <= 0) {
    throw registryError(
      'CREDENTIALS_UNREADABLE',
      `an \`auth\` in ${path} is not the base64 of user:password`,
      {
        path,
      },
    )
  }
  // Docker for Windows padded the decoded text with NUL.
  const password = decoded.slice(colon + 1).replace(/\0+$/, '')
  const username = decoded.slice(0, colon)
  // As a helper marks an OAuth2 refresh token; Azure's registry has nothing else.
  return username === '<token>'
    ? { type: 'identity-token', token: password }
    : { type: 'password', username, password }
}

/** The host in a key, which old versions of Docker wrote as a URL: `https://quay.io/v1/` is `quay.io`. */
export function hostOfKey(key: string): string {
  const host = key.replace(/^https?:\/\//, '').split('/', 1)[0] ?? ''
  return host === 'index.docker.io' || host === 'registry-1.docker.io' ? 'docker.io' : host
}
