import { homedir } from 'node:os'
import { join } from 'node:path'

/**
 * Where podman and skopeo keep logins, in their order (containers-auth.json(5)): `REGISTRY_AUTH_FILE` alone
 * where it is set; else the file of the session, which root without `XDG_RUNTIME_DIR`, as under sudo, has
 * below `/run/containers`, where nobody else may write; then the user's own.
 *
 * @param uid of the process; Windows has none
 */
export function containersAuthPaths(
  environment: Readonly<Record<string, string | undefined>> = process.env,
  uid: number | undefined = process.getuid?.(),
): string[] {
  const { REGISTRY_AUTH_FILE, XDG_RUNTIME_DIR, XDG_CONFIG_HOME } = environment
  if (REGISTRY_AUTH_FILE) return [REGISTRY_AUTH_FILE]
  const own = join(XDG_CONFIG_HOME || join(homedir(), '.config'), 'containers/auth.json')
  if (XDG_RUNTIME_DIR) return [join(XDG_RUNTIME_DIR, 'containers/auth.json'), own]
  return uid === 0 ? ['/run/containers/0/auth.json', own] : [own]
}
