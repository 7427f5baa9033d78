import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Credential, Credentials, CredentialTarget } from '../auth/credentials.ts'
import { type AuthFile, decodeAuth, hostOfKey, parseConfig, readConfigFile } from './auth-file.ts'
import { runCredentialHelper } from './credential-helper.ts'

/** Options of {@link dockerCredentials}. */
export interface DockerCredentialsOptions {
  /** @defaultValue `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json` */
  readonly path?: string
}

/**
 * Credentials as `docker login` leaves them: the helper of the host (`credHelpers`), else the helper for
 * all hosts (`credsStore`), else what stands in the file itself (`auths`).
 *
 * A file that is not there holds no credentials. @throws BootableError `CREDENTIALS_UNREADABLE`
 */
export function dockerCredentials(options: DockerCredentialsOptions = {}): Credentials {
  const folder = process.env.DOCKER_CONFIG || join(homedir(), '.docker')
  const path = options.path ?? join(folder, 'config.json')
  return async (target, { signal }) => {
    const config = await readConfigFile(path)
    return config && lookUp(config, target, path, signal)
  }
}

/**
 * Credentials in `DOCKER_AUTH_CONFIG`, which holds a whole `config.json`: GitLab's runners set it, and
 * Docker reads it since version 28.
 *
 * @throws BootableError `CREDENTIALS_UNREADABLE`
 */
export function environmentCredentials(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Credentials {
  const name = 'DOCKER_AUTH_CONFIG'
  return async (target, { signal }) => {
    const text = environment[name]
    return text ? lookUp(parseConfig(text, name), target, name, signal) : undefined
  }
}

async function lookUp(
  config: AuthFile,
  { key, host }: CredentialTarget,
  place: string,
  signal: AbortSignal | undefined,
): Promise<Credential | undefined> {
  const helper = config.credHelpers?.[key] ?? config.credHelpers?.[host] ?? config.credsStore
  if (typeof helper === 'string' && helper !== '') {
    const found = await runCredentialHelper(helper, key, signal ? { signal } : {})
    if (found) return found
  }
  const auths = Object.entries(config.auths ?? {})
  const entry = config.auths?.[key] ?? auths.find(([name]) => hostOfKey(name) === host)?.[1]
  return decodeAuth(entry, place)
}
