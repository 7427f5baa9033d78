import type { Credentials, CredentialTarget } from '../auth/credentials.ts'
import { type AuthFile, decodeAuth, hostOfKey, readConfigFile } from './auth-file.ts'
import { containersAuthPaths } from './auth-paths.ts'
import { runCredentialHelper } from './credential-helper.ts'

/** Options of {@link containersCredentials}. */
export interface ContainersCredentialsOptions {
  /** @defaultValue those of containers-auth.json(5), in its order */
  readonly paths?: readonly string[]
}

/**
 * Credentials as `podman login` and `skopeo login` leave them in `auth.json`. Keys may name a repository,
 * a namespace or a host; the longest that fits is taken.
 *
 * Files that are not there are passed over. @throws BootableError `CREDENTIALS_UNREADABLE`
 */
export function containersCredentials(options: ContainersCredentialsOptions = {}): Credentials {
  const { paths = containersAuthPaths() } = options
  return async (target, { signal }) => {
    for (const path of paths) {
      const file = await readConfigFile(path)
      if (!file) continue
      const helper = file.credHelpers?.[target.host]
      const credential =
        typeof helper === 'string' && helper !== ''
          ? await runCredentialHelper(helper, target.host, signal ? { signal } : {})
          : lookUp(file, target, path)
      if (credential) return credential
    }
    return undefined
  }
}

function lookUp(file: AuthFile, target: CredentialTarget, path: string): ReturnType<typeof decodeAuth> {
  const auths = file.auths ?? {}
  for (const key of hierarchy(target)) {
    if (Object.hasOwn(auths, key)) return decodeAuth(auths[key], path)
  }
  // Keys that Docker wrote: `https://index.docker.io/v1/`.
  const legacy = Object.keys(auths).find((key) => key.includes('://') && hostOfKey(key) === target.host)
  return legacy === undefined ? undefined : decodeAuth(auths[legacy], path)
}

/** `quay.io/a/b`, `quay.io/a`, `quay.io`. */
function hierarchy({ host, repository }: CredentialTarget): string[] {
  const parts = [host, ...repository.split('/')]
  return parts.map((_, index) => parts.slice(0, parts.length - index).join('/'))
}
