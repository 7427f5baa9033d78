/** What proves who one is. */
export type Credential =
  | { readonly type: 'password'; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token, which `docker login` stores under `identitytoken`. */
  | { readonly type: 'identity-token'; readonly token: string }
  /** A bearer token that the registry takes as it is: `registrytoken`. */
  | { readonly type: 'registry-token'; readonly token: string }

/** For what credentials are wanted. */
export interface CredentialTarget {
  /** As in references: `docker.io`, `quay.io`, `localhost:5000`. */
  readonly host: string
  readonly repository: string
  /** Under which Docker keeps them: the host, or for Docker Hub {@link DOCKER_HUB_KEY}. */
  readonly key: string
}

/** Where credentials come from. `undefined` means that there are none: the call goes on anonymously. */
export type Credentials = (
  target: CredentialTarget,
  options: { readonly signal?: AbortSignal },
) => Promise<Credential | undefined>

/** The key of Docker Hub in Docker's `config.json` and in credential helpers. */
export const DOCKER_HUB_KEY = 'https://index.docker.io/v1/'

/** Asks one source after the other; the first that knows something is right. */
export function chainCredentials(...sources: readonly Credentials[]): Credentials {
  return async (target, options) => {
    for (const source of sources) {
      const credential = await source(target, options)
      if (credential) return credential
    }
    return undefined
  }
}

/** The same user and password for one host, such as `quay.io` or `docker.io`. */
export function passwordFor(host: string, username: string, password: string): Credentials {
  return async (target) => (target.host === host ? { type: 'password', username, password } : undefined)
}

/** The value of `Authorization` for the basic scheme, in UTF-8: RFC 7617, 2. */
export function basicAuthorization(username: string, password: string): string {
  const bytes = new TextEncoder().encode(`${username}:${password}`)
  return `Basic ${btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))}`
}
