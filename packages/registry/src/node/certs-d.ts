import { readdir, readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { registryError } from '../errors.ts'
import type { HostTls, HostTlsSource } from './host-tls.ts'

/** Options of {@link certsDirectories}. */
export interface CertsDirectoriesOptions {
  /** Folders that hold a folder for each host. @defaultValue those of containers-certs.d(5) and Docker */
  readonly paths?: readonly string[]
}

/**
 * Where podman, skopeo and Docker look: the user's own folder, then those of the host.
 * @param environment of the process
 */
export function certsDirectoryPaths(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string[] {
  const own = environment.XDG_CONFIG_HOME || join(homedir(), '.config')
  return [join(own, 'containers/certs.d'), '/etc/containers/certs.d', '/etc/docker/certs.d']
}

/**
 * Certificates as containers-certs.d(5) lays them out: in a folder `host:port`, `*.crt` are authorities,
 * `*.cert` certificates of our own and `*.key` their keys. The first folder that is there is the only one.
 *
 * @throws BootableError `CONFIGURATION_INVALID` for a certificate without its key and the reverse
 */
export function certsDirectories(options: CertsDirectoriesOptions = {}): HostTlsSource {
  const { paths = certsDirectoryPaths() } = options
  return async (host) => {
    for (const path of paths) {
      for (const name of folderNames(host)) {
        const folder = join(path, name)
        const names = await namesIn(folder)
        if (names) return readFolder(folder, names.sort())
      }
    }
    return undefined
  }
}

/** As references may write the host. */
function folderNames(host: string): string[] {
  const names = /:\d+$/.test(host) ? [host] : [host, `${host}:443`]
  return host === 'registry-1.docker.io' ? [...names, 'docker.io'] : names
}

async function readFolder(folder: string, names: readonly string[]): Promise<HostTls> {
  const read = (suffix: string): Promise<string[]> =>
    Promise.all(names.filter((name) => name.endsWith(suffix)).map((name) => readPem(join(folder, name))))
  for (const [suffix, other] of [
    ['.cert', '.key'],
    ['.key', '.cert'],
  ] as const) {
    for (const name of names.filter((each) => each.endsWith(suffix))) {
      const partner = `${name.slice(0, -suffix.length)}${other}`
      if (!names.includes(partner)) throw lonely(join(folder, name), join(folder, partner), suffix)
    }
  }
  const [ca, cert, key] = await Promise.all([read('.crt'), read('.cert'), read('.key')])
  return { ca, ...(cert.length > 0 && { cert, key }) }
}

/** The folder's entries; `undefined` where there is none. */
async function namesIn(folder: string): Promise<string[] | undefined> {
  try {
    return await readdir(folder)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    // Windows allows no colon in a name, so there is no folder with a port either.
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EINVAL') return undefined
    throw unreadable(folder, code, cause)
  }
}

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw unreadable(path, (cause as NodeJS.ErrnoException).code, cause)
  }
}

function lonely(path: string, missing: string, suffix: '.cert' | '.key'): Error {
  const message = `there is ${path}, but no ${missing}`
  const hint = `a certificate of your own needs both; the certificate of an authority ends in .crt`
  return registryError(
    'CONFIGURATION_INVALID',
    message,
    { path, missing },
    suffix === '.cert' ? { hint } : {},
  )
}

function unreadable(path: string, code: string | undefined, cause: unknown): Error {
  return registryError('CONFIGURATION_INVALID', `${path} cannot be read: ${code}`, { path }, { cause })
}
